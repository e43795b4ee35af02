"""What a session tells of itself: before it starts, while it runs, and when it is over."""

from collections.abc import Sequence

from .._dataclass import dataclass
from .elementrow import ElementView


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A cache server that applies to a project."""

    url: str
    push: bool
    kind: str  # "all", "index" or "storage"
    instance: str | None
    loaded_from: str  # "command line", or a file with line and column


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """A loaded project."""

    name: str
    junction_path: str | None = None  # full name of the junction; None for the top-level project
    loaded_by: str | None = None  # provenance of the junction's first use
    duplicated_by: tuple[str, ...] = ()  # who declares the junction a duplicate
    internal_to: tuple[str, ...] = ()  # who declares the junction internal
    options: tuple[tuple[str, str], ...] = ()  # name and value, sorted
    element_plugins: tuple[tuple[str, str], ...] = ()  # kind and origin, in order of first use
    source_plugins: tuple[tuple[str, str], ...] = ()  # kind and origin, in order of first use
    artifact_servers: tuple[RemoteServer, ...] = ()
    source_servers: tuple[RemoteServer, ...] = ()


@dataclass(frozen=True, slots=True)
class UserSettings:
    """The user configuration that holds for a session."""

    configuration_file: str | None  # absolute; None for the defaults
    cache_directory: str
    log_directory: str
    source_directory: str
    build_directory: str
    is_strict: bool
    fetchers: int
    builders: int
    pushers: int
    network_retries: int
    storage_service: str | None = None  # URL, with the instance if there is one


@dataclass(frozen=True, slots=True)
class SessionHeading:
    """What is shown before the first job starts."""

    version: str
    started_s: float  # seconds since the epoch
    targets: tuple[str, ...]  # names
    settings: UserSettings
    project: tuple[str, str] | None = None  # name and directory of the top-level project
    remote_execution: tuple[tuple[str, str], ...] = ()  # label, e.g. "Execution Service", and URL
    projects: tuple[ProjectFacts, ...] = ()  # in load order
    pipeline: Sequence[ElementView] = ()  # everything reachable from the targets, staging order


@dataclass(frozen=True, slots=True)
class QueueTally:
    """How many elements a queue has dealt with."""

    action: str  # e.g. "Build"
    complete_name: str  # e.g. "Built"
    processed: int
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """Where the time of a session went; all times in seconds."""

    elapsed_s: float  # from its announcement to its end
    work_s: float  # of all jobs together
    busy: float | None  # how much of the time builders had jobs, 0 to 1; None without a limit
    longest: tuple[tuple[str, str, float], ...]  # element, action and time, longest first
    path: tuple[tuple[str, str], ...]  # element and action of what the end waited for, in order
    path_s: float
    phases: tuple[tuple[str, float], ...]  # parts of jobs, longest first
    waited_s: float  # of all jobs, for their turn
    most_waited: tuple[str, float]  # element and time


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What is shown after the last job."""

    total: int  # elements reachable from the targets
    session: int  # elements that entered the first queue
    queues: tuple[QueueTally, ...]  # in queue order
    failed: tuple[str, ...] = ()  # full names of the elements with a job that failed for good
    changed: Sequence[ElementView] = ()  # elements whose key changed since the heading
    times: SessionTimes | None = None  # where the time went; None if that is not to be shown


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """Disk use of the local cache."""

    used_bytes: int
    quota_bytes: int | None = None  # the effective quota


@dataclass(frozen=True, slots=True)
class ActiveTask:
    """A job, or a task of the core, that is under way."""

    name: str  # "ACTION:FULLNAME" for a job
    elapsed_s: float
    current: int | None = None  # subtasks done
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """What the status bar shows."""

    elapsed_s: float
    project: str
    session: int
    total: int
    queues: tuple[QueueTally, ...]
    cache: CacheUsage | None  # None while unknown
    tasks: tuple[ActiveTask, ...]
    left_s: float | None = None  # about how long it still takes; None if nothing is known
