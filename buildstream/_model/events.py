"""What happens in the engine, as values for machines: one a moment, complete in itself.

These are the records of the event log (doc/source/using_events.rst, which has a table a class).
A field that is None is not known, and is left out of the log.
"""

from enum import Enum
from typing import ClassVar

from .._dataclass import dataclass

EVENT_LOG_VERSION = 1  # grows when a field changes its meaning or goes; new fields and events may come


class Decision(Enum):
    """What a session is going to do for an element."""

    CACHED = "cached"  # nothing: the artifact is there
    PULL = "pull"  # a remote has the artifact
    BUILD = "build"
    FAILED = "failed"  # show the failure that is cached
    NOT_NEEDED = "not-needed"  # nothing: nobody wants its artifact
    UNDECIDED = "undecided"  # depends on what others turn out to be


class JobOutcome(Enum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    RETRIED = "retried"  # failed, and is tried again
    TERMINATED = "terminated"


class SessionOutcome(Enum):
    """How a session ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TERMINATED = "terminated"


class MachineFault(Enum):
    """What was wrong with the machine, not with what was built."""

    OUT_OF_MEMORY = "out-of-memory"
    DISK_FULL = "disk-full"
    KILLED = "killed"  # by somebody else
    TIMEOUT = "timeout"
    SANDBOX = "sandbox"  # could not be set up


class Phase(Enum):
    """Which part of a job a step belongs to."""

    STAGING = "staging"
    COMMANDS = "commands"
    CAPTURE = "capture"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LogStarted:
    """The first line of every log."""

    name: ClassVar[str] = "log-started"
    time_s: float  # seconds since the epoch, here and in all other events
    version: int  # EVENT_LOG_VERSION
    program: str  # version of bst
    pid: int


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """Everything is loaded and the caches have been asked; jobs are about to start."""

    name: ClassVar[str] = "session-started"
    time_s: float
    session: str  # "Build", "Fetch", ...
    project: str  # "" without a project
    directory: str  # of the project, absolute
    targets: tuple[str, ...]
    elements: int  # that the targets reach
    fetchers: int  # how many jobs may run at once; 0: no limit
    builders: int
    pushers: int
    loading_s: float  # since the session was announced


@dataclass(frozen=True, slots=True)
class ElementPlanned:
    """What was decided for an element, once for each that the targets reach."""

    name: ClassVar[str] = "element-planned"
    time_s: float
    element: str  # full name
    kind: str
    decision: Decision
    reason: str  # one sentence
    key: str | None  # None while not known
    build_dependencies: tuple[str, ...]  # direct
    runtime_dependencies: tuple[str, ...]
    expected_s: float | None = None  # how long its build took before


@dataclass(frozen=True, slots=True)
class JobQueued:
    """All that a job needs is there; it waits for its turn."""

    name: ClassVar[str] = "job-queued"
    time_s: float
    element: str
    action: str  # "Fetch", "Build", ...


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job runs."""

    name: ClassVar[str] = "job-started"
    time_s: float
    element: str
    action: str
    attempt: int  # from 1
    waited_s: float  # since it was queued, or since the last attempt
    log: str  # absolute path


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A part of a job has ended."""

    name: ClassVar[str] = "step-finished"
    time_s: float
    element: str
    action: str
    step: str  # as in the log: "Running commands"
    phase: Phase
    depth: int  # 0 for steps that are not inside another one
    elapsed_s: float
    is_success: bool


@dataclass(frozen=True, slots=True)
class JobFinished:
    """A job has ended."""

    name: ClassVar[str] = "job-finished"
    time_s: float
    element: str
    action: str
    attempt: int
    outcome: JobOutcome
    elapsed_s: float  # without what it waited for
    log: str
    log_bytes: int
    stored_bytes: int  # new contents that the job brought into the store
    key: str | None = None  # strong key; None while unknown
    error: str | None = None
    fault: MachineFault | None = None


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A message to the person, of the kinds info, warning, failure, error and bug."""

    name: ClassVar[str] = "message"
    time_s: float
    kind: str
    text: str
    detail: str | None = None
    element: str | None = None
    action: str | None = None  # of the job that it was sent in


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many elements a queue has dealt with."""

    action: str
    processed: int
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class SessionFinished:
    """No job runs any more."""

    name: ClassVar[str] = "session-finished"
    time_s: float
    session: str
    outcome: SessionOutcome
    elapsed_s: float  # since the session was announced
    queues: tuple[QueueCount, ...]
    failed: tuple[str, ...] = ()  # full names


Event = (
    LogStarted
    | SessionStarted
    | ElementPlanned
    | JobQueued
    | JobStarted
    | StepFinished
    | JobFinished
    | MessageSent
    | SessionFinished
)

EVENT_TYPES: tuple[type[Event], ...] = (
    LogStarted,
    SessionStarted,
    ElementPlanned,
    JobQueued,
    JobStarted,
    StepFinished,
    JobFinished,
    MessageSent,
    SessionFinished,
)

_PHASES = {
    "Staging dependencies": Phase.STAGING,
    "Staging sources": Phase.STAGING,
    "Integrating sandbox": Phase.COMMANDS,
    "Running commands": Phase.COMMANDS,
    "Caching artifact": Phase.CAPTURE,
}


def phase_of_step(step: str) -> Phase:
    """The phase of the activity named STEP, which may have a location behind it."""
    return _PHASES.get(step.partition(" at: ")[0], Phase.OTHER)


_FAULTS = {
    "out-of-memory": MachineFault.OUT_OF_MEMORY,
    "disk-full": MachineFault.DISK_FULL,
    "cache-too-full": MachineFault.DISK_FULL,
    "sandbox-killed": MachineFault.KILLED,
    "launcher-lost": MachineFault.KILLED,
    "command-killed": MachineFault.KILLED,
    "timeout": MachineFault.TIMEOUT,
    "sandbox-setup-failed": MachineFault.SANDBOX,
    "unavailable-local-sandbox": MachineFault.SANDBOX,
}


def fault_of_reason(reason: object) -> MachineFault | None:
    """The fault of the machine that an error with REASON tells of, None if it tells of none."""
    return _FAULTS.get(reason) if isinstance(reason, str) else None
