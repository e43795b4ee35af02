"""The effects that plugins ask for, done: messages, staging, integration, public data, sandboxes."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from .._exceptions import CASError
from .._load.resolved import ResolvedElement
from .._load.sandboxsettings import SandboxSettings
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import ElementLabel, MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import ElementRecord
from ..node import MappingNode
from .hostcommand import run_host_command
from .jobcontrol import CurrentJob
from .splitrules import PathFilter, PatternCache, split_filter

if TYPE_CHECKING:
    from .._plan.pipeline import Pipeline
    from .._sandbox.client import SandboxLauncher
    from .._sandbox.local import LocalSandbox
    from .._sandbox.probe import SandboxProbe
    from .._store.cas import Cas
    from ..sandbox import Sandbox
    from ..storage import Directory
    from ..types import OverlapAction
    from ..utils import FileListResult
    from .artifacts import ArtifactCache
    from .sourcecache import SourceCache
    from .staging import OverlapCollector


@dataclass(frozen=True, slots=True)
class StorePaths:
    """Directories of the local cache, absolute."""

    cache: str

    @property
    def cas(self) -> str:
        return os.path.join(self.cache, "cas")

    @property
    def temporary(self) -> str:
        return os.path.join(self.cache, "tmp")

    @property
    def build(self) -> str:
        return os.path.join(self.cache, "build")

    @property
    def trash(self) -> str:
        return os.path.join(self.cache, "trash")


@dataclass(frozen=True, slots=True)
class SandboxOwner:
    """Whom a sandbox is for, and how it has to be."""

    name: str  # as messages show it
    settings: SandboxSettings
    keeps_mtimes: bool = False  # whether what the sandbox writes is captured with its times


class EngineServices:
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
        self.messenger = messenger
        self.paths = paths
        self._open_cas = cas
        self.keeps_buildtrees = keeps_buildtrees
        self._search_path = search_path
        self.jobs = CurrentJob()
        # set once the pipeline is loaded
        self.pipeline: Pipeline | None = None
        self.artifacts: ArtifactCache | None = None
        self.sources: SourceCache | None = None
        # set by the first sandbox
        self._launcher: SandboxLauncher | None = None
        self._probe: SandboxProbe | None = None
        self._collectors: dict[int, OverlapCollector] = {}  # by identity of the sandbox
        self._split_patterns = PatternCache()

    @property
    def cas(self) -> "Cas":
        return self._open_cas()

    def close(self) -> None:
        """Ends the program that starts sandboxes, and with it every sandbox."""
        if self._launcher is not None:
            self._launcher.close()

    # messages

    def record(self, element: ResolvedElement) -> ElementRecord:
        """The record of ELEMENT in the pipeline."""
        assert self.pipeline is not None
        return self.pipeline.record(element)

    def label(self, element: ResolvedElement | None, full_name: str) -> ElementLabel:
        """How messages name an element; those of sources, sandboxes and of loading show no key."""
        if element is None or self.pipeline is None or element.index < 0:
            return ElementLabel(full_name, "", False)
        return self.record(element).label

    def send(
        self,
        element: ResolvedElement | None,
        full_name: str,
        kind: MessageType,
        brief: str,
        detail: str | None,
    ) -> None:
        self.messenger.send(kind, brief, detail=detail, element=self.label(element, full_name))

    def activity(
        self,
        element: ResolvedElement | None,
        full_name: str,
        name: str,
        *,
        detail: str | None,
        silent_nested: bool,
    ) -> AbstractContextManager[None]:
        return self.messenger.activity(
            name, element=self.label(element, full_name), detail=detail, silent_nested=silent_nested
        )

    def run_host_command(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str] | None,
        stdin: IO[Any] | int | None,
        stdout: IO[Any] | int | None,
        stderr: IO[Any] | int | None,
        capture: bool,
    ) -> tuple[int, str]:
        return run_host_command(
            argv,
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            capture=capture,
            log=self.messenger.task_log(),
            control=self.jobs.control,
        )

    # the store

    def capture_local(self, path: str, *, mtimes: bool) -> Digest:
        from .localcapture import capture_local

        return capture_local(self.cas, path, mtimes=mtimes)

    def import_captured(self, directory: "Directory", digest: Digest) -> "FileListResult":
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

    def artifact(self, element: ResolvedElement) -> ArtifactView:
        """The cached artifact of ELEMENT.

        Raises:
            ElementError: There is none.
        """
        artifact = self.record(element).artifact
        if artifact is None:
            from ..element import ElementError

            raise ElementError(
                "No artifacts to stage",
                detail="No artifacts have been cached yet for that element\n"
                "Try building the element first with `bst build`",
                reason="uncached-checkout-attempt",
            )
        return artifact

    def public_data(self, element: ResolvedElement, domain: str) -> MappingNode | None:
        data = self._runtime_public(element).get_mapping(domain, None)
        return None if data is None else data.clone()

    def set_public_data(self, element: ResolvedElement, domain: str, data: MappingNode) -> None:
        self._runtime_public(element)[domain] = data.clone()

    def _runtime_public(self, element: ResolvedElement) -> MappingNode:
        """What the plugin sees: its own while it is being built, else what the artifact recorded."""
        record = self.record(element)
        if record.dynamic_public is None:
            assert self.artifacts is not None
            if record.artifact is None:
                return element.public
            record.dynamic_public = self.artifacts.public_data(record.artifact)
        return record.dynamic_public

    # staging

    def collector(self, sandbox: "Sandbox") -> "OverlapCollector":
        """The overlap collector of SANDBOX, which must be open for staging."""
        collector = self._collectors.get(id(sandbox))
        assert collector is not None, "Attempted to stage artifacts outside of Element.stage()"
        return collector

    @contextmanager
    def staging(self, sandbox: "Sandbox") -> Iterator[None]:
        """The block in which artifacts may be staged into SANDBOX."""
        from .._store.cas_directory import CasDirectory
        from .staging import OverlapCollector

        def root() -> CasDirectory:
            directory = sandbox.get_virtual_directory()
            assert isinstance(directory, CasDirectory)
            return directory

        self._collectors[id(sandbox)] = OverlapCollector(
            self.cas, root, lambda element: self.public_data(element, "bst")
        )
        try:
            yield
        finally:
            del self._collectors[id(sandbox)]

    def _split_filter(
        self,
        element: ResolvedElement,
        include: list[str] | None,
        exclude: list[str] | None,
        orphans: bool,
    ) -> PathFilter | None:
        if orphans and not include and not exclude:
            return None
        bst = self._runtime_public(element).get_mapping("bst", {})
        return split_filter(
            bst.get_mapping("split-rules", {}),
            self._split_patterns,
            include=include,
            exclude=exclude,
            orphans=orphans,
        )

    def stage_artifacts(
        self,
        owner: ResolvedElement,
        elements: Sequence[ResolvedElement],
        sandbox: "Sandbox",
        *,
        path: str | None,
        action: "OverlapAction",
        include: list[str] | None,
        exclude: list[str] | None,
        orphans: bool,
    ) -> "FileListResult":
        from .staging import StagingRequest

        requests = [
            StagingRequest(
                element, self.artifact(element), self._split_filter(element, include, exclude, orphans)
            )
            for element in elements
        ]
        return self.collector(sandbox).stage(
            owner,
            requests,
            path=path,
            action=action,
            announce=self._announce_staging,
        )

    def _announce_staging(self, element: ResolvedElement) -> None:
        label = self.record(element).label
        text = f"Staging {element.name}/{self.messenger.brief(label.key)}"
        self.messenger.send(MessageType.STATUS, text, element=label)

    def compute_manifest(
        self,
        element: ResolvedElement,
        *,
        include: list[str] | None,
        exclude: list[str] | None,
        orphans: bool,
    ) -> Iterator[str]:
        from .._store.cas_directory import CasDirectory

        artifact = self.artifact(element)
        if artifact.files is None:
            return
        is_selected = self._split_filter(element, include, exclude, orphans)
        for path in CasDirectory(self.cas, artifact.files).list_relative_paths():
            if is_selected is None or is_selected(path):
                yield path

    def integrate(self, element: ResolvedElement, sandbox: "Sandbox") -> None:
        # no copy: this is asked of every dependency of every build
        bst = self._runtime_public(element).get_mapping("bst", None)
        commands = [] if bst is None else bst.get_str_list("integration-commands", [])
        if not commands:
            return
        with sandbox.batch():
            for command in commands:
                sandbox.run(
                    ["sh", "-e", "-c", command], env=dict(element.environment), cwd="/", label=command
                )

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
            root._import_tree(digest, path=relative)

    def run_cleanup_commands(self, element: ResolvedElement, sandbox: "Sandbox") -> None:
        if self.keeps_buildtrees or self.has_workspace(element):
            return
        build_root = element.variables.get("build-root") or ""
        install_root = element.variables.get("install-root") or ""
        if build_root.startswith(install_root) or install_root.startswith(build_root):
            return
        sandbox._clean_directory(build_root)

    # sandboxes

    @contextmanager
    def subsandbox(self, element: ResolvedElement, sandbox: "Sandbox") -> Iterator["Sandbox"]:
        from .._sandbox.local import LocalSandbox

        assert isinstance(sandbox, LocalSandbox), "a sub-sandbox can't have sub-sandboxes"
        sub = sandbox._create_sub_sandbox()
        with self.staging(sub):
            yield sub

    @property
    def probe(self) -> "SandboxProbe":
        """Finds out, once, how sandboxes can be made on this machine."""
        if self._probe is None:
            from .._sandbox.probe import SandboxProbe

            self._probe = SandboxProbe(self.launcher, self.paths.temporary, self._search_path)
        return self._probe

    @property
    def launcher(self) -> "SandboxLauncher":
        """The program that starts sandboxes, itself started with the first one."""
        if self._launcher is None:
            from .._sandbox.client import SandboxLauncher

            self._launcher = SandboxLauncher()
        return self._launcher

    @contextmanager
    def sandbox(self, element: ResolvedElement, digest: Digest | None = None) -> Iterator["LocalSandbox"]:
        """A sandbox for ELEMENT, closed at the end of the block."""
        _check_environment(element)
        owner = SandboxOwner(element.full_name, element.sandbox, keeps_mtimes=self.has_workspace(element))
        with self.open_sandbox(owner, digest) as sandbox:
            yield sandbox

    @contextmanager
    def open_sandbox(self, owner: "SandboxOwner", digest: Digest | None = None) -> Iterator["LocalSandbox"]:
        """A sandbox as OWNER wants it, holding the tree DIGEST, closed at the end of the block."""
        import uuid

        from .._model.platform import host_arch, host_os
        from .._sandbox.environment import SandboxConfiguration, SandboxEnvironment
        from .._sandbox.local import LocalSandbox

        settings = owner.settings
        scratch = os.path.join(self.paths.build, uuid.uuid4().hex)
        environment = SandboxEnvironment(
            cas=self.cas,
            launcher=self.launcher,
            probe=self.probe,
            configuration=SandboxConfiguration(
                settings.build_os, settings.build_arch, settings.build_uid, settings.build_gid
            ),
            host_os=host_os(os.uname()),
            host_arch=host_arch(os.uname()),
            scratch_directory=scratch,
            reporter=_Reporter(self, owner.name),
            output_descriptor=self._output_descriptor,
            supervise=self.jobs.control.supervise,
            keeps_mtimes=owner.keeps_mtimes,
        )
        sandbox = LocalSandbox(environment, digest)
        try:
            yield sandbox
        finally:
            sandbox.close()

    def _output_descriptor(self) -> int:
        log = self.messenger.task_log()
        return log.fileno() if log is not None else 2


def _check_environment(element: ResolvedElement) -> None:
    """Checks that every variable of the environment is a text.

    Raises:
        ElementError: One is a list or a mapping.
    """
    from ..element import ElementError

    for name, value in element.environment.items():
        if not isinstance(value, str):
            raise ElementError(
                f"{element.plugin}: The environment variable '{name}' is not a text",
                detail="Commands can only be run with variables that are texts.",
                reason="invalid-environment",
            )


@dataclass(frozen=True, slots=True)
class _Reporter:
    """The activities of a sandbox, attributed to its element."""

    services: EngineServices
    owner: str

    def activity(self, name: str, *, detail: str | None = None) -> AbstractContextManager[None]:
        return self.services.activity(None, self.owner, name, detail=detail, silent_nested=False)
