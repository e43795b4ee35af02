"""`bst build`: makes the artifacts of elements."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from .._act.build import Builder
from .._act.keyinputs import KeyInputStore
from .._act.retention import WorkspaceProjects
from .._load.workspaces import changing_workspaces
from .._load.workspacesource import workspace_directory
from .._model.message import MessageType
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord, SourceState
from .._plan.selection import build_plan_elements
from .._schedule.queue import Queue, Token
from .._schedule.works import BuildWork
from .app import App
from .jobs import fetch_queue, pull_queue, push_queue, source_push_queue
from .loading import LoadedTargets, check_resolved, load_elements, query
from .priorities import start_order
from .session import Session, announced


def build(app: App, *, elements: Sequence[str], deps: str | None, retry_failed: bool) -> None:
    """Builds ELEMENTS, or the default targets.

    Args:
        deps: none, build, run or all; None for what the user configuration says.
        retry_failed: Whether cached failures are built again.

    Raises:
        StreamError: Something failed.
    """
    deps = deps or app.settings.build_dependencies
    app.services.stores_local_files = True
    with announced(app, "Build") as started_s:
        loaded = load_elements(app, elements, ignores_junctions_by_default=True)
        app.connect(loaded.projects, artifacts=True, sources=True)
        retries = retry_failed or app.settings.retry_failed
        required = plan_build(app, loaded, deps, retries=retries, with_remotes=True)
        _store_local_files(app, loaded, deps)
    if any(app.services.has_workspace(record.element) for record in loaded.pipeline.records):
        WorkspaceProjects(app.paths.cache).note(loaded.projects[0].directory)
    queues = _queues(app, loaded, retries=retries)
    session = Session("Build", app, loaded, queues, start_order(app, loaded, deps), started_s)
    session.run(required)


def _store_local_files(app: App, loaded: LoadedTargets, deps: str) -> None:
    """Stores the local files of all that may be built: whoever edits them meanwhile gets what was there."""
    records = [
        record
        for record in map(loaded.pipeline.record, build_plan_elements(loaded.targets, deps))
        if record.element.sources and not record.is_cached and record.source_state is not SourceState.STAGED
    ]
    with app.messenger.silence():
        for record in records:
            app.sources.store_local_files(record)


def _queues(app: App, loaded: LoadedTargets, *, retries: bool) -> list[Queue]:
    """The queues of a build, those that exchange something only where there are remotes for it."""
    pipeline = loaded.pipeline
    builder = Builder(
        app.services,
        app.artifacts,
        app.settings.cache_buildtrees,
        KeyInputStore(app.paths.inputs),
        app.remote_execution(loaded.projects[0].name),
    )
    work = BuildWork(builder, pipeline, lambda record: _note_last_build(loaded, record))
    queues = [
        fetch_queue(app, skips_cached=True),
        Queue(
            "Build",
            "Built",
            Token.PROCESS,
            work,
            is_imperative=True,
            time_limit_s=app.settings.build_timeout_s,
        ),
    ]
    caches = [app.remotes.artifacts(project) for project in loaded.projects if project.second]
    if any(remotes.can_fetch for remotes in caches):
        discard = partial(_discard, app, pipeline, retries=retries)
        queues.insert(0, pull_queue(app, pipeline, is_optional=True, on_failed=discard))
    if any(remotes.can_push for remotes in caches):
        queues.append(push_queue(app, is_optional=True))
    if any(app.remotes.sources(project).can_push for project in loaded.projects if project.second):
        queues.append(source_push_queue(app, is_optional=True))
    return queues


def plan_build(
    app: App, loaded: LoadedTargets, deps: str, *, retries: bool, with_remotes: bool = False
) -> list[ElementRecord]:
    """Finds out what has to be in the cache in the end, in staging order.

    Args:
        app: The invocation.
        loaded: The targets and all they need.
        deps: none, build, run or all.
        retries: Whether cached failures are built again.
        with_remotes: Whether remotes are going to be asked for what is missing.
    """
    pipeline = loaded.pipeline
    considered = build_plan_elements(loaded.targets, deps)
    check_resolved(considered)
    discard = partial(_discard, app, pipeline, retries=retries)
    query(app, loaded, considered, with_remotes=with_remotes, on_failed=discard)
    pipeline.require(loaded.targets, deps)
    required = [record for record in map(pipeline.record, considered) if record.is_required]
    if any(
        record.element.plugin.BST_RUN_COMMANDS
        for record in required
        if not record.is_cached and not record.is_pull_pending
    ):
        # before anything is built: one clear error if no sandbox can be made here
        capabilities = app.services.probe.capabilities()
        app.messenger.send(
            MessageType.DEBUG,
            f"Sandboxes: {capabilities.bubblewrap}, roots made by {capabilities.method.value}",
        )
    return required


def _note_last_build(loaded: LoadedTargets, record: ElementRecord) -> None:
    """Records in the workspace of an element, if it has one, what the next build may go on from."""
    name = record.element.full_name
    directory = workspace_directory(record.element)
    if directory is None or record.artifact is None:
        return
    project = loaded.projects[0].directory
    with changing_workspaces(project) as workspaces:
        workspace = workspaces.get(name)
        # it may have been closed, or opened elsewhere, meanwhile
        if workspace is not None and workspace.directory(project) == directory:
            workspaces[name] = replace(workspace, last_build=record.artifact.strong_key)


def _discard(app: App, pipeline: Pipeline, record: ElementRecord, *, retries: bool) -> None:
    """Forgets the cached failure of RECORD if there is reason to build the element again."""
    key = record.strong_key
    if retries:
        reason = "because retrying failed builds is enabled."
    elif not pipeline.is_strict and key != record.keys.strict:
        reason = "in non strict mode because intermediate dependencies may have changed."
    else:
        return
    app.artifacts.note(record, None)
    record.strong_key = record.keys.strict if pipeline.is_strict else None
    app.messenger.send(
        MessageType.INFO,
        "Discarded failed build",
        detail=f"Discarded '{key}'\n{reason}",
        element=record.label,
    )
