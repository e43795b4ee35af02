"""The user configuration: buildstream.conf, read once at the start of a command."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ._exceptions import LoadError
from ._load.settings import ProjectOverride
from ._load.yaml import load_file
from ._remotespec import (
    CacheSettings,
    PathExpansion,
    RemoteExecutionSettings,
    RemoteSpec,
    cache_settings_from_node,
    relative_to,
    remote_execution_from_node,
    remote_spec_from_node,
)
from .exceptions import LoadErrorReason
from .node import MappingNode, Node

_FILE_NAMES = ("buildstream2.conf", "buildstream.conf")

_DEFAULTS: dict[str, Any] = {
    "sourcedir": "${XDG_CACHE_HOME}/buildstream/sources",
    "cachedir": "${XDG_CACHE_HOME}/buildstream",
    "logdir": "${XDG_CACHE_HOME}/buildstream/logs",
    "workspacedir": ".",
    "cache": {
        "quota": "infinity",
        "reserved-disk-space": "5%",
        "low-watermark": "80%",
        "pull-buildtrees": False,
        "cache-buildtrees": "auto",
    },
    "scheduler": {
        "fetchers": 10,
        "builders": 4,
        "pushers": 4,
        "network-retries": 2,
        "on-error": "quit",
    },
    "build": {"max-jobs": 0, "retry-failed": False, "dependencies": "run"},
    "fetch": {"source": "all"},
    "track": {"source": "aliases"},
    "logging": {
        "key-length": 8,
        "verbose": True,
        "debug": False,
        "error-lines": 20,
        "message-lines": 20,
        "throttle-ui-updates": True,
        "element-format": "%{state: >12} %{full-key} %{name} %{workspace-dirs}",
        "message-format": "[%{elapsed}][%{key}][%{element}] %{action} %{message}",
    },
}

# commands gain nothing from more parallel jobs than this, and memory is lost
_MOST_AUTOMATIC_JOBS = 8

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT%]?)", re.ASCII)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE_ADVICE = (
    "Please specify the value in bytes or as a % of full disk space.\n\nValid values are, for example: "
)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


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


def load_user_config(path: str | None, environ: Mapping[str, str]) -> UserConfig:
    """Reads the file at PATH, or the one found by `find_user_config`, over the built-in defaults.

    Raises:
        LoadError: Mostly INVALID_DATA, with file, line and column where a value is wrong.
    """
    environ = environment_with_defaults(environ)
    path = path or find_user_config(environ)
    node = _defaults_node()
    if path is not None:
        load_file(os.path.abspath(path), path, accepts_pipe=True)._composite(node)
        node._assert_fully_composited()
    _validate_top_level(node)
    # the paths of credentials stay relative to the working directory
    expand_path = relative_to("", environ.get("HOME", os.path.expanduser("~")))
    cache = _cache_config(node.get_mapping("cache"), expand_path)
    has_cache_storage = cache.storage_service is not None
    return UserConfig(
        path=os.path.abspath(path) if path is not None else None,
        sourcedir=_directory(node, "sourcedir", environ),
        cachedir=_directory(node, "cachedir", environ),
        logdir=_directory(node, "logdir", environ),
        workspacedir=_directory(node, "workspacedir", environ, allowed="."),
        cache=cache,
        scheduler=_scheduler_config(node.get_mapping("scheduler")),
        build=_build_config(node.get_mapping("build")),
        fetch_policy=_policy(node.get_mapping("fetch")),
        track_policy=_policy(node.get_mapping("track")),
        logging=_logging_config(node.get_mapping("logging")),
        artifacts=cache_settings_from_node(node.get_mapping("artifacts", {}), expand_path),
        source_caches=cache_settings_from_node(node.get_mapping("source-caches", {}), expand_path),
        remote_execution=_remote_execution(node, expand_path, has_cache_storage=has_cache_storage),
        projects=_project_configs(
            node.get_mapping("projects", {}), expand_path, has_cache_storage=has_cache_storage
        ),
    )


def find_user_config(environ: Mapping[str, str]) -> str | None:
    """The user's configuration file, None if there is none."""
    directory = environment_with_defaults(environ)["XDG_CONFIG_HOME"]
    paths = (os.path.join(directory, name) for name in _FILE_NAMES)
    return next((path for path in paths if os.path.lexists(path)), None)


