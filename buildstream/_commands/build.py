"""`bst build`: makes the artifacts of elements."""

from collections.abc import Sequence

from .._act.build import Builder
from .._load.resolved import pipeline_order
from .._model.message import MessageType
from .._plan.selection import depth_order
from .._schedule.queue import Queue, Token
from .._schedule.works import BuildWork, FetchWork
from .app import App
from .loading import check_resolved, load_elements, query
from .session import Session


def build(app: App, *, elements: Sequence[str], deps: str | None, retry_failed: bool) -> None:
    """Builds ELEMENTS, or the default targets.

    Args:
        deps: none, build, run or all; None for what the user configuration says.
        retry_failed: Whether cached failures are built again.

    Raises:
        StreamError: Something failed.
    """
    deps = deps or app.settings.build_dependencies
    started_s = app.messenger.now_s()
    app.messenger.send(MessageType.START, "Build")
    loaded = load_elements(app, elements, ignores_junctions_by_default=True)
    pipeline = loaded.pipeline
    everything = pipeline_order(loaded.targets)
    query(
        app,
        loaded,
        everything,
        discards_failures=retry_failed or app.settings.retry_failed,
    )
    pipeline.require(loaded.targets, deps)
    required = [pipeline.record(element) for element in everything if pipeline.record(element).is_required]
    to_build = [record for record in required if not record.is_cached]
    check_resolved([record.element for record in required])
    if any(record.element.plugin.BST_RUN_COMMANDS for record in to_build):
        # before anything is built: one clear error if no sandbox can be made here
        app.services.probe.capabilities()
    builder = Builder(app.services, app.artifacts, app.settings.cache_buildtrees)
    queues = [
        Queue(
            "Fetch",
            "Sources Fetched",
            Token.DOWNLOAD,
            FetchWork(app.sources, skips_cached=True),
            has_retries=True,
        ),
        Queue("Build", "Built", Token.PROCESS, BuildWork(builder, pipeline), is_imperative=True),
    ]
    session = Session("Build", app, loaded, queues, depth_order(loaded.targets, deps), started_s)
    session.run(required)
