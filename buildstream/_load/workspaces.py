"""The file that records the open workspaces of a project (command specification 6.1).

Several commands may change it at the same time: each change is made by reading,
changing and replacing the file under a lock.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .._dataclass import dataclass
from .._exceptions import BstError, LoadError
from .._utils_atomic import locked_directory, replace_text_file
from ..exceptions import ErrorDomain, LoadErrorReason
from .yaml import load_file
from .yamldump import dump

_DIRECTORY = ".bst2"
_FILE = "workspaces.yml"
_FORMAT_VERSION = 4


@dataclass(frozen=True, slots=True)
class Workspace:
    """What is recorded of one open workspace."""

    path: str  # absolute, or relative to the toplevel project
    # strong key of the last build that left an artifact, or of the one that it was opened with
    last_build: str | None = None

    def directory(self, project_directory: str) -> str:
        """Its absolute path, for the toplevel project in PROJECT_DIRECTORY."""
        return os.path.normpath(os.path.join(project_directory, self.path))


def workspace_at(project_directory: str, directory: str, last_build: str | None = None) -> Workspace:
    """A new workspace in the absolute DIRECTORY; one inside of the project may move with it."""
    inside = project_directory.rstrip("/") + "/"
    if directory.startswith(inside):
        return Workspace(directory[len(inside) :], last_build)
    return Workspace("." if directory == project_directory else directory, last_build)


def load_workspaces(project_directory: str) -> dict[str, Workspace]:
    """The open workspaces by the full name of their element, in the order of opening.

    Raises:
        LoadError: INVALID_YAML, or INVALID_DATA for another format.
    """
    path = os.path.join(project_directory, _DIRECTORY, _FILE)
    try:
        node = load_file(path, _FILE)
    except LoadError as error:
        if error.reason == LoadErrorReason.MISSING_FILE:
            return {}
        raise
    version = node.get_int("format-version", 0)
    if version != _FORMAT_VERSION:
        raise _unsupported(path, version)
    entries = node.get_mapping("workspaces", {})
    workspaces = {}
    for name in entries.keys():
        entry = entries.get_mapping(name)
        workspaces[name] = Workspace(entry.get_str("path"), entry.get_str("last_build", None) or None)
    return workspaces


def _unsupported(path: str, version: int) -> LoadError:
    brief = f"Workspace configuration format version {version} not supported."
    if version < _FORMAT_VERSION:
        detail = (
            f"{path} was written by another version of BuildStream.\n"
            "Remove this file and open the workspaces again with `bst workspace open --no-checkout`,\n"
            "which keeps the files that are in them."
        )
    else:
        brief += f" The maximum supported version is {_FORMAT_VERSION}."
        detail = f"{path} was written by a later version of BuildStream. Please use that one."
    return LoadError(brief, LoadErrorReason.INVALID_DATA, detail=detail)


@contextmanager
def changing_workspaces(project_directory: str) -> Iterator[dict[str, Workspace]]:
    """Gives the open workspaces as they are now; what the block makes of them is recorded at its end.

    Nobody else changes them meanwhile.  A process that is killed leaves the file as it was
    before, or as it is after the change.

    Raises:
        LoadError: As `load_workspaces` does.
        BstError: The file can't be written.
    """
    directory = os.path.join(project_directory, _DIRECTORY)
    path = os.path.join(directory, _FILE)
    try:
        os.makedirs(directory, exist_ok=True)
        with locked_directory(directory):
            before = load_workspaces(project_directory)
            after = dict(before)
            yield after
            if list(after.items()) != list(before.items()) or not os.path.exists(path):
                replace_text_file(path, _text(after))
    except OSError as error:
        raise BstError(
            f"Failed to record the open workspaces in '{path}': {error.strerror or error}",
            domain=ErrorDomain.STREAM,
            reason="workspace-state-failure",
        ) from error


def _text(workspaces: dict[str, Workspace]) -> str:
    entries = {}
    for name, workspace in workspaces.items():
        entries[name] = {"path": workspace.path}
        if workspace.last_build is not None:
            entries[name]["last_build"] = workspace.last_build
    return dump({"format-version": str(_FORMAT_VERSION), "workspaces": entries})
