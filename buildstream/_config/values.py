"""The user configuration as values, section by section."""

from collections.abc import Mapping
from enum import Enum

from .._dataclass import dataclass
from .._load.settings import ProjectOverride
from .._remotespec import CacheSettings, RemoteExecutionSettings, RemoteSpec


class OnError(Enum):
    """What a session does after a job failed."""

    CONTINUE = "continue"  # all that does not need what failed
    QUIT = "quit"  # finish the running jobs
    TERMINATE = "terminate"  # stop at once


class CacheBuildtrees(Enum):
    """When the build tree becomes part of an artifact."""

    ALWAYS = "always"
    AUTO = "auto"  # failed builds and workspaces
    NEVER = "never"


class Durability(Enum):
    """What survives a loss of power."""

    SAFE = "safe"  # everything that a name refers to is on the disk before the name is
    FAST = "fast"  # the system writes when it likes


class SourceUriPolicy(Enum):
    """Which places an aliased URL is looked for at."""

    ALL = "all"  # mirrors, then the alias itself
    ALIASES = "aliases"
    MIRRORS = "mirrors"
    USER = "user"  # mirrors of the user configuration


@dataclass(frozen=True, slots=True)
class DiskShare:
    """An amount of disk space: in bytes, or as a share of the volume; one of them is None."""

    size_bytes: int | None
    percent: float | None


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """Section `cache`."""

    quota: DiskShare | None  # None: no limit
    reserved_disk_space: DiskShare
    low_watermark_percent: float  # of the quota; what a clean-up leaves
    pull_buildtrees: bool
    cache_buildtrees: CacheBuildtrees
    durability: Durability
    storage_service: RemoteSpec | None


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """Section `scheduler`."""

    fetchers: int
    builders: int
    pushers: int
    network_retries: int
    on_error: OnError


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """Section `build`."""

    max_jobs: int  # 0: automatic, see `effective_max_jobs`
    jobserver: int  # jobs of make that all builds together may run at once; 0: each as it wants
    timeout_s: int  # how long one build may take; 0: as long as it wants
    retry_failed: bool
    dependencies: str  # none, run or all


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """Section `logging`."""

    key_length: int
    verbose: bool
    debug: bool
    error_lines: int
    message_lines: int
    throttle_ui_updates: bool
    element_format: str
    message_format: str


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """One entry of `projects`; None where it says nothing."""

    loading: ProjectOverride
    strict: bool | None = None
    artifacts: CacheSettings | None = None
    source_caches: CacheSettings | None = None
    remote_execution: RemoteExecutionSettings | None = None


@dataclass(frozen=True, slots=True)
class UserConfig:
    """The whole user configuration, defaults filled in.  All directories are absolute host paths."""

    path: str | None  # absolute; None: built-in defaults alone
    sourcedir: str
    cachedir: str
    logdir: str
    workspacedir: str  # "." stands for the working directory
    cache: CacheConfig
    scheduler: SchedulerConfig
    build: BuildConfig
    fetch_policy: SourceUriPolicy
    track_policy: SourceUriPolicy
    logging: LoggingConfig
    artifacts: CacheSettings
    source_caches: CacheSettings
    remote_execution: RemoteExecutionSettings | None
    projects: Mapping[str, ProjectConfig]  # by project name
