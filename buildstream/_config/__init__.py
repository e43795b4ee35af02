"""The user configuration."""

from .locations import environment_with_defaults, find_user_config
from .reading import effective_max_jobs, load_user_config
from .values import (
    BuildConfig,
    CacheBuildtrees,
    CacheConfig,
    DiskShare,
    Durability,
    LoggingConfig,
    OnError,
    ProjectConfig,
    SchedulerConfig,
    SourceUriPolicy,
    UserConfig,
)

__all__ = [
    "BuildConfig",
    "CacheBuildtrees",
    "CacheConfig",
    "DiskShare",
    "Durability",
    "LoggingConfig",
    "OnError",
    "ProjectConfig",
    "SchedulerConfig",
    "SourceUriPolicy",
    "UserConfig",
    "effective_max_jobs",
    "environment_with_defaults",
    "find_user_config",
    "load_user_config",
]
