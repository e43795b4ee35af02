"""The file in a workspace that tells which element it belongs to (command specification 6.2)."""

import os
from contextlib import suppress

from .._dataclass import dataclass
from .._exceptions import LoadError
from .._utils_atomic import locked_directory, replace_text_file
from ..exceptions import LoadErrorReason
from ..node import MappingNode
from .yaml import load_file
from .yamldump import dump

WORKSPACE_PROJECT_FILE = ".bstproject.yaml"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class WorkspaceOwner:
    """An element that a workspace belongs to."""

    project_directory: str  # absolute path of the toplevel project
    element_name: str  # full name


def read_owners(path: str) -> list[WorkspaceOwner]:
    """The elements that the file at PATH names: usually one.

    Raises:
        LoadError: INVALID_YAML or INVALID_DATA; MISSING_FILE if there is none.
    """
    node = load_file(path, WORKSPACE_PROJECT_FILE)
    version = node.get_int("format-version", _FORMAT_VERSION)
    if version != _FORMAT_VERSION:
        raise LoadError(
            f"{path}: Workspace project format version {version} is not supported, "
            f"only version {_FORMAT_VERSION} is",
            LoadErrorReason.INVALID_DATA,
            detail="Open the workspace again with `bst workspace open --force --no-checkout`.",
        )
    entries = node.get_sequence("projects")
    owners = [
        WorkspaceOwner(entry.get_str("project-path"), entry.get_str("element-name"))
        for entry in entries
        if isinstance(entry, MappingNode)
    ]
    if not owners:
        raise LoadError(f"{path}: The list of projects is empty", LoadErrorReason.INVALID_DATA)
    return owners


def add_owner(directory: str, owner: WorkspaceOwner) -> bool:
    """Records OWNER in the workspace DIRECTORY; whether the file was there before.

    Owners whose project is gone are dropped: the first one that is named counts.

    Raises:
        OSError: It can't be written.
    """
    path = os.path.join(directory, WORKSPACE_PROJECT_FILE)
    with locked_directory(directory):
        is_present = os.path.lexists(path)
        before = _usable_owners(path)
        owners = [other for other in before if _is_project(other.project_directory)]
        after = owners if owner in owners else [*owners, owner]
        if after != before:
            replace_text_file(path, _text(after))
    return is_present


def remove_owner(directory: str, owner: WorkspaceOwner) -> None:
    """Removes OWNER from the workspace DIRECTORY, and the file with the last of them.

    A directory or a file that is absent is fine.

    Raises:
        OSError: The file can't be changed.
    """
    path = os.path.join(directory, WORKSPACE_PROJECT_FILE)
    with suppress(FileNotFoundError, NotADirectoryError), locked_directory(directory):
        present = _usable_owners(path)
        # the project may have moved since: then its path is another one
        name = owner.element_name
        others = [
            other
            for other in present
            if other != owner and (other.element_name != name or _is_project(other.project_directory))
        ]
        if others:
            replace_text_file(path, _text(others))
        else:
            os.unlink(path)


def _usable_owners(path: str) -> list[WorkspaceOwner]:
    """What the file at PATH names; nothing if it is absent, or of no use to anybody."""
    try:
        return read_owners(path)
    except LoadError:
        return []


def _is_project(directory: str) -> bool:
    return os.path.isfile(os.path.join(directory, "project.conf"))


def _text(owners: list[WorkspaceOwner]) -> str:
    entries = [
        {"project-path": owner.project_directory, "element-name": owner.element_name} for owner in owners
    ]
    return dump({"projects": entries, "format-version": str(_FORMAT_VERSION)})
