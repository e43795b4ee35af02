"""Telling the observer of a session what its jobs do, as events."""

import os
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._model.events import (
    Event,
    JobFinished,
    JobOutcome,
    JobQueued,
    JobStarted,
    fault_of_reason,
)
from .._plan.record import ElementRecord

if TYPE_CHECKING:
    from .job import Job, JobResult


@dataclass(slots=True)
class JobWatch:
    """Makes events of what queues and jobs tell it; one object a session.

    Args:
        observe: Receives the events, in the thread of the job.
        clock: Seconds since the epoch.
        stored_bytes: What the calling thread has brought into the store since it runs.
    """

    observe: Callable[[Event], None]
    clock: Callable[[], float]
    stored_bytes: Callable[[], int]
    # when an element became ready in a queue, by its action; left when the job starts
    _ready_s: dict[tuple[str, ElementRecord], float] = field(default_factory=dict)
    _stored_before: dict[ElementRecord, int] = field(default_factory=dict)  # of running jobs

    def queued(self, action: str, record: ElementRecord) -> None:
        """RECORD waits for a job."""
        now_s = self.clock()
        self._ready_s[action, record] = now_s
        self.observe(JobQueued(now_s, record.element.full_name, action))

    def started(self, job: "Job") -> None:
        """An attempt of JOB begins, in the calling thread."""
        now_s = self.clock()
        action, record = job.queue.action, job.record
        ready_s = self._ready_s.pop((action, record), now_s)
        self._stored_before[record] = self.stored_bytes()
        self.observe(
            JobStarted(
                time_s=now_s,
                element=record.element.full_name,
                action=action,
                attempt=job.tries,
                waited_s=max(now_s - ready_s, 0.0),
                log=job.log_path,
            )
        )

    def finished(self, job: "Job", result: "JobResult") -> None:
        """The attempt of JOB that runs in the calling thread has ended with RESULT."""
        record, error = job.record, result.error
        before = self._stored_before.pop(record, 0)
        outcome = _OUTCOMES[result.status.name]
        if outcome is JobOutcome.RETRIED:
            self._ready_s[job.queue.action, record] = self.clock()
        self.observe(
            JobFinished(
                time_s=self.clock(),
                element=record.element.full_name,
                action=job.queue.action,
                attempt=job.tries,
                outcome=outcome,
                elapsed_s=job.elapsed_s,
                log=job.log_path,
                log_bytes=_size_of(job.log_path),
                stored_bytes=self.stored_bytes() - before,
                key=record.strong_key,
                error=None if error is None else str(error),
                fault=None if error is None else fault_of_reason(error.reason),
            )
        )


_OUTCOMES = {
    "OK": JobOutcome.SUCCEEDED,
    "SKIPPED": JobOutcome.SKIPPED,
    "FAILED": JobOutcome.FAILED,
    "FAILED_TEMPORARILY": JobOutcome.RETRIED,
    "TERMINATED": JobOutcome.TERMINATED,
}


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # the log could not be opened
