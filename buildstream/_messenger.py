"""How the engine tells what it does: complete messages to one sink, and to the log file of the job.

Every thread has a context: the job it runs, if any, and how deep it is inside
activities that silence what is nested in them.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from ._dataclass import dataclass
from ._exceptions import BstError
from ._model.events import Event, MessageSent, StepFinished, phase_of_step
from ._model.message import UNCONDITIONAL, ElementLabel, Message, MessageType
from ._tasklog import TaskLog, brief_key

ElementSource = ElementLabel | Callable[[], ElementLabel]


class SessionClock:
    """Seconds that stand still while the session is suspended or asks a question."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may pause while this thread reads
        self._lost_s = 0.0
        self._paused_at_s: float | None = None

    def now_s(self) -> float:
        """The time that counts for durations, in seconds."""
        with self._lock:
            reading_s = self._clock() if self._paused_at_s is None else self._paused_at_s
            return reading_s - self._lost_s

    def pause(self) -> None:
        """Stops the clock; does nothing if it stands already."""
        with self._lock:
            if self._paused_at_s is None:
                self._paused_at_s = self._clock()

    def resume(self) -> None:
        """Lets the clock run on from where it stood."""
        with self._lock:
            if self._paused_at_s is not None:
                self._lost_s += self._clock() - self._paused_at_s
                self._paused_at_s = None


class Task:
    """Progress of a simple task; `maximum` is None while unknown."""

    def __init__(
        self, name: str, now_s: Callable[[], float], on_progress: "Callable[[Task], None] | None"
    ) -> None:
        self.name = name
        self.started_s = now_s()  # on the session clock
        self.current = 0
        self.maximum: int | None = None
        self._now_s = now_s
        self._on_progress = on_progress

    def elapsed_s(self) -> float:
        """How long the task has been under way, in seconds."""
        return self._now_s() - self.started_s

    def set_maximum(self, maximum: int) -> None:
        """Tells how many subtasks there are."""
        self.maximum = maximum

    def advance(self, count: int = 1) -> None:
        """Tells that COUNT more subtasks are done."""
        self.current += count
        if self._on_progress is not None:
            self._on_progress(self)

    def summary(self) -> str | None:
        """`N subtasks processed`, or None if nothing was counted."""
        if self.maximum is not None:
            return f"{self.current} of {self.maximum} subtasks processed"
        return f"{self.current} subtasks processed" if self.current else None


@dataclass(slots=True)
class _Job:
    """What a thread knows of the job that it runs."""

    action: str
    element: ElementSource | None
    log: TaskLog | None
    depth: int = 0  # how many activities it is inside of


class _ThreadContext(threading.local):
    """One per thread: starts with no job and nothing silenced."""

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.silence_depth = 0


