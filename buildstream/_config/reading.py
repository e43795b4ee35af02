"""Reading the user configuration: buildstream.conf, once at the start of a command."""

import os
from collections.abc import Mapping

from .._load.yaml import load_file
from .._remotespec import cache_settings_from_node, relative_to
from ..node import MappingNode
from .defaults import DEFAULTS, defaults_node
from .locations import directory_at, environment_with_defaults, find_user_config
from .sections import (
    build_config,
    cache_config,
    logging_config,
    project_configs,
    remote_execution,
    scheduler_config,
    source_policy,
)
from .sizes import invalid
from .values import UserConfig

_OBSOLETE = {"builddir": "builddir is obsolete, use cachedir", "artifactdir": "artifactdir is obsolete"}

# commands gain nothing from more parallel jobs than this, and memory is lost
_MOST_AUTOMATIC_JOBS = 8


def load_user_config(path: str | None, environ: Mapping[str, str]) -> UserConfig:
    """Reads the file at PATH, or the one found by `find_user_config`, over the built-in defaults.

    Raises:
        LoadError: Mostly INVALID_DATA, with file, line and column where a value is wrong.
    """
    environ = environment_with_defaults(environ)
    path = path or find_user_config(environ)
    node = defaults_node()
    if path is not None:
        load_file(os.path.abspath(path), path, accepts_pipe=True)._composite(node)
        node._assert_fully_composited()
    _validate_top_level(node)
    # the paths of credentials stay relative to the working directory
    expand_path = relative_to("", environ.get("HOME", os.path.expanduser("~")))
    cache = cache_config(node.get_mapping("cache"), expand_path)
    has_cache_storage = cache.storage_service is not None
    return UserConfig(
        path=os.path.abspath(path) if path is not None else None,
        sourcedir=directory_at(node, "sourcedir", environ),
        cachedir=directory_at(node, "cachedir", environ),
        logdir=directory_at(node, "logdir", environ),
        workspacedir=directory_at(node, "workspacedir", environ, allowed="."),
        cache=cache,
        scheduler=scheduler_config(node.get_mapping("scheduler")),
        build=build_config(node.get_mapping("build")),
        fetch_policy=source_policy(node.get_mapping("fetch")),
        track_policy=source_policy(node.get_mapping("track")),
        logging=logging_config(node.get_mapping("logging")),
        artifacts=cache_settings_from_node(node.get_mapping("artifacts", {}), expand_path),
        source_caches=cache_settings_from_node(node.get_mapping("source-caches", {}), expand_path),
        remote_execution=remote_execution(node, expand_path, has_cache_storage=has_cache_storage),
        projects=project_configs(
            node.get_mapping("projects", {}), expand_path, has_cache_storage=has_cache_storage
        ),
    )


def effective_max_jobs(configured: int) -> int:
    """The value of the variable `max-jobs`: CONFIGURED, or for 0 what suits the CPUs of this process."""
    return configured or min(len(os.sched_getaffinity(0)), _MOST_AUTOMATIC_JOBS)


def _validate_top_level(node: MappingNode) -> None:
    for key, text in _OBSOLETE.items():
        if key in node:
            raise invalid(node.get_node(key), text)
    node.validate_keys([*DEFAULTS, "artifacts", "source-caches", "remote-execution", "projects"])
