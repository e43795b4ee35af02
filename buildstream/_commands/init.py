"""`bst init`: a new project with nothing in it."""

import os
import re
from collections.abc import Callable

from .._dataclass import dataclass
from .._exceptions import AppError
from .._version import __version__
from ..node import _assert_symbol_name

_PROJECT_CONF = "project.conf"

_TEMPLATE = """\
# The unique name of the project
name: {name}

# The oldest version of BuildStream that the project works with
min-version: {min_version}

# The directory below this one that holds the elements
element-path: {element_path}
"""


@dataclass(frozen=True, slots=True)
class NewProject:
    """What a new project.conf says."""

    name: str
    min_version: str
    element_path: str  # relative to the project


def create_project(
    directory: str, describe: Callable[[], NewProject], *, replaces: bool, has_set_directory: bool
) -> str:
    """Creates a project in DIRECTORY, parents included; gives the absolute path of its project.conf.

    Args:
        directory: Relative to the working directory.
        describe: Gives what to write; asked only if the project can be created.
        replaces: Whether an existing project.conf may be replaced.
        has_set_directory: Whether the global option for the directory was given, which is of no use here.

    Raises:
        BstError: Nothing was created.
    """
    if has_set_directory:
        raise AppError(
            "Attempted to use -C or --directory with init.",
            detail="Give the directory as an argument of init instead: bst init DIRECTORY",
            reason="init-with-set-directory",
        )
    directory = os.path.abspath(directory)
    path = os.path.join(directory, _PROJECT_CONF)
    if os.path.lexists(path) and not replaces:
        raise AppError(f"A {_PROJECT_CONF} already exists at: {path}", reason="project-exists")
    project = describe()
    try:
        os.makedirs(os.path.join(directory, project.element_path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                _TEMPLATE.format(
                    name=project.name, min_version=project.min_version, element_path=project.element_path
                )
            )
    except OSError as error:
        raise AppError(f"Error creating a project in {directory}: {error}") from error
    return path


def validate_project(project: NewProject) -> None:
    """Raises BstError at the first thing that is wrong."""
    validate_name(project.name)
    validate_min_version(project.min_version)
    validate_element_path(project.element_path)


def validate_name(name: str) -> None:
    """Raises LoadError, INVALID_SYMBOL_NAME."""
    _assert_symbol_name(name, "project name")


def validate_min_version(version: str) -> None:
    """Raises AppError unless VERSION is one that this program can be expected to know."""
    match = re.fullmatch(r"(\d+)\.(\d+)", version, re.ASCII)
    if match is None:
        raise AppError(f"Malformed version string: {version}", reason="invalid-min-version")
    major, minor = (int(number) for number in __version__.split(".")[:2])
    if int(match[1]) != major or int(match[2]) > minor:
        raise AppError(
            f"The minimum version must be a known version of BuildStream {major}",
            reason="invalid-min-version",
        )


def validate_element_path(path: str) -> None:
    """Raises AppError unless PATH stays inside the project."""
    if os.path.isabs(path) or ".." in path.split(os.sep):
        raise AppError(
            "The element path cannot be an absolute path or contain any '..' components",
            detail="It names the directory of the elements, as in: elements",
            reason="invalid-element-path",
        )