def environment_with_defaults(environ: Mapping[str, str]) -> dict[str, str]:
    """ENVIRON with the base directories of the XDG specification set where they are unset or empty."""
    home = environ.get("HOME", os.path.expanduser("~"))
    defaults = {
        "XDG_CACHE_HOME": os.path.join(home, ".cache"),
        "XDG_CONFIG_HOME": os.path.join(home, ".config"),
        "XDG_DATA_HOME": os.path.join(home, ".local", "share"),
    }
    return {**environ, **{name: environ.get(name) or value for name, value in defaults.items()}}


def effective_max_jobs(configured: int) -> int:
    """The value of the variable `max-jobs`: CONFIGURED, or for 0 what suits the CPUs of this process."""
    return configured or min(len(os.sched_getaffinity(0)), _MOST_AUTOMATIC_JOBS)


def _defaults_node() -> MappingNode:
    node = MappingNode({})
    for key, value in _DEFAULTS.items():
        node[key] = value
    return node


def _validate_top_level(node: MappingNode) -> None:
    if "builddir" in node:
        raise LoadError("builddir is obsolete, use cachedir", LoadErrorReason.INVALID_DATA)
    if "artifactdir" in node:
        raise LoadError("artifactdir is obsolete", LoadErrorReason.INVALID_DATA)
    node.validate_keys([*_DEFAULTS, "artifacts", "source-caches", "remote-execution", "projects"])


def _directory(node: MappingNode, key: str, environ: Mapping[str, str], *, allowed: str | None = None) -> str:
    """The absolute directory at KEY, or ALLOWED as it is."""
    text = node.get_str(key)
    if text == allowed:
        return text
    path = os.path.normpath(_expand(text, environ))
    if not os.path.isabs(path):
        raise LoadError(f"{key} must be an absolute path", LoadErrorReason.INVALID_DATA)
    return path


def _expand(text: str, environ: Mapping[str, str]) -> str:
    """TEXT with a leading `~` and all `$NAME` expanded; unknown names stay as they are."""
    home = environ.get("HOME", os.path.expanduser("~"))
    if text == "~" or text.startswith("~/"):
        text = home + text[1:]
    return _VARIABLE.sub(lambda match: environ.get(match[1] or match[2], match[0]), text)


def _cache_config(node: MappingNode, expand_path: PathExpansion) -> CacheConfig:
    node.validate_keys([*_DEFAULTS["cache"], "storage-service"])
    storage = node.get_mapping("storage-service", None)
    quota = node.get_str("quota")
    return CacheConfig(
        quota=None if quota == "infinity" else _disk_share(quota, "infinity 2G 5%"),
        reserved_disk_space=_reserved_disk_space(node),
        low_watermark_percent=_watermark(node.get_str("low-watermark")),
        pull_buildtrees=node.get_bool("pull-buildtrees"),
        cache_buildtrees=node.get_enum("cache-buildtrees", CacheBuildtrees),
        storage_service=None if storage is None else remote_spec_from_node(storage, expand_path),
    )


def _reserved_disk_space(node: MappingNode) -> DiskShare:
    scalar = node.get_scalar("reserved-disk-space")
    if scalar.as_str() == "infinity":
        raise _invalid(scalar, f"{_SIZE_ADVICE}2G 5%")
    return _disk_share(scalar.as_str(), "2G 5%")


def _disk_share(text: str, examples: str) -> DiskShare:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise LoadError(
            f"{text} is not a valid data size.\n{_SIZE_ADVICE}{examples}", LoadErrorReason.INVALID_DATA
        )
    number = float(match[1])
    if match[2] != "%":
        return DiskShare(size_bytes=int(number * _SIZE_UNITS[match[2]]), percent=None)
    if number > 100:
        raise LoadError(
            f"{number}% is not a valid percentage value.\n{_SIZE_ADVICE}{examples}",
            LoadErrorReason.INVALID_DATA,
        )
    return DiskShare(size_bytes=None, percent=number)