class Messenger:
    """Makes messages and hands them on; all methods may be called from any thread.

    Args:
        sink: Receives every message that no activity silences, in the thread that sends it.
        clock: Seconds since the epoch.
        version: Program version, for the first line of task logs.
        key_length: Characters of cache keys in task logs.
        subtask_report_s: Simple tasks that took at least this long tell how many subtasks they had.
        on_progress: Called at each progress of a simple task.

    Attributes:
        observer: Receives every event, in the thread where it happens; None if nobody wants events,
            which then cost nothing.
    """

    def __init__(
        self,
        sink: Callable[[Message], None],
        clock: Callable[[], float],
        *,
        version: str = "",
        key_length: int = 8,
        subtask_report_s: float = 3.0,
        on_progress: Callable[[Task], None] | None = None,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._session_clock = SessionClock(clock)
        self._version = version
        self._key_length = key_length
        self._subtask_report_s = subtask_report_s
        self._on_progress = on_progress
        self._context = _ThreadContext()
        self._open_logs: set[TaskLog] = set()
        self.observer: Callable[[Event], None] | None = None

    def clock_s(self) -> float:
        """Seconds since the epoch, as messages and events have them."""
        return self._clock()

    def brief(self, key: str) -> str:
        """The part of KEY that messages and the names of log files show."""
        return brief_key(key, self._key_length)

    def send(
        self,
        kind: MessageType,
        text: str,
        *,
        detail: str | None = None,
        element: ElementLabel | None = None,
        elapsed_s: float | None = None,
        log_path: str | None = None,
        is_scheduler: bool = False,
        is_sandbox_failure: bool = False,
    ) -> None:
        """Writes the message to the log of this thread's job and, unless it is silenced, to the sink."""
        job = self._context.job
        source = job.element if job is not None else None
        if (
            kind is MessageType.STATUS
            and self._context.silence_depth
            and detail is None
            and element is not None
        ):
            # nobody but the log sees it, and there is one for each artifact that is staged
            if job is not None and job.log is not None:
                job.log.write_status(element, text)
            return
        message = Message(
            kind=kind,
            text=text,
            detail=detail,
            element=element,
            task_element=source() if callable(source) else source,
            action=job.action if job is not None else None,
            elapsed_s=elapsed_s,
            log_path=log_path,
            is_scheduler=is_scheduler,
            is_sandbox_failure=is_sandbox_failure,
            created_s=self._clock(),
            pid=os.getpid(),
        )
        if job is not None and job.log is not None:
            job.log.write_message(message)
        if self._context.silence_depth == 0 or kind in UNCONDITIONAL:
            self._sink(message)
            if self.observer is not None and kind in UNCONDITIONAL:
                self.observer(_event_of_message(message))

    @contextmanager
    def diverted(self, sink: Callable[[Message], None]) -> Iterator[None]:
        """Messages of all threads go to SINK meanwhile."""
        previous, self._sink = self._sink, sink
        try:
            yield
        finally:
            self._sink = previous

    @contextmanager
    def activity(
        self,
        name: str,
        *,
        element: ElementLabel | None = None,
        detail: str | None = None,
        silent_nested: bool = False,
    ) -> Iterator[None]:
        """START now; at the end SUCCESS with the time taken, or FAILURE if a BstError passes.

        Any other exception passes without a message.
        """
        started_s = self.now_s()
        self.send(MessageType.START, name, detail=detail, element=element)
        try:
            with self._silenced(silent_nested), self._observed_step(name):
                yield
        except BstError:
            self.send(MessageType.FAIL, name, element=element, elapsed_s=self.now_s() - started_s)
            raise
        self.send(MessageType.SUCCESS, name, element=element, elapsed_s=self.now_s() - started_s)

    @contextmanager
    def _observed_step(self, name: str) -> Iterator[None]:
        """Tells the observer of the block as a step of this thread's job."""
        job = self._context.job
        if self.observer is None or job is None:
            yield
            return
        started_s = self.now_s()
        job.depth += 1
        is_success = False
        try:
            yield
            is_success = True
        finally:
            job.depth -= 1
            self.observer(
                StepFinished(
                    time_s=self._clock(),
                    element=_name_of(job.element) or "",
                    action=job.action,
                    step=name,
                    phase=phase_of_step(name),
                    depth=job.depth,
                    elapsed_s=self.now_s() - started_s,
                    is_success=is_success,
                )
            )

    @contextmanager
    def simple_task(self, name: str, *, full_name: str | None = None) -> Iterator[Task]:
        """An activity of the core that counts subtasks and silences what is nested in it.

        FULL_NAME is shown in the log lines, NAME in the status bar.
        """
        title = full_name or name
        task = Task(name, self.now_s, self._on_progress)
        self.send(MessageType.START, title)
        try:
            with self._silenced(True):
                yield task
        except BstError:
            self.send(MessageType.FAIL, title, elapsed_s=task.elapsed_s())
            raise
        elapsed_s = task.elapsed_s()
        detail = task.summary() if elapsed_s >= self._subtask_report_s else None
        self.send(MessageType.SUCCESS, title, detail=detail, elapsed_s=elapsed_s)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Keeps messages of this thread from the sink, those of unconditional kinds apart."""
        with self._silenced(True):
            yield

    @contextmanager
    def job(
        self, *, action: str, element: ElementSource | None, log_path: str | None, is_short: bool = False
    ) -> Iterator[None]:
        """Makes this thread run a job: its messages name ELEMENT and ACTION and are logged at LOG_PATH.

        ELEMENT may be a function, asked at each message, as the key may become
        known in the middle of a job.  LOG_PATH None means that the job has no log.
        The log of a job that IS_SHORT is written at its end.
        Raises OSError if the log can't be opened.
        """
        log = self._open_log(log_path, is_short=is_short) if log_path is not None else None
        outer = self._context.job
        self._context.job = _Job(action, element, log)
        try:
            yield
        finally:
            self._context.job = outer
            if log is not None:
                self._open_logs.discard(log)
                log.close()

    def task_log(self) -> IO[bytes] | None:
        """The unbuffered log file of this thread's job, for the output of commands; None outside of jobs."""
        job = self._context.job
        return job.log.file if job is not None and job.log is not None else None

    def note_termination(self) -> None:
        """Writes into every open task log that the program was terminated by force."""
        for log in tuple(self._open_logs):
            log.note_termination()

    def now_s(self) -> float:
        """The session clock, in seconds; only differences mean something."""
        return self._session_clock.now_s()

    def pause(self) -> None:
        """Stops the session clock, for a suspended program or an open prompt."""
        self._session_clock.pause()

    def resume(self) -> None:
        """Lets the session clock run on."""
        self._session_clock.resume()

    @contextmanager
    def _silenced(self, is_silent: bool) -> Iterator[None]:
        self._context.silence_depth += is_silent
        try:
            yield
        finally:
            self._context.silence_depth -= is_silent

    def _open_log(self, path: str, *, is_short: bool) -> TaskLog:
        log = TaskLog(
            path,
            version=self._version,
            key_length=self._key_length,
            created_s=self._clock(),
            is_short=is_short,
        )
        self._open_logs.add(log)
        return log


def _name_of(source: ElementSource | None) -> str | None:
    label = source() if callable(source) else source
    return None if label is None else label.full_name


def _event_of_message(message: Message) -> MessageSent:
    return MessageSent(
        time_s=message.created_s,
        kind=message.kind.value,
        text=message.text,
        detail=message.detail,
        element=_name_of(message.element or message.task_element),
        action=message.action,
    )
