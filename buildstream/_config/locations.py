"""Where the user configuration is, and the host directories that it names."""

import os
import re
from collections.abc import Mapping

from ..node import MappingNode
from .sizes import invalid

_FILE_NAMES = ("buildstream2.conf", "buildstream.conf")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


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


def directory_at(
    node: MappingNode, key: str, environ: Mapping[str, str], *, allowed: str | None = None
) -> str:
    """The absolute directory at KEY, or ALLOWED as it is."""
    text = node.get_str(key)
    if text == allowed:
        return text
    path = os.path.normpath(_expand(text, environ))
    if not os.path.isabs(path):
        raise invalid(node.get_node(key), f"{key} must be an absolute path")
    return path


def _expand(text: str, environ: Mapping[str, str]) -> str:
    """TEXT with a leading `~` and all `$NAME` expanded; unknown names stay as they are."""
    home = environ.get("HOME", os.path.expanduser("~"))
    if text == "~" or text.startswith("~/"):
        text = home + text[1:]
    return _VARIABLE.sub(lambda match: environ.get(match[1] or match[2], match[0]), text)
