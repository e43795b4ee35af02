"""What sources of files on this machine have in common."""

from collections.abc import Iterable
from typing import Any, ClassVar

from buildstream import (
    Directory,
    MappingNode,
    Source,
    SourceError,
    SourceInfo,
    SourceInfoMedium,
    SourceRef,
    SourceVersionType,
)
from buildstream._hosts import SourceHost
from buildstream._model.digest import Digest


class CapturedSource(Source):
    """Stages a file or directory of this machine; its content is its reference."""

    BST_STAGE_VIRTUAL_DIRECTORY = True

    captures_times: ClassVar[bool] = False
    """Whether the modification times of files belong to the content."""

    medium: ClassVar[SourceInfoMedium] = SourceInfoMedium.LOCAL

    path: str  # as configured
    fullpath: str  # absolute

    def __init__(self, host: SourceHost, name: str) -> None:
        super().__init__(host, name)
        # looked at once: what is staged is what the cache key was made of
        self._digest: Digest | None = None

    def preflight(self) -> None:
        pass

    def is_resolved(self) -> bool:
        return True

    def is_cached(self) -> bool:
        return True

    def get_unique_key(self) -> Any:
        return self._captured().hash

    def load_ref(self, node: MappingNode) -> None:
        pass

    def get_ref(self) -> SourceRef:
        return None

    def set_ref(self, ref: SourceRef, node: MappingNode) -> None:
        pass

    def fetch(self, *, previous_sources_dir: str | None = None) -> None:
        pass

    def stage_directory(self, directory: Directory) -> None:
        result = self._host.import_captured(
            directory, self._captured(), path=self.fullpath, mtimes=self.captures_times
        )
        if result.overwritten or result.ignored:
            raise SourceError(
                "Failed to stage source: files clash with existing directory", reason="ensure-stage-dir-fail"
            )

    def collect_source_info(self) -> Iterable[SourceInfo]:
        version = str(self._captured())
        return [self.create_source_info(self.path, self.medium, SourceVersionType.CAS_DIGEST, version)]

    def _captured(self) -> Digest:
        """The digest of the files as they were when it was first asked for; nothing is stored."""
        if self._digest is None:
            self._digest = self._host.digest_local(self.fullpath, mtimes=self.captures_times)
        return self._digest

    def _store_local_files(self) -> None:
        self._host.store_local(self._captured(), path=self.fullpath, mtimes=self.captures_times)

    def _get_local_path(self) -> str | None:
        return self.fullpath
