"""Paths that projects may name: inside of the project, and of the kind that is expected."""

import os
import stat
from typing import TYPE_CHECKING

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason

if TYPE_CHECKING:
    from ..node import ScalarNode


def check_project_path(
    project_directory: str, node: "ScalarNode", *, check_is_file: bool, check_is_dir: bool
) -> str:
    """The path in NODE, unchanged, once it is known to be valid.

    Args:
        project_directory: Absolute, symbolic links resolved.
        node: A path relative to it.
        check_is_file: Whether it must be a regular file.
        check_is_dir: Whether it must be a directory.

    Raises:
        LoadError: PROJ_PATH_INVALID, PROJ_PATH_INVALID_KIND or MISSING_FILE.
    """
    path = node.as_str() or ""
    full_path = os.path.join(project_directory, path)
    provenance = node.get_provenance()

    def invalid(reason: LoadErrorReason, text: str, detail: str | None = None) -> LoadError:
        return LoadError(f"{provenance}: Specified path '{path}' {text}", reason, detail=detail)

    real_path = full_path
    mode = _plain_mode(project_directory, path)
    if mode is None:
        if os.path.islink(full_path):
            raise invalid(LoadErrorReason.PROJ_PATH_INVALID_KIND, "must not point to symbolic links ")
        if path.split(os.sep, 1)[0] == os.pardir:
            raise invalid(LoadErrorReason.PROJ_PATH_INVALID, "first component must not be '..'")
        real_path = os.path.realpath(full_path)
        try:
            mode = os.stat(real_path).st_mode
        except (OSError, ValueError) as error:
            raise invalid(LoadErrorReason.MISSING_FILE, "does not exist") from error
    if real_path != project_directory and not real_path.startswith(project_directory.rstrip(os.sep) + os.sep):
        raise invalid(
            LoadErrorReason.PROJ_PATH_INVALID,
            "must not lead outside of the project directory",
            f"It is {real_path}, the project directory is {project_directory}.",
        )
    if os.path.isabs(path):
        raise invalid(
            LoadErrorReason.PROJ_PATH_INVALID,
            "must be relative to the project directory",
            f"Write it as {os.path.relpath(real_path, project_directory)}.",
        )
    if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode) or stat.S_ISBLK(mode):
        raise invalid(LoadErrorReason.PROJ_PATH_INVALID_KIND, "points to an unsupported kind of file")
    if check_is_file and not stat.S_ISREG(mode):
        raise invalid(LoadErrorReason.PROJ_PATH_INVALID_KIND, "is not a regular file")
    if check_is_dir and not stat.S_ISDIR(mode):
        raise invalid(LoadErrorReason.PROJ_PATH_INVALID_KIND, "is not a directory")
    return path


def _plain_mode(project_directory: str, path: str) -> int | None:
    """The mode of what is at PATH; None unless that is what it looks like: without links, inside, there.

    Costs one system call a component: what is above the project need not be looked at.
    """
    place = project_directory.rstrip(os.sep)
    mode = None
    for part in path.split(os.sep):
        if part in ("", os.curdir, os.pardir):
            return None
        place = f"{place}{os.sep}{part}"
        try:
            mode = os.lstat(place).st_mode
        except (OSError, ValueError):
            return None
        if stat.S_ISLNK(mode):
            return None
    return mode
