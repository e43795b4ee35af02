"""remote - one downloaded file

Configuration, besides that of DownloadableFileSource:

    filename: x.bin     name of the staged file, by default the end of the URL
    executable: False   whether it is executable
"""

import os
from typing import Any

from buildstream import DownloadableFileSource, MappingNode, Source, SourceError, utils


class RemoteSource(DownloadableFileSource):
    """Stages the downloaded file as it is."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        super().configure(node)
        node.validate_keys(["filename", "executable", *DownloadableFileSource.COMMON_CONFIG_KEYS])
        self.filename: str = node.get_str("filename", os.path.basename(self.url))
        self.executable: bool = node.get_bool("executable", False)
        if os.sep in self.filename:
            raise SourceError(
                f"{self}: filename parameter cannot contain directories", reason="filename-contains-directory"
            )

    def get_unique_key(self) -> Any:
        return [*super().get_unique_key(), self.filename, self.executable]

    def stage(self, directory: str) -> None:
        path = os.path.join(directory, self.filename)
        with self.timed_activity(f"Staging remote file to {path}", silent_nested=True):
            utils.safe_copy(self._get_mirror_file(), path, copystat=False)
            os.chmod(path, 0o755 if self.executable else 0o644)


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return RemoteSource
