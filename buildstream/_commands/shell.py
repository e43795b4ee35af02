"""`bst shell`: a command, or a person, inside the sandbox of an element."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._act.virtualroot import staged_sandbox
from .._exceptions import AppError, BstError
from .._load.project import Project
from .._load.resolved import ResolvedElement, build_scope, run_scope
from .._load.targets import classify
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import ElementRecord
from ..sandbox import _SandboxFlags
from .app import App
from .loading import LoadedTargets, element_names, load_names, query

if TYPE_CHECKING:
    from .._sandbox.local import LocalSandbox


def shell(
    app: App,
    *,
    target: str | None,
    command: Sequence[str],
    build: bool,
    use_buildtree: bool,
    mounts: Sequence[tuple[str, str]],
    isolate: bool,
    prompt: "Mapping[str, str] | None" = None,
) -> int:
    """Runs COMMAND, or the project's shell, for TARGET; gives its exit status.

    Args:
        build: What a build would see, instead of what is needed at run time.
        use_buildtree: The files that the build of the cached artifact left.
        mounts: Pairs of a host path and where it is to be seen.
        isolate: As isolated as a build.

    Raises:
        AppError: Something is missing; `Error launching shell: ...`.
    """
    try:
        return _Shell(app, command, mounts, is_isolated=isolate).run(
            target, build=build or use_buildtree, use_buildtree=use_buildtree
        )
    except BstError as error:
        raise AppError(
            f"Error launching shell: {error}", detail=error.detail, reason=error.reason
        ) from error


class _Shell:
    """One shell command."""

    def __init__(
        self, app: App, command: Sequence[str], mounts: Sequence[tuple[str, str]], *, is_isolated: bool
    ) -> None:
        self._app = app
        self._command = list(command)
        self._mounts = mounts
        self._is_isolated = is_isolated

    def run(self, target: str | None, *, build: bool, use_buildtree: bool) -> int:
        app = self._app
        words = [target] if target else []
        targets = classify(words, accepts_artifacts=True)
        if targets.artifacts and not use_buildtree:
            raise AppError(
                "Only buildtrees are supported with artifact names", reason="only-buildtrees-supported"
            )
        loader = app.open_project()
        names, are_default = element_names(app, loader, targets)
        if are_default:
            raise AppError('Missing argument "TARGET".')
        assert loader is not None
        loaded = load_names(app, loader, names[:1])
        element = loaded.targets[0]
        needed = list(build_scope(element)) if build else list(run_scope([element]))
        everything = [element] if use_buildtree else [*needed, *([element] if build else [])]
        query(app, loaded, everything)
        record = loaded.pipeline.record(element)
        project = loader.projects[0]
        if use_buildtree:
            with self._buildtree_sandbox(record) as (sandbox, environment):
                return self._enter(project, record, sandbox, environment)
        self._check_cached(loaded, needed)
        stage = self._build_sandbox(record) if build else self._runtime_sandbox(element, needed)
        with stage as sandbox:
            return self._enter(project, record, sandbox, dict(element.environment))

    @staticmethod
    def _check_cached(loaded: LoadedTargets, needed: Sequence[ResolvedElement]) -> None:
        missing = [e.full_name for e in needed if not loaded.pipeline.record(e).is_cached]
        if missing:
            raise AppError(
                "Elements need to be built or downloaded before staging a shell environment",
                detail="\n".join(missing),
                reason="shell-missing-deps",
            )

    # staging

    def _runtime_sandbox(
        self, element: ResolvedElement, needed: Sequence[ResolvedElement]
    ) -> "AbstractContextManager[LocalSandbox]":
        return staged_sandbox(self._app.services, element, needed, integrates=True)

    @contextmanager
    def _build_sandbox(self, record: ElementRecord) -> "Iterator[LocalSandbox]":
        """Exactly what a build would stage; sources are fetched if need be."""
        app, plugin = self._app, record.element.plugin
        app.sources.fetch(record)
        record.dynamic_public = record.element.public.clone()
        with app.services.sandbox(record.element) as sandbox:
            plugin.configure_sandbox(sandbox)
            with app.services.staging(sandbox):
                plugin.stage(sandbox)
            yield sandbox

    @contextmanager
    def _buildtree_sandbox(
        self, record: ElementRecord
    ) -> "Iterator[tuple[LocalSandbox, dict[str, str]]]":
        artifact = self._buildtree_artifact(record)
        if not artifact.is_success:
            self._app.messenger.send(MessageType.WARN, "using a buildtree from a failed build.")
        with self._app.services.sandbox(record.element, artifact.buildroot) as sandbox:
            state = artifact.build_sandbox
            environment = dict(record.element.environment)
            if state is not None:
                environment = dict(state.environment)
                for directory in state.marked_directories:
                    sandbox.mark_directory(directory)
                if state.working_directory:
                    sandbox.set_work_directory(state.working_directory)
            yield sandbox, environment

    def _buildtree_artifact(self, record: ElementRecord) -> ArtifactView:
        artifact = record.artifact
        if artifact is None:
            raise AppError(
                "Artifact not cached locally or in available remotes",
                reason="missing-buildtree-artifact-not-cached",
            )
        if artifact.buildroot is None:
            raise AppError(
                "Artifact was created without buildtree",
                reason="missing-buildtree-artifact-created-without-buildtree",
            )
        if not self._app.cas.contains_tree(artifact.buildroot):
            raise AppError(
                "Buildtree is not cached locally or in available remotes",
                reason="missing-buildtree-artifact-buildtree-not-cached",
            )
        return artifact

    # running

    def _enter(
        self, project: Project, record: ElementRecord, sandbox: "LocalSandbox", environment: dict[str, str]
    ) -> int:
        assert project.second is not None
        settings = project.second.shell
        environment["PS1"] = f"[{record.label.key[:8]}@{record.element.full_name}:${{PWD}}]$ "
        flags = _SandboxFlags.INTERACTIVE | _SandboxFlags.ROOT_READ_ONLY
        if not self._is_isolated:
            flags |= _SandboxFlags.NETWORK_ENABLED | _SandboxFlags.INHERIT_UID
            environment.update(settings.environment)
            self._mount_host_files(project, sandbox)
        command = self._command or list(settings.command)
        self._app.messenger.send(
            MessageType.STATUS, "Running command", detail=" ".join(command), element=record.label
        )
        cwd = sandbox._get_work_directory()
        return sandbox._run_with_flags(
            tuple(command), flags=flags, cwd=cwd, env={**environment, "PWD": cwd}
        )

    def _mount_host_files(self, project: Project, sandbox: "LocalSandbox") -> None:
        assert project.second is not None
        for host_file in project.second.shell.host_files:
            if os.path.exists(host_file.host_path):
                sandbox._add_host_mount(host_file.host_path, host_file.path)
            elif not host_file.is_optional:
                self._app.messenger.send(
                    MessageType.WARN, f"Not mounting non-existing host file: {host_file.host_path}"
                )
        for host_path, path in self._mounts:
            if not os.path.isabs(path):
                raise AppError(f"The place of a mount must be an absolute path: {path}")
            sandbox._add_host_mount(os.path.abspath(host_path), path)
