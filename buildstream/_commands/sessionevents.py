"""What a session tells machines: its plan, its jobs, its end; and what it remembers of durations."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .._load.resolved import ResolvedElement, pipeline_order
from .._model.events import (
    ElementPlanned,
    Event,
    JobFinished,
    JobOutcome,
    JobStarted,
    QueueCount,
    SessionFinished,
    SessionOutcome,
    SessionStarted,
    StepFinished,
)
from .._model.session import SessionTimes
from .._plan.decisions import decide
from .._plan.durations import JobTime
from .._plan.record import ElementRecord
from .._plan.story import TimedJob, tell_times
from .._schedule.queue import Queue
from .._schedule.scheduler import SessionResult
from .._schedule.watch import JobWatch
from .app import App

if TYPE_CHECKING:
    from .loading import LoadedTargets

Observer = Callable[[Event], None]


class SessionEvents:
    """The events of one session.

    They go to the observer of the messenger, if there is one, and, once there are jobs, to
    the log that is kept of each session.

    Args:
        app: Whose session it is.
        name: As it is shown: "Build", "Fetch".
        loaded: What it is about.
        queues: Are watched from now on.
    """

    def __init__(self, app: App, name: str, loaded: "LoadedTargets", queues: Sequence[Queue]) -> None:
        self._app = app
        self._name = name
        self._loaded = loaded
        self._queues = queues
        self._held: list[Event] | None = []  # what comes before the plan is told
        self._outer = app.messenger.observer
        self._session_log: Observer | None = None
        self._jobs: list[JobFinished] = []
        self.on_built: Callable[[str], None] | None = None  # told the name of each whose build has ended
        # by element and action
        self._waited_s: dict[tuple[str, str], float] = {}
        self._phases_s: dict[tuple[str, str], dict[str, float]] = {}
        self._projects = {element.full_name: element for element in loaded.pipeline.elements}
        app.messenger.observer = self._observe
        watch = JobWatch(self._observe, app.messenger.clock_s, lambda: app.cas.stored_bytes)
        for queue in queues:
            queue.watch = watch

    def begin(self, everything: Sequence[ResolvedElement], *, has_jobs: bool, loading_s: float) -> None:
        """Tells the plan for EVERYTHING, in staging order, then what was held back."""
        if has_jobs and self._app.open_session_log is not None:
            self._session_log = self._app.open_session_log(self._name)
        held, self._held = self._held or [], None
        if self._outer is None and self._session_log is None:
            return
        self._tell(self._started(len(everything), loading_s))
        for element in everything:
            self._tell(self._planned(self._loaded.pipeline.record(element)))
        for event in held:
            self._tell(event)

    def end(self, result: SessionResult, elapsed_s: float) -> None:
        """Tells how the session ended, and remembers how long its jobs took."""
        messenger = self._app.messenger
        outcome = SessionOutcome.SUCCEEDED
        if result.was_terminated:
            outcome = SessionOutcome.TERMINATED
        elif result.failed:
            outcome = SessionOutcome.FAILED
        self._tell(
            SessionFinished(
                time_s=messenger.clock_s(),
                session=self._name,
                outcome=outcome,
                elapsed_s=elapsed_s,
                queues=tuple(QueueCount(q.action, q.processed, q.skipped, q.failed) for q in self._queues),
                failed=tuple(dict.fromkeys(record.element.full_name for record, _ in result.failed)),
            )
        )
        self.close()
        self._remember()

    def times(self, elapsed_s: float) -> SessionTimes | None:
        """Where the time of the session, which took ELAPSED_S, went; None if it had no job."""
        names = dict.fromkeys(job.element for job in self._jobs)
        elements = [self._projects[name] for name in names if name in self._projects]
        # what jobs had to wait for can be reached from them
        scope = pipeline_order(elements)
        return tell_times(
            [self._timed(job) for job in self._jobs],
            {e.full_name: [child.full_name for child in e.build_dependencies] for e in scope},
            {e.full_name: [child.full_name for child in e.runtime_dependencies] for e in scope},
            elapsed_s=elapsed_s,
            builders=self._app.settings.builders,
        )

    def _timed(self, job: JobFinished) -> TimedJob:
        time = JobTime(job.element, job.action, job.time_s - job.elapsed_s, job.time_s)
        key = job.element, job.action
        return TimedJob(time, self._waited_s.get(key, 0.0), self._phases_s.get(key, {}))

    def close(self) -> None:
        """Leaves the messenger as it was; may be called again."""
        self._app.messenger.observer = self._outer

    def _observe(self, event: Event) -> None:
        self._note(event)
        if self._held is not None:
            self._held.append(event)
        else:
            self._tell(event)

    def _note(self, event: Event) -> None:
        """Takes down what the summary and the history need; each job is noted in one thread."""
        if isinstance(event, JobFinished):
            self._jobs.append(event)
            if event.action == "Build" and self.on_built is not None:
                self.on_built(event.element)
        elif isinstance(event, JobStarted):
            self._waited_s[event.element, event.action] = event.waited_s
        elif isinstance(event, StepFinished) and event.depth == 0:
            phases = self._phases_s.setdefault((event.element, event.action), {})
            phases[event.phase.value] = phases.get(event.phase.value, 0.0) + event.elapsed_s

    def _tell(self, event: Event) -> None:
        if self._outer is not None:
            self._outer(event)
        if self._session_log is not None:
            self._session_log(event)

    def _started(self, elements: int, loading_s: float) -> SessionStarted:
        app, project = self._app, next(iter(self._loaded.projects), None)
        return SessionStarted(
            time_s=app.messenger.clock_s(),
            session=self._name,
            project=project.name if project is not None else "",
            directory=project.directory if project is not None else "",
            targets=tuple(element.full_name for element in self._loaded.targets),
            elements=elements,
            fetchers=app.settings.fetchers,
            builders=app.settings.builders,
            pushers=app.settings.pushers,
            loading_s=loading_s,
        )

    def _planned(self, record: ElementRecord) -> ElementPlanned:
        element = record.element
        decision, reason = decide(record)
        timing = self._app.history.find(element.project_name, element.name, "build")
        return ElementPlanned(
            time_s=self._app.messenger.clock_s(),
            element=element.full_name,
            kind=element.kind,
            decision=decision,
            reason=reason,
            key=record.strong_key,
            build_dependencies=tuple(child.full_name for child in element.build_dependencies),
            runtime_dependencies=tuple(child.full_name for child in element.runtime_dependencies),
            expected_s=None if timing is None else timing.expected_s,
        )

    def _remember(self) -> None:
        history = self._app.history
        for job in self._jobs:
            element = self._projects.get(job.element)  # None for an artifact given by its name
            if element is not None and job.outcome is JobOutcome.SUCCEEDED:
                history.add(element.project_name, element.name, job.action, job.elapsed_s)
        history.save(self._app.messenger.clock_s())
