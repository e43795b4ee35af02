"""Changing a YAML file while its comments, quotes and order stay as they are (format 1.5).

Only for files that are written back; reading alone is what the faster `yaml`
module is for.
"""

import os
import stat
from typing import IO, TYPE_CHECKING, Any

from .._exceptions import LoadError
from .._utils_atomic import save_file_atomic
from ..exceptions import LoadErrorReason

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

# longer than any line, so that none is folded
_WIDTH = 9999


def load_roundtrip(path: str) -> "CommentedMap":
    """The content of the file at PATH, with all that is needed to write it back.

    Every scalar is a string.  An empty file gives an empty mapping.

    Raises:
        LoadError: MISSING_FILE, LOADING_DIRECTORY or INVALID_YAML.
    """
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    try:
        with open(path, encoding="utf-8") as stream:
            content = _yaml().load(stream)
    except IsADirectoryError as error:
        raise LoadError(f"{path} is a directory", LoadErrorReason.LOADING_DIRECTORY) from error
    except FileNotFoundError as error:
        raise LoadError(f"Could not find file at {path}", LoadErrorReason.MISSING_FILE) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise LoadError(
            f"{path}: Severely malformed YAML:\n\n{error}\n\n", LoadErrorReason.INVALID_YAML
        ) from error
    if content is None or content == "":
        return CommentedMap()
    if not isinstance(content, CommentedMap):
        raise LoadError(f"{path}: The top level is not a dictionary", LoadErrorReason.INVALID_YAML)
    return content


def save_roundtrip(data: "CommentedMap", path: str) -> None:
    """Writes DATA to the file at PATH, replacing it in one step; its permissions are kept.

    Where PATH is a symbolic link, the file behind it is replaced.

    Raises:
        OSError: If the file can't be written; the old one is then untouched.
    """
    path = os.path.realpath(path)
    with save_file_atomic(path, encoding="utf-8") as stream:
        dump_roundtrip(data, stream)
        if os.path.exists(path):
            os.chmod(stream.name, stat.S_IMODE(os.stat(path).st_mode))


def dump_roundtrip(data: Any, stream: IO[str]) -> None:
    """Writes DATA as YAML to STREAM."""
    _yaml().dump(data, stream)


def _yaml() -> "YAML":
    from ruamel.yaml import YAML
    from ruamel.yaml.resolver import VersionedResolver

    class StringResolver(VersionedResolver):
        """Has no pattern for numbers, booleans and dates: all plain scalars are strings."""

        @property
        def versioned_resolver(self) -> dict[str, list[object]]:
            return {}

    yaml = YAML()
    yaml.Resolver = StringResolver
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    return yaml
