"""What holds where the user configuration says nothing."""

from typing import Any

from ..node import MappingNode

DEFAULTS: dict[str, Any] = {
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
        "durability": "safe",
    },
    "scheduler": {
        "fetchers": 10,
        "builders": 4,
        "pushers": 4,
        "network-retries": 2,
        "on-error": "quit",
    },
    "build": {"max-jobs": 0, "jobserver": 0, "timeout": 0, "retry-failed": False, "dependencies": "run"},
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


def defaults_node() -> MappingNode:
    """A new node with all defaults, to composite a file over."""
    node = MappingNode({})
    for key, value in DEFAULTS.items():
        node[key] = value
    return node
