"""The effects that plugins ask for, done: each method hands over to what does one kind of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._exceptions import CASError
from .._load.resolved import ResolvedElement
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import MessageType
from .._requests import SplitSelection, StagingOptions
from ..node import MappingNode
from .announcer import Announcer
from .artifactstaging import ArtifactStaging
from .publicdata import RuntimePublicData
from .sandboxes import Sandboxes, SandboxOwner, check_environment
from .storepaths import StorePaths

if TYPE_CHECKING:
    from .._sandbox.local import LocalSandbox
    from .._sandbox.probe import SandboxProbe
    from .._sandbox.remote import ActionRunner
    from .._sandbox.tree import TreeSandbox
    from .._store.cas import Cas
    from ..sandbox import Sandbox
    from ..storage import Directory
    from ..utils import FileListResult
    from .artifacts import ArtifactCache
    from .sourcecache import SourceCache


class EngineServices(Announcer):
    """Implements `_load.services.Services`.

    Args:
        messenger: Where messages go.
        paths: Where scratch directories are made.
        cas: The content store, opened when it is first needed.
        keeps_buildtrees: Whether every build keeps its build directory.
        search_path: Where to look for programs of the host, as in the variable PATH.
    """

    def __init__(
        self,
        messenger: Messenger,
        paths: StorePaths,
        cas: "Callable[[], Cas]",
        *,
        keeps_buildtrees: bool,
        search_path: str,
    ) -> None:
        super().__init__(messenger)
        self.paths = paths
        self.keeps_buildtrees = keeps_buildtrees
        self.stores_local_files = False  # whether those that are read for cache keys are stored at once
        # set once they are needed
        self.artifacts: ArtifactCache | None = None
        self.sources: SourceCache | None = None
        self._open_cas = cas
        self._public = RuntimePublicData(self.record, self._opened_artifacts)
        self._staging = ArtifactStaging(self, self._public, cas)
        self._sandboxes = Sandboxes(self, paths, cas, search_path)

    @property
    def cas(self) -> "Cas":
        """The content store."""
        return self._open_cas()

    def share_jobs(self, count: int) -> None:
        """Lets the makes of all sandboxes together run COUNT jobs at once; 0: each as many as it wants."""
        self._sandboxes.shared_jobs = count

    def close(self) -> None:
        """Ends the program that starts sandboxes, and with it every sandbox."""
        self._sandboxes.close()

    def _opened_artifacts(self) -> "ArtifactCache":
        assert self.artifacts is not None
        return self.artifacts

    # the store

    def digest_local(self, path: str, *, mtimes: bool) -> Digest:
        from .localcapture import digest_local

        return digest_local(self.cas, path, mtimes=mtimes, stores_many=self.stores_local_files)

    def store_local(self, digest: Digest, *, path: str, mtimes: bool) -> None:
        from .localcapture import ensure_captured

        ensure_captured(self.cas, path, digest, mtimes=mtimes)

    def import_captured(
        self, directory: "Directory", digest: Digest, *, path: str, mtimes: bool
    ) -> "FileListResult":
        self.store_local(digest, path=path, mtimes=mtimes)
        return self.import_tree(directory, digest)

    def import_tree(self, directory: "Directory", digest: Digest) -> "FileListResult":
        """Imports the tree DIGEST of the store into DIRECTORY."""
        from .._store.cas_directory import CasDirectory

        if isinstance(directory, CasDirectory):
            return directory._import_tree(digest)
        result = directory.import_files(CasDirectory(self.cas, digest))
        assert result is not None
        return result

    def tree_digest(self, directory: "Directory") -> Digest:
        """The digest of a virtual directory, whose content is stored."""
        from .._store.cas_directory import CasDirectory

        assert isinstance(directory, CasDirectory)
        return directory._digest()

    # elements

    def has_workspace(self, element: ResolvedElement) -> bool:
        return any(source.kind == "workspace" for source in element.sources)

    def artifact_key(self, element: ResolvedElement) -> str | None:
        return self.record(element).strong_key

    def public_data(self, element: ResolvedElement, domain: str) -> MappingNode | None:
        return self._public.domain(element, domain)

    def set_public_data(self, element: ResolvedElement, domain: str, data: MappingNode) -> None:
        self._public.set_domain(element, domain, data)

    # staging

    @contextmanager
    def staging(self, sandbox: "Sandbox") -> Iterator[None]:
        """The block in which artifacts may be staged into SANDBOX."""
        with self._staging.opened(sandbox):
            yield

    def stage_artifacts(
        self,
        owner: ResolvedElement,
        elements: Sequence[ResolvedElement],
        sandbox: "Sandbox",
        options: StagingOptions,
    ) -> "FileListResult":
        return self._staging.stage(owner, elements, sandbox, options)

    def compute_manifest(self, element: ResolvedElement, files: SplitSelection) -> Iterator[str]:
        return self._staging.manifest(element, files)

    def integrate(self, element: ResolvedElement, sandbox: "Sandbox") -> None:
        self._staging.integrate(element, sandbox)

    def stage_sources(self, element: ResolvedElement, sandbox: "Sandbox", directory: str) -> None:
        from .._store.cas_directory import CasDirectory
        from ..element import ElementError

        assert self.sources is not None
        with self.activity(element, element.full_name, "Staging sources", detail=None, silent_nested=True):
            root = sandbox.get_virtual_directory()
            assert isinstance(root, CasDirectory)
            relative = directory.lstrip("/")
            target = root.open_directory(relative, create=True) if relative else root
            if target:
                raise ElementError(
                    f"Staging directory '{directory}' is not empty", reason="stage-sources-fail"
                )
            digest = self.sources.combined_tree(self.record(element))
            if digest is None:
                # no error of the element: such a failure must not be cached
                raise CASError(
                    "The sources of the element are not in the local cache any more", reason="missing-blob"
                )
            if self.has_workspace(element):
                digest = self._announced_staging(element, digest)
            root._import_tree(digest, path=relative)

    def _announced_staging(self, element: ResolvedElement, sources: Digest) -> Digest:
        """The tree that a build of ELEMENT, which has a workspace, starts with."""
        from .workspacebuild import stage_workspace

        assert self.pipeline is not None
        staging = stage_workspace(self._opened_artifacts(), self.pipeline, element, sources)
        if staging.is_incremental:
            detail = f"To build from scratch: bst workspace reset --soft {element.full_name}"
            self.send(element, element.full_name, MessageType.INFO, "Incremental build", detail)
        elif staging.obstacle is not None:
            brief = f"Build from scratch: {staging.obstacle}"
            self.send(element, element.full_name, MessageType.INFO, brief, None)
        return staging.tree

    def run_cleanup_commands(self, element: ResolvedElement, sandbox: "Sandbox") -> None:
        if self.keeps_buildtrees or self.has_workspace(element):
            return
        build_root = element.variables.get("build-root") or ""
        install_root = element.variables.get("install-root") or ""
        if build_root.startswith(install_root) or install_root.startswith(build_root):
            return
        sandbox._clean_directory(build_root)

    # sandboxes

    @property
    def probe(self) -> "SandboxProbe":
        """Finds out, once, how sandboxes can be made on this machine."""
        return self._sandboxes.probe

    @contextmanager
    def subsandbox(self, element: ResolvedElement, sandbox: "Sandbox") -> Iterator["Sandbox"]:
        from .._sandbox.tree import TreeSandbox

        assert isinstance(sandbox, TreeSandbox), "a sub-sandbox can't have sub-sandboxes"
        sub = sandbox._create_sub_sandbox()
        with self.staging(sub):
            yield sub

    @contextmanager
    def sandbox(self, element: ResolvedElement, digest: Digest | None = None) -> Iterator["LocalSandbox"]:
        """A sandbox for ELEMENT on this machine, closed at the end of the block."""
        with self.open_sandbox(self._owner(element), digest) as sandbox:
            yield sandbox

    @contextmanager
    def build_sandbox(
        self, element: ResolvedElement, runner: "ActionRunner | None"
    ) -> Iterator["TreeSandbox"]:
        """A sandbox to build ELEMENT in, closed at the end of the block; RUNNER may run its commands."""
        owner = self._owner(element)
        with (
            self._sandboxes.open(owner) if runner is None else self._sandboxes.open_remote(owner, runner)
        ) as sandbox:
            yield sandbox

    def _owner(self, element: ResolvedElement) -> SandboxOwner:
        check_environment(element)
        return SandboxOwner(element.full_name, element.sandbox, keeps_mtimes=self.has_workspace(element))

    @contextmanager
    def open_sandbox(self, owner: SandboxOwner, digest: Digest | None = None) -> Iterator["LocalSandbox"]:
        """A sandbox as OWNER wants it, holding the tree DIGEST, closed at the end of the block."""
        with self._sandboxes.open(owner, digest) as sandbox:
            yield sandbox
