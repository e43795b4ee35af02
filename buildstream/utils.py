"""Functions that plugins may use for files, versions and URLs."""

import os
import re
import string

from ._utils_atomic import get_umask, move_atomic, save_file_atomic
from ._utils_errors import DirectoryExistsError, ProgramNotFoundError, UtilError
from ._utils_glob import glob
from ._utils_trees import (
    FileListResult,
    copy_files,
    link_files,
    list_relative_paths,
    safe_copy,
    safe_link,
    safe_remove,
)
from ._version import __version__

__all__ = [
    "BST_ARBITRARY_TIMESTAMP",
    "DirectoryExistsError",
    "FileListResult",
    "ProgramNotFoundError",
    "UtilError",
    "copy_files",
    "get_bst_version",
    "get_host_tool",
    "get_umask",
    "glob",
    "guess_version",
    "link_files",
    "list_relative_paths",
    "move_atomic",
    "safe_copy",
    "safe_link",
    "safe_remove",
    "save_file_atomic",
    "sha256sum",
    "url_directory_name",
]

BST_ARBITRARY_TIMESTAMP = 1321009871
"""The modification time of staged files, in seconds, which is 2011-11-11 11:11:11 UTC."""

_CHUNK_SIZE_BYTES = 1 << 20
_URL_CHARACTERS_KEPT = frozenset(string.ascii_letters + string.digits + "%")
_DEFAULT_VERSION_PATTERN = r"(\d+)\.(\d+)(?:\.(\d+))?"


def sha256sum(filename: str) -> str:
    """The SHA-256 of the content of the file FILENAME, in hexadecimal digits.

    Raises:
        UtilError: The file can't be read.
    """
    import hashlib

    checksum = hashlib.sha256()
    try:
        with open(filename, "rb") as file:
            while chunk := file.read(_CHUNK_SIZE_BYTES):
                checksum.update(chunk)
    except OSError as error:
        raise UtilError(f"Failed to get a checksum of file '{filename}': {error}") from error
    return checksum.hexdigest()


def get_host_tool(name: str) -> str:
    """The full path of the program NAME, found on `$PATH`.

    Raises:
        ProgramNotFoundError: There is no such program.
    """
    import shutil

    search_path = os.environ.get("PATH", os.defpath)
    program = shutil.which(name, path=search_path)
    if program is None:
        raise ProgramNotFoundError(f"Did not find '{name}' in PATH: {search_path.split(os.pathsep)}")
    return program


def get_bst_version() -> tuple[int, int]:
    """Major and minor version of the running program."""
    major, minor = __version__.split(".")[:2]
    return int(major), int(minor)


def guess_version(string: str, *, pattern: "re.Pattern[str] | None" = None) -> str | None:
    """The part of STRING that looks most like a version, None if nothing does.

    Args:
        pattern: What a version looks like; each group is one component.  By
            default two or three numbers separated by dots.

    Returns:
        The components of the first match with most components, joined by dots.
        Without groups, the first match.
    """
    expression = pattern if pattern is not None else re.compile(_DEFAULT_VERSION_PATTERN)
    best: str | None = None
    best_weight = 0
    for match in expression.finditer(string):
        components = [group for group in match.groups() if group is not None]
        if expression.groups == 0:
            components = [match.group(0)]
        if len(components) > best_weight:
            best = ".".join(components)
            best_weight = len(components)
    return best


def url_directory_name(url: str) -> str:
    """A directory name for URL: all but ASCII letters, digits and `%` become `_`."""
    return "".join(character if character in _URL_CHARACTERS_KEPT else "_" for character in url)
