"""What the engine tells the person: one immutable value a message."""

from enum import Enum

from .._dataclass import dataclass


class MessageType(Enum):
    """Kind of a message; the value is the word shown in a log line."""

    DEBUG = "debug"
    STATUS = "status"
    INFO = "info"
    WARN = "warning"
    START = "start"
    SUCCESS = "success"
    SKIPPED = "skipped"
    FAIL = "failure"
    ERROR = "error"
    BUG = "bug"
    LOG = "log"

    __hash__ = object.__hash__  # the one of Enum is written in python, and looked for with each message


# shown even inside an activity that silences what is nested in it
UNCONDITIONAL = frozenset(
    {MessageType.INFO, MessageType.WARN, MessageType.FAIL, MessageType.ERROR, MessageType.BUG}
)


@dataclass(frozen=True, slots=True)
class ElementLabel:
    """How an element is named in messages."""

    full_name: str
    key: str  # display key: 64 hex digits, or 64 question marks while unknown
    is_strict: bool  # whether KEY is the strict key


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the engine, complete: rendering needs nothing else."""

    kind: MessageType
    text: str
    detail: str | None = None
    element: ElementLabel | None = None  # whom it is about
    task_element: ElementLabel | None = None  # whose job it was emitted in
    action: str | None = None  # queue action of that job, e.g. "Build"
    elapsed_s: float | None = None
    log_path: str | None = None  # absolute path of the job's log file
    is_scheduler: bool = False  # emitted by the job machinery itself: START, SUCCESS, FAIL of a job
    is_sandbox_failure: bool = False  # a failure that can be debugged in a shell
    created_s: float = 0.0  # seconds since the epoch
    pid: int = 0
