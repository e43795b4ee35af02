"""`bst shell`: a command, or a person, inside the sandbox of an element."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._act.recorded import RecordedArtifact, recorded_sandbox
from .._act.virtualroot import staged_sandbox
from .._dataclass import dataclass
from .._exceptions import AppError, BstError
from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement, build_scope, run_scope
from .._load.targets import Targets, classify
from .._load.workspacesource import workspace_directory
from .._model.message import ElementLabel, MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import ElementRecord
from ..sandbox import _SandboxFlags
from .app import App
from .artifactpulls import pull_named
from .artifacttargets import load_artifact_targets
from .loading import LoadedTargets, check_resolved, element_names, load_names, query
from .missing import fetch_missing, pull_missing

if TYPE_CHECKING:
    from .._load.projectkeys import ShellSettings
    from .._sandbox.local import LocalSandbox


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """What the command is to see."""

    prompt: Callable[[ElementLabel], str]  # the variable PS1 for an element
    is_build: bool = False  # what a build sees, instead of what is needed at run time
    uses_buildtree: bool = False  # the files that the build of the cached artifact left
    mounts: tuple[tuple[str, str], ...] = ()  # host path, and where it is to be seen
    is_isolated: bool = False  # as isolated as a build
    is_live: bool = False  # the directory of the workspace itself, where its files would be staged
    may_pull: bool = True  # whether what is missing is asked of remotes; not while a session runs


def shell(app: App, *, target: str, command: Sequence[str], options: ShellOptions) -> int:
    """Runs COMMAND, or the project's shell, for TARGET; gives its exit status.

    Raises:
        AppError: Something is missing; `Error launching shell: ...`.
    """
    try:
        return _Shell(app, command, options).run(target)
    except BstError as error:
        raise AppError(f"Error launching shell: {error}", detail=error.detail, reason=error.reason) from error


class _Shell:
    """One shell command."""

    def __init__(self, app: App, command: Sequence[str], options: ShellOptions) -> None:
        self._app = app
        self._command = list(command)
        self._options = options

    def run(self, target: str) -> int:
        targets = classify([target], accepts_artifacts=True)
        if targets.artifacts or targets.artifact_globs:
            return self._run_for_artifact(target)
        loaded = self._load(targets)
        record = loaded.pipeline.record(loaded.targets[0])
        with self._staged(loaded, record) as sandbox:
            if self._options.is_live:
                _mount_workspace(record.element, sandbox)
            return self._enter(record.label, sandbox)

    def _run_for_artifact(self, target: str) -> int:
        if not self._options.uses_buildtree:
            raise AppError(
                "Only buildtrees are supported with artifact names", reason="only-buildtrees-supported"
            )
        found = load_artifact_targets(self._app, [target])
        self._app.sharing.pulls_buildtrees = True
        view = self._check_buildtree(pull_named(self._app, found[0].ref) if found else None)
        artifact = RecordedArtifact(found[0].ref.split("/")[1], view)
        with self._buildtree_sandbox(artifact) as sandbox:
            return self._enter(ElementLabel(artifact.name, view.strong_key, True), sandbox)

    def _load(self, targets: Targets) -> LoadedTargets:
        app = self._app
        loader = app.open_project()
        names, _ = element_names(app, loader, targets)
        assert loader is not None, "element_names() complains where there is no project"
        if not names:
            raise AppError(f"No elements matched: {', '.join(targets.element_globs)}")
        return load_names(app, loader, names[:1])

    # staging

    @contextmanager
    def _staged(self, loaded: LoadedTargets, record: ElementRecord) -> "Iterator[LocalSandbox]":
        """The sandbox of an element, everything in place."""
        app, element = self._app, record.element
        if self._options.may_pull:
            app.connect(loaded.projects, artifacts=True, sources=self._options.is_build)
        if self._options.uses_buildtree:
            app.sharing.pulls_buildtrees = True
            self._obtain(loaded, [element])
            artifact = RecordedArtifact(element.full_name, self._check_buildtree(record.artifact))
            with self._buildtree_sandbox(artifact) as sandbox:
                yield sandbox
        elif self._options.is_build:
            dependencies = list(build_scope(element))
            query(app, loaded, [element])
            self._obtain(loaded, dependencies)
            _check_cached(loaded, dependencies)
            check_resolved([element])
            fetch_missing(app, [record])
            with self._build_sandbox(record) as sandbox:
                yield sandbox
        else:
            needed = list(run_scope([element]))
            self._obtain(loaded, needed)
            _check_cached(loaded, needed)
            with staged_sandbox(app.services, element, needed, integrates=True) as sandbox:
                yield sandbox

    def _obtain(self, loaded: LoadedTargets, elements: Sequence[ResolvedElement]) -> None:
        """Looks for the artifacts of ELEMENTS, and pulls what is not complete here."""
        query(self._app, loaded, elements, with_remotes=self._options.may_pull)
        pull_missing(self._app, loaded.pipeline, [loaded.pipeline.record(each) for each in elements])

    @contextmanager
    def _build_sandbox(self, record: ElementRecord) -> "Iterator[LocalSandbox]":
        """Exactly what a build would stage."""
        services, plugin = self._app.services, record.element.plugin
        record.dynamic_public = record.element.public.clone()
        with services.sandbox(record.element) as sandbox:
            sandbox.set_environment(dict(record.element.environment))
            with plugin_code(plugin, "configure_sandbox"):
                plugin.configure_sandbox(sandbox)
            with services.staging(sandbox), plugin_code(plugin, "stage"):
                plugin.stage(sandbox)
            yield sandbox

    @contextmanager
    def _buildtree_sandbox(self, artifact: RecordedArtifact) -> "Iterator[LocalSandbox]":
        app, view = self._app, artifact.view
        if not view.is_success:
            app.messenger.send(MessageType.WARN, "using a buildtree from a failed build.")
        with recorded_sandbox(app.services, app.artifacts, artifact, view.buildroot) as sandbox:
            state = view.build_sandbox
            if state is not None:
                if state.environment:  # else none was configured, and there is that of the element
                    sandbox.set_environment(dict(state.environment))
                for directory in state.marked_directories:
                    sandbox.mark_directory(directory)
                if state.working_directory:
                    sandbox.set_work_directory(state.working_directory)
            yield sandbox

    def _check_buildtree(self, artifact: ArtifactView | None) -> ArtifactView:
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

    def _enter(self, label: ElementLabel, sandbox: "LocalSandbox") -> int:
        settings = self._project_settings()
        environment = dict(sandbox._environment or {})
        environment["PS1"] = self._options.prompt(label)
        flags = _SandboxFlags.INTERACTIVE | _SandboxFlags.ROOT_READ_ONLY
        if not self._options.is_isolated:
            flags |= _SandboxFlags.NETWORK_ENABLED | _SandboxFlags.INHERIT_UID
            if settings is not None:
                environment.update(settings.environment)
                self._mount_host_files(settings, sandbox, label)
            self._mount_given(sandbox)
        command = self._command or (list(settings.command) if settings is not None else [])
        if not command:
            raise AppError("There is no default shell without a project: give a command")
        self._app.messenger.send(
            MessageType.STATUS, "Running command", detail=" ".join(command), element=label
        )
        cwd = sandbox._get_work_directory()
        return sandbox._run_with_flags(tuple(command), flags=flags, cwd=cwd, env={**environment, "PWD": cwd})

    def _project_settings(self) -> "ShellSettings | None":
        """What the toplevel project says of shells; None without a project."""
        loader = self._app.open_project()
        if loader is None:
            return None
        project = loader.projects[0]
        project.complete()
        assert project.second is not None, "the project is complete"
        return project.second.shell

    def _mount_host_files(
        self, settings: "ShellSettings", sandbox: "LocalSandbox", label: ElementLabel
    ) -> None:
        for host_file in settings.host_files:
            if os.path.exists(host_file.host_path):
                sandbox._add_host_mount(host_file.host_path, host_file.path)
            elif not host_file.is_optional:
                self._app.messenger.send(
                    MessageType.WARN,
                    f"Not mounting non-existing host file: {host_file.host_path}",
                    element=label,
                )

    def _mount_given(self, sandbox: "LocalSandbox") -> None:
        for host_path, path in self._options.mounts:
            if not os.path.isabs(path):
                raise AppError(f"The place of a mount must be an absolute path: {path}")
            sandbox._add_host_mount(os.path.abspath(host_path), path)


def _mount_workspace(element: ResolvedElement, sandbox: "LocalSandbox") -> None:
    """Shows the workspace of ELEMENT at its build root, to be changed from inside."""
    directory = workspace_directory(element)
    if directory is None:
        raise AppError(f"{element.full_name} has no open workspace to be shown live", reason="no-workspace")
    sandbox._add_host_mount(directory, element.variables.get("build-root") or "/")


def _check_cached(loaded: LoadedTargets, needed: Sequence[ResolvedElement]) -> None:
    """Checks that there are artifacts of NEEDED; those of failed builds will do."""
    missing = [e.full_name for e in needed if loaded.pipeline.record(e).artifact is None]
    if missing:
        raise AppError(
            "Elements need to be built or downloaded before staging a shell environment",
            detail="\n".join(missing),
            reason="shell-missing-deps",
        )
