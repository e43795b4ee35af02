"""The scheduler: moves elements through queues and runs jobs in threads.

Element state changes in the main thread only, which runs the event loop.  Jobs
wait for sandboxes and downloads in threads of their own; those that wait for nothing
run in the main thread.  Nothing is forked.
"""

import math
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from .._act.jobcontrol import CurrentJob
from .._config import OnError
from .._dataclass import dataclass
from .._messenger import Messenger
from .._model.message import MessageType
from .._plan.record import ElementRecord
from .crew import Crew
from .job import Job, JobResult, JobStatus
from .queue import Queue, Token
from .signals import ENDING_SIGNALS, SessionSignals

if TYPE_CHECKING:
    import asyncio

# how long terminated jobs may take before the program ends without them; their children are dead by
# then, so what is left waits for a server, or computes something that nobody will see
TERMINATION_LIMIT_S = 3.0
# how often the display is brought up to date
TICK_S = 1.0
# before a job is tried again after a failure that may be temporary; doubled each time
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
# after which a thread that computes lets another in: jobs compute little between their calls of the system,
# and each of them would wait for the usual 5 ms while another one is at it
SWITCH_INTERVAL_S = 0.0005
# jobs at once where the person sets no limit
MOST_JOBS = 64


class Decision(Enum):
    """What a person wants done after a failure or an interrupt."""

    CONTINUE = "continue"
    QUIT = "quit"
    TERMINATE = "terminate"
    RETRY = "retry"


@dataclass(slots=True)
class SchedulerSettings:
    """Limits and policies of a session."""

    tokens: Mapping[Token, int]  # 0 and less: no limit
    network_retries: int
    on_error: OnError  # what a failed job means for the others
    log_directory: str
    # asked in the main thread; None where nobody can be asked
    ask_on_failure: Callable[[Job, JobResult], Decision] | None = None
    ask_on_interrupt: Callable[[], Decision] | None = None
    # the block in which somebody else uses the terminal
    hold_display: Callable[[], AbstractContextManager[None]] = nullcontext
    # the block at the end of which what it tells is shown, all at once
    gather_display: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(slots=True)
class SessionResult:
    """How a session ended."""

    failed: list[tuple[ElementRecord, JobResult]] = field(default_factory=list)
    was_terminated: bool = False
    session_elements: int = 0  # those that entered the first queue


