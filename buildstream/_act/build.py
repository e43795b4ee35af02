"""Building one element: sandbox, staging, commands, capture, artifact."""

import os
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import BstError
from .._load.elementhost import artifact_name
from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement, build_scope
from .._model.digest import EMPTY_DIGEST, Digest
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView, BuildDependencyName, BuildSandboxState
from .._plan.record import ArtifactState, ElementRecord
from .._store.turns import Turns
from ..element import ElementError
from ..sandbox import SandboxCommandError
from .artifacts import ArtifactCache
from .keyinputs import KeyInputStore, name_in_project
from .machinefaults import MachineWatch
from .services import EngineServices

if TYPE_CHECKING:
    from .._sandbox.remote import ActionRunner
    from .._sandbox.tree import TreeSandbox

SUCCEEDED = "succeeded"  # what the message holds as the error of a good build


@dataclass(frozen=True, slots=True)
class BuildResult:
    """How a build ended: an artifact of a success or a failure, and the error that failed it."""

    artifact: ArtifactView | None
    error: BstError | None


class Builder:
    """Builds elements, in any thread.

    Args:
        services: Effects.
        artifacts: Where results go.
        caches_buildtrees: "always", "auto" (failures and workspaces) or "never".
        inputs: Where to note what builds were made of.
        runner: Where commands run; None for this machine.
    """

    def __init__(
        self,
        services: EngineServices,
        artifacts: ArtifactCache,
        caches_buildtrees: str,
        inputs: KeyInputStore,
        runner: "ActionRunner | None" = None,
    ) -> None:
        self._services = services
        self._inputs = inputs
        self._artifacts = artifacts
        self._caches_buildtrees = caches_buildtrees
        self._last_environment: tuple[list[tuple[str, str]], str] = ([], "{}\n")
        self._turns = Turns(services.paths.turns)
        self._runner = runner

    def build(self, record: ElementRecord) -> BuildResult:
        """Builds the element of RECORD; the build dependencies must be cached, the sources staged.

        A failure of the element's own commands is cached, anything else is not: neither
        that of a sandbox that was killed, nor one for want of memory or disk space.
        """
        if record.artifact_state is ArtifactState.FAILED and record.artifact is not None:
            return self._replay(record.artifact)
        assert record.strong_key is not None
        services = self._services

        def announce(process: int | None) -> None:
            services.messenger.send(
                MessageType.INFO,
                "Waiting for another session that builds this element",
                detail=None if process is None else f"It is process {process}.",
                element=record.label,
            )

        with self._turns.turn(
            record.strong_key, on_wait=announce, check=services.jobs.control.check
        ) as has_waited:
            artifact = self._built_meanwhile(record)
            if artifact is not None and artifact.is_success:
                services.messenger.send(
                    MessageType.INFO, "Another session has built this element", element=record.label
                )
                return BuildResult(artifact, None)
            if artifact is not None and has_waited:
                return self._replay(artifact)
            return self._build(record)

    def _built_meanwhile(self, record: ElementRecord) -> ArtifactView | None:
        """What another process has made of RECORD since the cache was asked for it."""
        assert record.strong_key is not None
        name = artifact_name(record.element, record.strong_key)
        return self._artifacts.load_complete(name) if self._artifacts.records.exists(name) else None

    def _build(self, record: ElementRecord) -> BuildResult:
        element = record.element
        plugin = element.plugin
        record.dynamic_public = element.public.clone()
        with self._services.build_sandbox(element, self._runner) as sandbox:
            if not plugin.BST_RUN_COMMANDS:
                sandbox._disable_run()
            with plugin_code(plugin, "configure_sandbox"):
                plugin.configure_sandbox(sandbox)
            self._log_environment(record, sandbox)
            with self._services.staging(sandbox), plugin_code(plugin, "stage"):
                plugin.stage(sandbox)
            watch = MachineWatch(self._services.paths.cache)
            try:
                with plugin_code(plugin, "assemble"):
                    collect = plugin.assemble(sandbox)
            except (ElementError, SandboxCommandError) as error:
                watch.check(error, self._log_path())
                error.sandbox = True
                artifact = self._cache(record, sandbox, error.collect, error)
                return BuildResult(artifact, error)
            try:
                return BuildResult(self._cache(record, sandbox, collect, None), None)
            except _NothingToCollect as missing:
                return BuildResult(None, ElementError(str(missing)))

    def _replay(self, artifact: ArtifactView) -> BuildResult:
        """Fails as the recorded build did, without running anything."""
        log = self._services.messenger.task_log()
        for text in self._artifacts.logs(artifact):
            if log is not None:
                log.write(text.encode("utf-8"))
        error = ElementError(artifact.error, detail=artifact.error_detail or None)
        error.sandbox = artifact.buildroot is not None
        return BuildResult(artifact, error)

    def _log_environment(self, record: ElementRecord, sandbox: "TreeSandbox") -> None:
        environment = sandbox._environment
        if environment is None:
            environment = record.element.environment
        self._services.messenger.send(
            MessageType.LOG,
            f"Build environment for element {record.element.name}",
            detail=self._dump_environment(environment),
            element=record.label,
        )

    def _dump_environment(self, environment: Mapping[str, str]) -> str:
        """ENVIRONMENT as YAML; most elements have the same."""
        from .._load.yamldump import dump

        known, text = self._last_environment
        items = list(environment.items())
        if items != known:
            text = dump(dict(items))
            self._last_environment = (items, text)
        return text

    # caching

    def _cache(
        self, record: ElementRecord, sandbox: "TreeSandbox", collect: str | None, error: BstError | None
    ) -> ArtifactView:
        services = self._services
        with services.activity(
            record.element, record.element.full_name, "Caching artifact", detail=None, silent_nested=False
        ):
            files = self._collect(sandbox, collect, is_success=error is None)
            artifact = self._describe(record, files, error)
            if self._wants_buildtree(record.element, error):
                artifact = self._with_buildtree(record, sandbox, artifact)
            services.jobs.control.check()
            self._artifacts.store(record.element, artifact)
            self._keep_inputs(record)
        return artifact

    def _keep_inputs(self, record: ElementRecord) -> None:
        pipeline = self._services.pipeline
        assert pipeline is not None
        parts = pipeline.keys.parts(record.element)
        assert parts is not None, "what is built has a key"
        children = map(pipeline.record, record.element.build_dependencies)
        keys = {name_in_project(child.element): child.strong_key or "" for child in children}
        self._inputs.store(record, parts, keys)

    @staticmethod
    def _collect(sandbox: "TreeSandbox", collect: str | None, *, is_success: bool) -> Digest | None:
        if collect is None:
            return None
        root = sandbox.get_virtual_directory()
        path = posixpath.normpath(f"/{collect}").lstrip("/")
        if path and not root.isdir(path):
            if not is_success:
                return None
            raise _NothingToCollect(
                f"Directory '{collect}' was not found inside the sandbox, unable to collect artifact contents"
            )
        directory = root.open_directory(path) if path else root
        digest: Digest = directory._digest()  # type: ignore[attr-defined]
        return digest

    def _wants_buildtree(self, element: ResolvedElement, error: BstError | None) -> bool:
        if self._caches_buildtrees == "auto":
            return error is not None or self._services.has_workspace(element)
        return self._caches_buildtrees == "always"

    def _describe(self, record: ElementRecord, files: Digest | None, error: BstError | None) -> ArtifactView:
        """The artifact without its build tree; its metadata is stored here."""
        element = record.element
        keys = record.keys
        assert keys.weak is not None
        assert keys.strict is not None
        assert record.strong_key is not None
        assert record.dynamic_public is not None
        store_yaml = self._artifacts.store_yaml
        return ArtifactView(
            is_success=error is None,
            error=SUCCEEDED if error is None else str(error),
            error_detail=(error.detail or "") if error else "",
            strong_key=record.strong_key,
            strict_key=keys.strict,
            weak_key=keys.weak,
            was_workspaced=self._services.has_workspace(element),
            files=files,
            build_dependencies=tuple(self._dependency_name(child) for child in build_scope(element)),
            public_data=store_yaml(record.dynamic_public.strip_node_info(), slot="public"),
            logs=self._store_log(),
            buildtree=None,
            sources=None,
            buildroot=None,
            low_diversity_meta=store_yaml(
                {
                    "environment": dict(element.environment),
                    "sandbox-config": element.sandbox.key_value(),
                },
                slot="environment",
            ),
            high_diversity_meta=store_yaml({"variables": dict(element.variables.items())}),
        )

    def _dependency_name(self, element: ResolvedElement) -> BuildDependencyName:
        record = self._services.record(element)
        return BuildDependencyName(
            element.project_name,
            element.name,
            record.strong_key or "",
            record.artifact is not None and record.artifact.was_workspaced,
        )

    def _log_path(self) -> str | None:
        log = self._services.messenger.task_log()
        return None if log is None else log.name

    def _store_log(self) -> tuple[tuple[str, Digest], ...]:
        """The build log as written so far."""
        log = self._services.messenger.task_log()
        if log is None:
            return ()
        path = log.name
        return ((os.path.basename(path), self._artifacts.cas.add_file(path)),)

    def _with_buildtree(
        self, record: ElementRecord, sandbox: "TreeSandbox", artifact: ArtifactView
    ) -> ArtifactView:
        element = record.element
        root = sandbox.get_virtual_directory()
        build_root = (element.variables.get("build-root") or "").lstrip("/")
        buildtree: Digest | None = None
        if build_root and root.isdir(build_root):
            buildtree = root.open_directory(build_root)._digest()  # type: ignore[attr-defined]
        environment = sandbox._environment or {}  # as it was configured; shells know the usual one
        assert self._services.sources is not None
        buildroot: Digest = root._digest()  # type: ignore[attr-defined]
        state = BuildSandboxState(
            environment=tuple(sorted(environment.items())),
            working_directory=sandbox._get_work_directory(),
            marked_directories=tuple(sandbox._marked_directories),
        )
        return replace(
            artifact,
            buildtree=buildtree,
            buildroot=buildroot,
            sources=self._services.sources.combined_tree(record),
            build_sandbox=None if buildroot == EMPTY_DIGEST else state,  # as BuildStream 2.8 has it
        )


class _NothingToCollect(Exception):
    """A successful build left nothing where its output was to be."""