def _watermark(text: str) -> float:
    advice = "Please specify the value as a % of the cache quota."
    try:
        if not text.endswith("%"):
            raise ValueError
        percent = float(text[:-1])
    except ValueError:
        raise LoadError(
            f"{text} is not a valid percentage.\n{advice}", LoadErrorReason.INVALID_DATA
        ) from None
    if not 0 <= percent <= 100:
        raise LoadError(f"{text} is not between 0% and 100%.\n{advice}", LoadErrorReason.INVALID_DATA)
    return percent


def _scheduler_config(node: MappingNode) -> SchedulerConfig:
    node.validate_keys([*_DEFAULTS["scheduler"]])
    return SchedulerConfig(
        fetchers=node.get_int("fetchers"),
        builders=node.get_int("builders"),
        pushers=node.get_int("pushers"),
        network_retries=node.get_int("network-retries"),
        on_error=node.get_enum("on-error", OnError),
    )


def _build_config(node: MappingNode) -> BuildConfig:
    node.validate_keys([*_DEFAULTS["build"]])
    dependencies = node.get_scalar("dependencies")
    if dependencies.as_str() not in ("none", "run", "all"):
        raise _invalid(dependencies, "Invalid value for 'dependencies'. Choose 'none', 'run', or 'all'.")
    return BuildConfig(
        max_jobs=node.get_int("max-jobs"),
        retry_failed=node.get_bool("retry-failed"),
        dependencies=dependencies.as_str(),
    )


def _policy(node: MappingNode) -> SourceUriPolicy:
    node.validate_keys(["source"])
    return node.get_enum("source", SourceUriPolicy)


def _logging_config(node: MappingNode) -> LoggingConfig:
    node.validate_keys([*_DEFAULTS["logging"]])
    return LoggingConfig(
        key_length=node.get_int("key-length"),
        verbose=node.get_bool("verbose"),
        debug=node.get_bool("debug"),
        error_lines=node.get_int("error-lines"),
        message_lines=node.get_int("message-lines"),
        throttle_ui_updates=node.get_bool("throttle-ui-updates"),
        element_format=node.get_str("element-format"),
        message_format=node.get_str("message-format"),
    )


def _remote_execution(
    node: MappingNode, expand_path: PathExpansion, *, has_cache_storage: bool
) -> RemoteExecutionSettings | None:
    section = node.get_mapping("remote-execution", None)
    if section is None:
        return None
    return remote_execution_from_node(section, expand_path, has_cache_storage=has_cache_storage)


def _project_configs(
    node: MappingNode, expand_path: PathExpansion, *, has_cache_storage: bool
) -> dict[str, ProjectConfig]:
    return {
        name: _project_config(node.get_mapping(name), expand_path, has_cache_storage=has_cache_storage)
        for name in node.keys()
    }


def _project_config(
    node: MappingNode, expand_path: PathExpansion, *, has_cache_storage: bool
) -> ProjectConfig:
    node.validate_keys(
        ["artifacts", "source-caches", "options", "strict", "default-mirror", "mirrors", "remote-execution"]
    )

    def caches(key: str) -> CacheSettings | None:
        section = node.get_mapping(key, None)
        return None if section is None else cache_settings_from_node(section, expand_path)

    return ProjectConfig(
        loading=ProjectOverride(
            options=node.get_mapping("options", None),
            mirrors=node.get_sequence("mirrors", None),
            default_mirror=node.get_str("default-mirror", None),
        ),
        strict=node.get_bool("strict") if "strict" in node else None,
        artifacts=caches("artifacts"),
        source_caches=caches("source-caches"),
        remote_execution=_remote_execution(node, expand_path, has_cache_storage=has_cache_storage),
    )


def _invalid(node: Node, text: str) -> LoadError:
    return LoadError(f"{node.get_provenance()}: {text}", LoadErrorReason.INVALID_DATA)
