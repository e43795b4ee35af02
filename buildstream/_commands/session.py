"""A session: heading, scheduler, summary; what build and source fetch have in common."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .._dataclass import dataclass
from .._exceptions import BstError, StreamError
from .._load.pluginregistry import PluginType
from .._load.project import Project
from .._load.resolved import ResolvedElement, pipeline_order
from .._model.message import MessageType
from .._model.session import (
    ProjectFacts,
    QueueTally,
    RemoteServer,
    SessionHeading,
    SessionSummary,
    SessionTimes,
    UserSettings,
)
from .._plan.record import ElementRecord
from .._remotespec import RemoteSpec
from .._schedule.queue import Queue
from .._schedule.scheduler import Scheduler, SessionResult
from .app import App
from .cleaning import cleaning_in_background
from .jobs import make_scheduler
from .loading import LoadedTargets
from .priorities import time_left
from .sessionevents import SessionEvents
from .views import element_views


@contextmanager
def announced(app: App, name: str) -> Iterator[float]:
    """Announces the session NAME, and its failure if preparing it fails; gives when it started."""
    started_s = app.messenger.now_s()
    app.messenger.send(MessageType.START, name)
    try:
        yield started_s
    except BstError:
        app.messenger.send(MessageType.FAIL, name, elapsed_s=app.messenger.now_s() - started_s)
        raise


def warn_of_storage_service(app: App, what: str) -> None:
    """Warns that WHAT may be in the storage service alone, if there is one."""
    if app.settings.storage_service is not None:
        app.messenger.send(
            MessageType.WARN,
            f"Cache Storage Service is configured, {what} may not be available in the local cache",
        )


@dataclass(slots=True)
class Session:
    """A session that is about to run.

    Attributes:
        name: As it is shown: "Build", "Fetch".
        queues: In the order that elements pass through them.
        order: Every element the session may be about; those that come first start first.
        changes_keys: Whether sources get other refs, so that keys have to be computed again.
        named: Names of artifacts that are targets too.
    """

    name: str
    app: App
    loaded: LoadedTargets
    queues: Sequence[Queue]
    order: Sequence[ResolvedElement]
    started_s: float
    changes_keys: bool = False
    named: Sequence[str] = ()

    def run(self, initial: Sequence[ElementRecord]) -> None:
        """Shows the heading, runs INITIAL and whatever becomes required, shows the summary.

        Raises:
            StreamError: Some job failed, or the session was terminated.
        """
        app = self.app
        pipeline = self.loaded.pipeline
        everything = pipeline_order(self.loaded.targets)
        total = len(everything) + len(self.named)
        app.ui.show_heading(self._heading(everything))
        keys_before = {record: record.strong_key for record in pipeline.records}
        scheduler = make_scheduler(app, self.queues, self.order)
        events = SessionEvents(app, self.name, self.loaded, self.queues)
        app.ui.start_session(self.name, scheduler, total, self._guess(events, scheduler))
        pipeline.on_required = lambda record: scheduler.add([record])
        priorities = {element: position for position, element in enumerate(self.order)}
        scheduler.add(sorted(initial, key=lambda record: priorities.get(record.element, 0)))
        try:
            has_jobs = any(queue.has_ready for queue in self.queues)
            events.begin(everything, has_jobs=has_jobs, loading_s=app.messenger.now_s() - self.started_s)
            with cleaning_in_background(app), app.cas.trash_emptied_in_background():
                if has_jobs:
                    import asyncio  # noqa: F401 - that jobs need, while answers to what they need come in
                for queue in self.queues:
                    if queue.has_ready:
                        queue.settle()
                result = scheduler.run()
        finally:
            pipeline.on_required = None
            app.ui.end_session()
            events.close()
        elapsed_s = app.messenger.now_s() - self.started_s
        events.end(result, elapsed_s)
        # tools read the summary of sessions that nobody watches: it stays as they know it
        times = events.times(elapsed_s) if app.ui.can_ask else None
        self._report(result, total, keys_before, times)

    def _guess(self, events: SessionEvents, scheduler: Scheduler) -> Callable[[], float | None]:
        """What tells how long the session still takes, for who watches it."""
        app = self.app
        is_building = any(queue.action == "Build" for queue in self.queues)
        left = time_left(app, self.loaded, self.order) if is_building and app.ui.can_ask else None
        if left is None:
            return lambda: None
        events.on_built = left.end

        def left_s() -> float:
            jobs = [job for job in list(scheduler.active) if job.queue.action == "Build"]
            return left.left_s({job.record.element.full_name: job.elapsed_s for job in jobs})

        return left_s

    def _report(
        self,
        result: SessionResult,
        total: int,
        keys_before: dict[ElementRecord, str | None],
        times: SessionTimes | None,
    ) -> None:
        app = self.app
        elapsed_s = app.messenger.now_s() - self.started_s
        if result.was_terminated:
            app.messenger.send(MessageType.WARN, f"{self.name} Terminated")
        elif result.failed:
            app.messenger.send(MessageType.FAIL, self.name, elapsed_s=elapsed_s)
        else:
            app.messenger.send(MessageType.SUCCESS, self.name, elapsed_s=elapsed_s)
        if self.changes_keys:
            self.loaded.pipeline.recompute_keys()
        changed = [
            record.element
            for record, key in keys_before.items()
            if record.strong_key != key and (record.is_required or self.changes_keys)
        ]
        app.ui.show_summary(
            SessionSummary(
                total=total,
                session=result.session_elements,
                queues=tuple(
                    QueueTally(
                        queue.action, queue.complete_name, queue.processed, queue.skipped, queue.failed
                    )
                    for queue in self.queues
                ),
                failed=tuple(dict.fromkeys(record.element.full_name for record, _ in result.failed)),
                changed=element_views(app, self.loaded.pipeline, changed),
                times=times,
            )
        )
        if result.failed:
            error = result.failed[-1][1].error
            raise StreamError from error
        if result.was_terminated:
            raise StreamError

    # the heading

    def _heading(self, everything: Sequence[ResolvedElement]) -> SessionHeading:
        from .._version import __version__

        app = self.app
        settings = app.settings
        projects = self.loaded.projects
        return SessionHeading(
            version=__version__,
            started_s=time.time(),
            targets=(*(element.name for element in self.loaded.targets), *self.named),
            settings=UserSettings(
                configuration_file=settings.configuration_file,
                cache_directory=settings.cache_directory,
                log_directory=settings.log_directory,
                source_directory=settings.source_directory,
                build_directory=app.paths.build,
                is_strict=self.loaded.pipeline.is_strict,
                fetchers=settings.fetchers,
                builders=settings.builders,
                pushers=settings.pushers,
                network_retries=settings.network_retries,
                storage_service=_service_text(settings.storage_service),
            ),
            project=(projects[0].name, projects[0].directory) if projects else None,
            remote_execution=_execution_services(app, projects[0].name) if projects else (),
            projects=tuple(_project_facts(app, project) for project in projects),
            pipeline=element_views(app, self.loaded.pipeline, everything),
        )


def _project_facts(app: App, project: Project) -> ProjectFacts:
    junction = project.junction

    def used(plugin_type: PluginType) -> tuple[tuple[str, str], ...]:
        return tuple((loaded.kind, loaded.display) for loaded in project.registries[plugin_type].loaded())

    return ProjectFacts(
        name=project.name,
        junction_path=junction.full_name if junction else None,
        loaded_by=junction.requested_by if junction else None,
        duplicated_by=project.duplicated_by,
        internal_to=project.internal_to,
        options=tuple(project.options.printable()),
        element_plugins=used(PluginType.ELEMENT),
        source_plugins=used(PluginType.SOURCE),
        artifact_servers=_servers(app.remotes.connected_artifact_specs(project)),
        source_servers=_servers(app.remotes.connected_source_specs(project)),
    )


def _execution_services(app: App, project_name: str) -> tuple[tuple[str, str], ...]:
    """Label and address of the services that run builds of the toplevel project PROJECT_NAME."""
    settings = app.settings.remote_execution(project_name)
    if settings is None:
        return ()
    services = (
        ("Execution Service", settings.execution_service),
        ("Storage Service", settings.storage_service or app.settings.storage_service),
        ("Action Cache Service", settings.action_cache_service),
    )
    return tuple((label, text) for label, spec in services if (text := _service_text(spec)) is not None)


def _service_text(spec: RemoteSpec | None) -> str | None:
    if spec is None:
        return None
    return f"{spec.url} (instance: {spec.instance_name})" if spec.instance_name else spec.url


def _servers(specs: Sequence[RemoteSpec]) -> tuple[RemoteServer, ...]:
    return tuple(
        RemoteServer(spec.url, spec.push, spec.type.value, spec.instance_name, spec.loaded_from)
        for spec in specs
    )
