"""One job: the work of a queue for one element, in a thread, with its messages and its log."""

import os
import time
from collections.abc import Callable
from dataclasses import field
from enum import Enum

from .._act.jobcontrol import CurrentJob, JobControl
from .._dataclass import dataclass
from .._exceptions import BstError, JobTerminated, SandboxError
from .._messenger import Messenger
from .._model.message import MessageType
from .._plan.record import ElementRecord
from .._tasklog import local_time
from .queue import Queue, SkipJob


class JobStatus(Enum):
    """How a job ended."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"
    FAILED_TEMPORARILY = "failed temporarily"  # trying again may help
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job ended with."""

    status: JobStatus
    value: object = None  # what the work returned
    error: BstError | None = None


@dataclass(slots=True, eq=False)
class Job:
    """A job that runs or is about to.

    `run` is called in a thread of the pool; everything else in the main thread.
    """

    queue: Queue
    record: ElementRecord
    log_directory: str
    messenger: Messenger
    current: CurrentJob
    max_tries: int
    clock: Callable[[], float] = time.time
    control: JobControl = field(default_factory=JobControl)
    tries: int = 0
    log_path: str = ""
    started_s: float = 0.0  # on the session clock; 0: not yet
    has_expired: bool = False  # it was ended because it took too long

    def run(self, *, is_quick: bool = False) -> JobResult:
        """Does the work once, which waits for nothing if it IS_QUICK; never raises."""
        self.tries += 1
        self.log_path = self._make_log_path()
        self.started_s = self.messenger.now_s()
        watch = self.queue.watch
        if watch is None:
            return self._run_observed(is_quick=is_quick)
        watch.started(self)
        result = self._run_observed(is_quick=is_quick)
        watch.finished(self, result)
        return result

    @property
    def elapsed_s(self) -> float:
        """How long the present try has taken; 0 until its thread runs."""
        return self.messenger.now_s() - self.started_s if self.started_s else 0.0

    def end_if_overdue(self) -> None:
        """Ends the job if it has taken longer than its queue allows; it then fails by itself."""
        limit_s = self.queue.time_limit_s
        if 0.0 < limit_s < self.elapsed_s and not self.control.is_terminated:
            self.has_expired = True
            self.control.terminate()

    def _run_observed(self, *, is_quick: bool) -> JobResult:
        try:
            with (
                self.current.running(self.control),
                self.messenger.job(
                    action=self.queue.action,
                    element=lambda: self.record.label,
                    log_path=self.log_path,
                    is_short=is_quick,
                ),
            ):
                return self._run_logged()
        except OSError as error:
            self.messenger.send(
                MessageType.ERROR, f"Error opening log file: {error}", element=self.record.label
            )
            return JobResult(JobStatus.FAILED, error=BstError(f"Error opening log file: {error}"))

    def _run_logged(self) -> JobResult:
        self._send(MessageType.START, self.queue.action, is_timed=False)
        try:
            value = self.queue.work.run(self.record)
        except SkipJob as skip:
            self._send(MessageType.SKIPPED, str(skip))
            return JobResult(JobStatus.SKIPPED, skip.value)
        except JobTerminated:
            return self._terminated()
        except BstError as error:
            return self._failed(error, None)
        except Exception as error:  # noqa: BLE001 - reported as a bug, and the session goes on
            import traceback

            detail = "An unhandled exception occured:\n\n" + traceback.format_exc()
            self._send(MessageType.BUG, self.queue.action, detail=detail)
            return JobResult(JobStatus.FAILED, error=BstError(str(error)))
        failure = getattr(value, "error", None)
        if isinstance(failure, BstError):
            return self._failed(failure, value)
        self._send(MessageType.SUCCESS, self.queue.action)
        return JobResult(JobStatus.OK, value)

    def _terminated(self) -> JobResult:
        if not self.has_expired:
            self._send(MessageType.INFO, "Job terminated", is_timed=False)
            return JobResult(JobStatus.TERMINATED)
        error = SandboxError(
            f"{self.queue.action} took longer than {self.queue.time_limit_s:g} seconds",
            detail="It was ended. The failure is not kept: the next build tries again."
            " --build-timeout and 'build: timeout' of the user configuration set the limit.",
            reason="timeout",
        )
        self._send(MessageType.FAIL, str(error), detail=error.detail)
        return JobResult(JobStatus.FAILED, error=error)

    def _failed(self, error: BstError, value: object) -> JobResult:
        if self.control.is_terminated:
            return self._terminated()
        if error.temporary and self.tries < self.max_tries:
            self._send(MessageType.FAIL, f"Try #{self.tries} failed, retrying", detail=str(error))
            return JobResult(JobStatus.FAILED_TEMPORARILY, error=error)
        self._send(MessageType.FAIL, str(error), detail=error.detail, is_sandbox_failure=error.sandbox)
        return JobResult(JobStatus.FAILED, value, error)

    def _send(
        self,
        kind: MessageType,
        text: str,
        *,
        detail: str | None = None,
        is_timed: bool = True,
        is_sandbox_failure: bool = False,
    ) -> None:
        self.messenger.send(
            kind,
            text,
            detail=detail,
            element=self.record.label,
            elapsed_s=self.elapsed_s if is_timed else None,
            log_path=self.log_path,
            is_scheduler=True,
            is_sandbox_failure=is_sandbox_failure,
        )

    def _make_log_path(self) -> str:
        element = self.record.element
        stamp = local_time("%Y%m%d-%H%M%S", int(self.clock()))
        name = f"{self.messenger.brief(self.record.label.key)}-{self.queue.action.lower()}.{stamp}.log"
        return os.path.join(self.log_directory, element.project_name, element.plugin.normal_name, name)
