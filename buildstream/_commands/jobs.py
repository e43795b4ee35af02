"""Running jobs for a command: the scheduler as the user wants it, and fetches that come without a session."""

from collections.abc import Callable, Sequence

from .._config import OnError
from .._exceptions import StreamError
from .._load.resolved import ResolvedElement
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord
from .._schedule.artifactworks import PullWork, PushWork
from .._schedule.queue import Queue, QueueStatus, Token
from .._schedule.scheduler import Scheduler, SchedulerSettings
from .._schedule.sourceworks import SourcePushWork
from .._schedule.works import FetchWork, OriginalsWork
from .app import App


def make_scheduler(app: App, queues: Sequence[Queue], order: Sequence[ResolvedElement]) -> Scheduler:
    """A scheduler within the user's limits, in which elements that come first in ORDER start first."""
    settings = app.settings
    is_asking = app.ui.can_ask
    priorities = {element: position for position, element in enumerate(order)}
    scheduler = Scheduler(
        queues,
        SchedulerSettings(
            tokens={
                Token.DOWNLOAD: settings.fetchers,
                Token.PROCESS: settings.builders,
                Token.UPLOAD: settings.pushers,
            },
            network_retries=settings.network_retries,
            on_error=OnError(settings.on_error),
            log_directory=settings.log_directory,
            ask_on_failure=app.ui.ask_on_failure if is_asking and app.ui.asks_on_failure else None,
            hold_display=app.ui.hold,
            gather_display=app.ui.gather,
            ask_on_interrupt=app.ui.ask_on_interrupt if is_asking else None,
        ),
        app.messenger,
        app.services.jobs,
        priorities=lambda record: priorities.get(record.element, len(priorities)),
        tick=lambda: app.ui.tick(scheduler),
    )
    return scheduler


def fetch_queue(app: App, *, skips_cached: bool = False) -> Queue:
    """The queue that makes sources present: for their own sake, or for builds of what is not cached."""
    work = FetchWork(app.sources, skips_cached=skips_cached)
    return Queue("Fetch", "Sources Fetched", Token.DOWNLOAD, work, has_retries=True, is_quick=work.is_quick)


def pull_queue(
    app: App,
    pipeline: Pipeline,
    *,
    is_optional: bool,
    on_failed: Callable[[ElementRecord], None] = lambda _: None,
) -> Queue:
    """The queue that asks remotes for artifacts; see PullWork."""
    work = PullWork(app.sharing, pipeline, is_optional=is_optional, on_failed=on_failed)
    return Queue(
        "Pull",
        "Artifacts Pulled",
        Token.DOWNLOAD,
        work,
        has_retries=True,
        is_quick=work.is_quick,
        settle=work.settle,
    )


def push_queue(app: App, *, is_optional: bool) -> Queue:
    """The queue that gives artifacts to remotes; see PushWork."""
    work = PushWork(app.sharing, is_optional=is_optional)
    return Queue("Push", "Artifacts Pushed", Token.UPLOAD, work, has_retries=True)


def source_push_queue(app: App, *, is_optional: bool) -> Queue:
    """The queue that gives sources to remotes; see SourcePushWork."""
    work = SourcePushWork(
        app.sources, app.source_sharing, app.services.has_workspace, is_optional=is_optional
    )
    return Queue("Src-push", "Sources Pushed", Token.UPLOAD, work, has_retries=True)


def fetch_originals(app: App, records: Sequence[ElementRecord]) -> None:
    """Fetches what the sources of RECORDS are made of, where it is not there: workspaces need it.

    Raises:
        StreamError: Something could not be fetched, or the user ended the command.
    """
    work = OriginalsWork(app.sources)
    missing = [record for record in records if work.status(record) is QueueStatus.READY]
    if missing:
        run_alone(app, Queue("Fetch", "Sources Fetched", Token.DOWNLOAD, work, has_retries=True), missing)


def run_alone(app: App, queue: Queue, records: Sequence[ElementRecord]) -> None:
    """Has RECORDS pass through QUEUE, without a session.

    Raises:
        StreamError: A job failed, or the user ended the command.
    """
    scheduler = make_scheduler(app, [queue], [record.element for record in records])
    scheduler.add(records)
    result = scheduler.run()
    if result.failed:
        raise StreamError from result.failed[-1][1].error
    if result.was_terminated:
        raise StreamError
