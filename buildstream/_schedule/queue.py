"""One stage that elements pass through, such as Fetch or Build."""

import heapq
from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from .._dataclass import dataclass
from .._plan.record import ElementRecord

if TYPE_CHECKING:
    from .watch import JobWatch


class Token(Enum):
    """What a running job takes one of."""

    DOWNLOAD = "download"
    PROCESS = "process"
    UPLOAD = "upload"


class QueueStatus(Enum):
    """What a queue has to do for an element that enters it."""

    SKIP = "skip"  # nothing: the element moves on
    READY = "ready"  # a job can start
    PENDING = "pending"  # something else has to be done first


class SkipJob(Exception):
    """Raised by the work of a job that found nothing to do.

    Args:
        text: What was skipped.
        value: What it found out all the same: handed to `Work.finish`, unless it is None.
    """

    def __init__(self, text: str, value: object = None) -> None:
        super().__init__(text)
        self.value = value


class Work(Protocol):
    """What the jobs of a queue do; one object a queue."""

    def status(self, record: ElementRecord) -> QueueStatus:
        """What is to be done for RECORD; called in the main thread."""

    def run(self, record: ElementRecord) -> object:
        """Does the work, in a thread; what it returns is handed to `finish`."""

    def finish(self, record: ElementRecord, result: object) -> None:
        """Notes the result in the record, in the main thread."""

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        """While PENDING: an element whose end RECORD has to wait for."""


@dataclass(slots=True, eq=False)
class Queue:
    """A stage: the elements that wait in it, and counts of what became of the others."""

    action: str  # as shown: "Fetch"
    complete_name: str  # of the finished work, as shown: "Sources Fetched"
    token: Token
    work: Work
    is_imperative: bool = False  # the stage the command is about; `quit` stops it and those before it
    has_retries: bool = False
    time_limit_s: float = 0.0  # how long a job may take; 0: as long as it wants
    processed: int = 0
    skipped: int = 0
    failed: int = 0
    # whether the job of an element waits for nothing: it needs no thread
    is_quick: Callable[[ElementRecord], bool] = lambda _: False
    # waits a moment for what makes jobs quick; called when the first elements are in the queue
    settle: Callable[[], None] = lambda: None
    watch: "JobWatch | None" = None  # told of elements that are ready, and of their jobs
    _ready: list[tuple[int, int, ElementRecord]] = field(default_factory=list)
    _arrivals: int = 0
    # blocker -> the elements that wait for it
    _waiting: dict[ElementRecord, list[ElementRecord]] = field(default_factory=dict)

    def enter(self, record: ElementRecord, priority: int, pass_on: Callable[[ElementRecord], None]) -> None:
        """Takes RECORD in, or hands it to PASS_ON at once if there is nothing to do for it."""
        status = self.work.status(record)
        if status is QueueStatus.SKIP:
            self.skipped += 1
            pass_on(record)
        elif status is QueueStatus.READY:
            self.push(record, priority)
        else:
            blocker = self.work.blocker(record)
            if blocker is not None:
                self._waiting.setdefault(blocker, []).append(record)

    def push(self, record: ElementRecord, priority: int) -> None:
        """Makes RECORD ready for a job; the lowest PRIORITY starts first."""
        heapq.heappush(self._ready, (priority, self._arrivals, record))
        self._arrivals += 1
        if self.watch is not None:
            self.watch.queued(self.action, record)

    @property
    def has_ready(self) -> bool:
        """Whether an element waits for a job."""
        return bool(self._ready)

    def pop(self) -> ElementRecord | None:
        """The next element to start a job for, None if there is none."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    def release(self, blocker: ElementRecord) -> list[ElementRecord]:
        """The elements that waited for BLOCKER, to enter again."""
        return self._waiting.pop(blocker, [])