class Scheduler:
    """Runs one session.

    Args:
        queues: In the order that elements pass through them.
        settings: Limits and policies.
        messenger: Where messages go.
        current: Tells each thread which job it runs.
        priorities: Position of each element in the build plan; low ones start first.
        tick: Called about once a second while jobs run, for a status display.
    """

    def __init__(
        self,
        queues: Sequence[Queue],
        settings: SchedulerSettings,
        messenger: Messenger,
        current: CurrentJob,
        *,
        priorities: Callable[[ElementRecord], int],
        tick: Callable[[], None] | None = None,
    ) -> None:
        self.queues = queues
        self.settings = settings
        self.result = SessionResult()
        self.active: list[Job] = []  # in order of their start
        self._messenger = messenger
        self._current = current
        self._priorities = priorities
        self._tick = tick
        self._free = {token: count if count > 0 else MOST_JOBS for token, count in settings.tokens.items()}
        self._pausing: dict[Job, asyncio.TimerHandle] = {}  # active jobs, until they are tried again
        self._crew = Crew()
        self._is_quitting = False
        self._is_terminating = False
        self._give_up_s = math.inf  # by the clock of the loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signals: SessionSignals | None = None  # while the loop runs
        self._finished: asyncio.Event | None = None

    # elements

    def add(self, records: Iterable[ElementRecord]) -> None:
        """Lets RECORDS enter the first queue; may be called while the session runs."""
        for record in records:
            self.result.session_elements += 1
            self._enter(0, record)

    def _enter(self, position: int, record: ElementRecord) -> None:
        # not recursive: an element may be skipped by many queues
        while position < len(self.queues):
            skipped: list[ElementRecord] = []
            self.queues[position].enter(record, self._priorities(record), skipped.append)
            if not skipped:
                return
            self._release(record)
            position += 1

    def _release(self, record: ElementRecord) -> None:
        """Whoever waited for RECORD looks again."""
        for position, queue in enumerate(self.queues):
            for waiting in queue.release(record):
                self._enter(position, waiting)

    # the loop

    def run(self) -> SessionResult:
        """Runs until nothing is left to do, or until the session is quit or terminated."""
        if not any(queue.has_ready for queue in self.queues):
            return self.result  # nothing to do: no event loop, no threads
        import asyncio

        # an interrupt while asyncio sets itself up, or tears down, would leave a loop that complains
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            asyncio.run(self._run())
        finally:
            self._crew.dismiss()
            sys.setswitchinterval(interval_s)
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        return self.result

    async def _run(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        actions = {
            signal.SIGINT: self._on_interrupt,
            signal.SIGTSTP: self._on_suspend,
            **dict.fromkeys(ENDING_SIGNALS, self._on_ending_signal),
        }
        self._signals = SessionSignals(self._loop, actions)
        with self._signals.installed(), _interrupts_allowed():
            self._start_jobs()
            while self.active and self._loop.time() < self._give_up_s:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._finished.wait(), TICK_S)
                self._finished.clear()
                for job in self.active:
                    job.end_if_overdue()
                if self._tick:
                    self._tick()
            self._abandon_jobs()

    def _start_jobs(self) -> None:
        """Starts what can be started; later queues first, so that elements are finished early."""
        if self._is_terminating:
            return
        imperative = next((i for i, queue in enumerate(self.queues) if queue.is_imperative), len(self.queues))
        for position in reversed(range(len(self.queues))):
            if self._is_quitting and position <= imperative:
                continue
            queue = self.queues[position]
            while self._free.get(queue.token, 1) > 0:
                record = queue.pop()
                if record is None:
                    break
                self._free[queue.token] -= 1
                self._start(self._make_job(queue, record))

    def _make_job(self, queue: Queue, record: ElementRecord) -> Job:
        return Job(
            queue,
            record,
            self.settings.log_directory,
            self._messenger,
            self._current,
            max_tries=1 + self.settings.network_retries if queue.has_retries else 1,
        )

    def _start(self, job: Job) -> None:
        if job not in self.active:
            self.active.append(job)
        if job.queue.is_quick(job.record):
            assert self._loop is not None
            self._loop.call_soon(self._run_quick, job)
        else:
            self._crew.do(job.run, partial(self._announce, job))

    def _announce(self, job: Job, result: JobResult) -> None:
        """Tells the main thread from that of JOB how it ended."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the session has ended without this job
            self._loop.call_soon_threadsafe(self._job_done, job, result)

    def _run_quick(self, job: Job) -> None:
        """Runs JOB here: to wake a thread and then this one again would take longer than the job."""
        if job.queue.is_quick(job.record):  # still, whatever others have done meanwhile
            with self.settings.gather_display():
                result = job.run(is_quick=True)
            self._job_done(job, result)
        else:
            self._crew.do(job.run, partial(self._announce, job))

    def _job_done(self, job: Job, result: JobResult) -> None:
        if result.status is JobStatus.FAILED_TEMPORARILY and not self._is_terminating:
            self._start_later(job)
            return
        self._end(job, result)

    def _start_later(self, job: Job) -> None:
        """Starts JOB again after a pause, which is longer each time."""
        assert self._loop is not None
        pause_s = min(FIRST_PAUSE_S * 2 ** (job.tries - 1), LONGEST_PAUSE_S)

        def start() -> None:
            del self._pausing[job]
            self._start(job)

        self._pausing[job] = self._loop.call_later(pause_s, start)

    def _end(self, job: Job, result: JobResult) -> None:
        """Takes JOB, which has ended for good, off the list, and starts others."""
        assert self._finished is not None
        self.active.remove(job)
        self._free[job.queue.token] += 1
        self._settle(job, result)
        self._start_jobs()
        if not self.active:
            self._finished.set()

    def _settle(self, job: Job, result: JobResult) -> None:
        """Takes the result of a job that has ended for good into account."""
        queue, record = job.queue, job.record
        if result.status is JobStatus.OK:
            queue.processed += 1
        elif result.status in (JobStatus.SKIPPED, JobStatus.TERMINATED):
            queue.skipped += 1
        else:
            queue.failed += 1
            self.result.failed.append((record, result))
        if result.value is not None or result.status is JobStatus.OK:
            queue.work.finish(record, result.value)
        if result.status in (JobStatus.FAILED, JobStatus.FAILED_TEMPORARILY):
            self._on_failure(job, result)
        if result.status is not JobStatus.TERMINATED:
            self._enter(self.queues.index(queue) + 1, record)
            self._release(record)

    # policies and signals

    def _on_failure(self, job: Job, result: JobResult) -> None:
        if self._is_terminating or self._is_quitting:
            return
        decision = Decision(self.settings.on_error.value)
        ask = self.settings.ask_on_failure
        if ask is not None:
            decision = self._ask(lambda: ask(job, result))
        if decision is Decision.RETRY:
            self.result.failed.pop()
            job.queue.failed -= 1
            job.queue.push(job.record, self._priorities(job.record))
        else:
            self._decide(decision)

    def _ask(self, question: Callable[[], Decision]) -> Decision:
        """The answer to QUESTION; everything stands still meanwhile."""
        assert self._signals is not None
        self.suspend()
        try:
            with self._signals.default_actions():
                decision = question()
        except KeyboardInterrupt:  # just before or after the question
            decision = Decision.TERMINATE
        finally:
            self.resume()
        if self._signals.ended_by is not None:
            self._messenger.note_termination()
        return decision

    def _decide(self, decision: Decision) -> None:
        if decision is Decision.QUIT:
            self._is_quitting = True
        elif decision is Decision.TERMINATE:
            self.terminate()

    def _abandon_jobs(self) -> None:
        """Tells which jobs have not ended in time, although they were terminated."""
        for job in self.active:
            self._messenger.send(
                MessageType.WARN,
                f"{job.queue.action} did not end within {TERMINATION_LIMIT_S:.0f} seconds, it is left alone",
                element=job.record.label,
            )

    def terminate(self) -> None:
        """Ends all jobs now."""
        assert self._loop is not None
        if not self._is_terminating:
            self._give_up_s = self._loop.time() + TERMINATION_LIMIT_S
        self._is_terminating = True
        self.result.was_terminated = True
        for job in self.active:
            self._messenger.send(
                MessageType.STATUS, f"{job.queue.action} terminating", element=job.record.label
            )
            job.control.terminate()
        for job, timer in list(self._pausing.items()):
            timer.cancel()
            self._end(job, JobResult(JobStatus.TERMINATED))
        self._pausing.clear()

    def suspend(self) -> None:
        """Stops everything that runs; clocks stand still."""
        self._messenger.pause()
        for job in self.active:
            job.control.suspend()

    def resume(self) -> None:
        """Lets everything go on."""
        for job in self.active:
            job.control.resume()
        self._messenger.resume()

    def _on_interrupt(self) -> None:
        if self._is_terminating:
            return
        if self.settings.ask_on_interrupt is None:
            self.terminate()
            return
        self._decide(self._ask(self.settings.ask_on_interrupt))

    def _on_ending_signal(self) -> None:
        self._messenger.note_termination()
        self.terminate()

    def _on_suspend(self) -> None:
        assert self._signals is not None
        self.suspend()
        with self.settings.hold_display():
            self._signals.stop_process()
        self.resume()


@contextmanager
def _interrupts_allowed() -> Iterator[None]:
    """The block in which ^C comes through."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
