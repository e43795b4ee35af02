"""`bst workspace close | reset | list`, and what opening one has in common with them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .._dataclass import dataclass
from .._exceptions import AppError, LoadError, StreamError
from .._load.projectloader import ProjectLoader
from .._load.targets import classify
from .._load.workspaceproject import WorkspaceOwner, remove_owner
from .._load.workspaces import Workspace, changing_workspaces, load_workspaces
from .._model.message import MessageType
from .._store.trash import delete_tree
from .._utils_glob import glob
from ..exceptions import LoadErrorReason
from .app import App
from .loading import load_names, no_project
from .redirection import source_element


@dataclass(frozen=True, slots=True)
class OpenWorkspace:
    """An open workspace of the toplevel project."""

    element: str  # full name
    directory: str  # absolute


@dataclass(frozen=True, slots=True)
class WorkspaceProject:
    """The toplevel project of workspaces."""

    loader: ProjectLoader
    directory: str

    def workspaces(self) -> Mapping[str, Workspace]:
        """The open ones, as they are recorded now."""
        return load_workspaces(self.directory)

    def directory_of(self, workspace: Workspace) -> str:
        """The absolute path of WORKSPACE."""
        return workspace.directory(self.directory)

    def owner(self, name: str) -> WorkspaceOwner:
        """How a workspace tells that it belongs to the element NAME of this project."""
        return WorkspaceOwner(self.directory, name)


def workspace_project(app: App, elements: Sequence[str] = ()) -> WorkspaceProject:
    """The project whose workspaces a command is about.

    Raises:
        StreamError: There is no project.
    """
    loader = app.open_project()
    if loader is None:
        what = f"load elements: {', '.join(elements)}" if elements else "locate workspaces"
        raise StreamError(f"Unable to {what}", detail=no_project(app), reason="project-not-loaded")
    return WorkspaceProject(loader, loader.projects[0].directory)


def list_workspaces(app: App) -> list[OpenWorkspace]:
    """The open workspaces, in the order of opening."""
    project = workspace_project(app)
    return [
        OpenWorkspace(name, project.directory_of(workspace))
        for name, workspace in project.workspaces().items()
    ]


def close_workspaces(
    app: App, elements: Sequence[str], *, takes_all: bool, removes_directories: bool
) -> bool:
    """Closes the workspaces of ELEMENTS, or all of them; False if none is open.

    Args:
        removes_directories: Whether the files are deleted as well; a person is asked.

    Raises:
        StreamError: An element has no workspace, and nothing was closed; or a directory can't be removed.
    """
    project = workspace_project(app, () if takes_all else elements)
    names = list(project.workspaces()) if takes_all else find_open(app, project, elements)
    if removes_directories and names:
        removable = Removal(project, names)
        removable.check()
        removable.confirm(app, "Closing removes these directories, with all changes made in them:")
        # one may be inside of another
        workspaces = project.workspaces()
        names.sort(key=lambda name: project.directory_of(workspaces[name]).count("/"), reverse=True)
    for name in names:
        _close(app, project, name, removes_directory=removes_directories)
    return bool(names)


def _close(app: App, project: WorkspaceProject, name: str, *, removes_directory: bool) -> None:
    workspace = project.workspaces().get(name)
    if workspace is None:
        return  # another command was faster
    directory = project.directory_of(workspace)
    if removes_directory:
        with app.messenger.activity(f"Removing workspace directory {directory}"):
            _remove(directory)
    with changing_workspaces(project.directory) as workspaces:
        workspaces.pop(name, None)
    try:
        remove_owner(directory, project.owner(name))
    except OSError as error:
        app.messenger.send(
            MessageType.WARN,
            f"Could not remove the element '{name}' from the project file in '{directory}': {error.strerror}",
        )
    app.messenger.send(MessageType.INFO, f"Closed workspace for {name}")


def _remove(directory: str) -> None:
    try:
        if os.path.islink(directory):
            raise OSError("it is a symbolic link")
        os.stat(directory)
        delete_tree(directory)
    except OSError as error:
        raise StreamError(f"Could not remove '{directory}': {error.strerror or error}") from error


def reset_softly(app: App, elements: Sequence[str], *, takes_all: bool) -> None:
    """Makes the next builds of ELEMENTS, or of all with a workspace, start afresh; keeps all files.

    Raises:
        StreamError: An element has no workspace, or none is open.
    """
    project = workspace_project(app, () if takes_all else elements)
    for name in names_to_reset(app, project, elements, takes_all=takes_all):
        with changing_workspaces(project.directory) as workspaces:
            workspace = workspaces.get(name)
            if workspace is not None:
                workspaces[name] = replace(workspace, last_build=None)
        if workspace is not None:
            directory = project.directory_of(workspace)
            app.messenger.send(MessageType.INFO, f"Reset workspace state for {name} at: {directory}")


def names_to_reset(
    app: App, project: WorkspaceProject, elements: Sequence[str], *, takes_all: bool
) -> list[str]:
    """Full names of the elements whose workspaces are to be reset.

    Raises:
        StreamError: An element has no workspace, or none is open.
    """
    if not takes_all:
        return find_open(app, project, elements)
    names = list(project.workspaces())
    if not names:
        raise StreamError("No open workspaces to reset")
    return names


def find_open(app: App, project: WorkspaceProject, elements: Sequence[str]) -> list[str]:
    """Full names of those with a workspace that ELEMENTS mean, each once.

    An element that stands for another one is loaded to find out which; one that has
    a workspace need not exist any more.

    Raises:
        StreamError: Some have no workspace; all of these are listed.
    """
    workspaces = project.workspaces()
    targets = classify(elements, accepts_artifacts=False)
    names: dict[str, None] = {}
    missing = []
    for word in (*targets.elements, *targets.element_globs):
        matches = [word] if word in workspaces else []
        if word in targets.element_globs:
            matches = list(glob(workspaces, word))
        elif not matches:
            matches = [name for name in _meant_elements(app, project, word) if name in workspaces]
        names.update(dict.fromkeys(matches))
        if not matches:
            missing.append(word)
    if missing:
        raise StreamError("Workspace does not exist", detail="\n".join(missing))
    return list(names)


def _meant_elements(app: App, project: WorkspaceProject, name: str) -> list[str]:
    """The full name of the element that NAME stands for; none if there is no such file."""
    project.loader.resolver.workspaces = {}  # nothing has to be read for that
    try:
        loaded = load_names(app, project.loader, [name])
    except LoadError as error:
        if error.reason == LoadErrorReason.MISSING_FILE:
            return []
        raise
    return [source_element(app, loaded, target).full_name for target in loaded.targets]


class Removal:
    """Directories that are to be removed or emptied, with the workspaces of NAMES.

    Args:
        project: The toplevel project.
        names: The elements whose workspaces go.
        others: More directories that go.
    """

    def __init__(self, project: WorkspaceProject, names: Sequence[str], others: Sequence[str] = ()) -> None:
        workspaces = project.workspaces()
        known = [project.directory_of(workspaces[name]) for name in names if name in workspaces]
        self._project = project
        self._names = names
        self.directories = [d for d in dict.fromkeys([*known, *others]) if os.path.isdir(d)]

    def check(self) -> None:
        """Checks that nothing goes that nobody has asked for.

        Raises:
            StreamError: A directory holds the project, or the workspace of another element.
        """
        for directory in self.directories:
            if _holds(directory, self._project.directory):
                raise StreamError(
                    f"Refusing to remove '{directory}': the project is in there", reason="bad-directory"
                )
            for name, workspace in self._project.workspaces().items():
                path = self._project.directory_of(workspace)
                if name not in self._names and path != directory and _holds(directory, path):
                    raise StreamError(
                        f"Refusing to remove '{directory}': the open workspace of '{name}' is in there",
                        detail=f"Close that one first with `bst workspace close {name}`.",
                        reason="bad-directory",
                    )

    def confirm(self, app: App, question: str) -> None:
        """Asks the person, if there is one, about directories with something in them.

        Raises:
            AppError: The person does not want it.
        """
        full = [directory for directory in self.directories if os.listdir(directory)]
        if not full or not app.ui.can_ask:
            return
        lines = "".join([f"  {directory}\n" for directory in full])
        if not app.ui.confirm(f"{question}\n{lines}"):
            raise AppError("Nothing was changed", reason="not-confirmed")


def _holds(directory: str, path: str) -> bool:
    """Whether PATH is DIRECTORY or something in it."""
    real, real_path = os.path.realpath(directory), os.path.realpath(path)
    return os.path.commonpath([real, real_path]) == real
