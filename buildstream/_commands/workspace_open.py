"""`bst workspace open` and hard resets: the sources of elements, written where the user edits them."""

import os
from collections.abc import Sequence
from dataclasses import replace

from .._act.retention import WorkspaceProjects
from .._act.workspacebuildtree import lay_buildtree
from .._act.workspacestaging import replace_content, scratch_directory, stage_originals
from .._dataclass import dataclass
from .._exceptions import StreamError
from .._load.resolved import ResolvedElement
from .._load.targets import classify
from .._load.workspaceproject import WORKSPACE_PROJECT_FILE, add_owner, remove_owner
from .._load.workspaces import changing_workspaces, workspace_at
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import ElementRecord
from ..buildelement import BuildElement
from .app import App
from .jobs import fetch_originals
from .loading import LoadedTargets, check_resolved, element_names, load_names, query
from .redirection import source_element
from .workspaces import Removal, WorkspaceProject, names_to_reset, workspace_project


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How workspaces are to be opened."""

    parent: str  # absolute directory where workspaces get directories named after their elements
    directory: str | None = None  # absolute; of the only one
    force: bool = False  # replaces open workspaces and the content of directories
    has_checkout: bool = True  # whether the sources are written into the directory
    tracks: bool = False  # whether newer refs are looked for before
    uses_buildtree: bool = False  # whether what the cached artifact's build left is put over the sources


@dataclass(frozen=True, slots=True)
class _Opening:
    """A workspace that is about to be opened."""

    record: ElementRecord
    directory: str  # absolute
    replaced: str | None = None  # directory of the workspace that the element has already
    keeps_owners: bool = False  # whether the other elements of the directory stay
    artifact: ArtifactView | None = None  # whose build tree is wanted as well; it has one

    @property
    def name(self) -> str:
        return self.record.element.full_name


def open_workspaces(app: App, elements: Sequence[str], options: OpenOptions) -> None:
    """Opens a workspace for each of ELEMENTS.

    Everything is checked, fetched and staged before anything that is there is touched.

    Raises:
        StreamError: `directory-with-multiple-elements`, `bad-directory`, `workspace-directory-failure`,
            `missing-buildtree`, an element without sources or with a workspace, or something could
            not be fetched.
        PipelineError: A source has no ref.
    """
    if options.tracks:
        from .source_track import track

        track(app, elements=elements, excepted=(), deps="none", crosses_junctions=False)
        app.reopen_project(lambda _conf: None)
    project = workspace_project(app, elements)
    loaded, selected = _load_originals(app, project, elements)
    if options.directory is not None and len(selected) != 1:
        raise StreamError(
            "Exactly one element can be given if --directory is used",
            reason="directory-with-multiple-elements",
        )
    openings = _check(loaded, project, selected, options)
    if options.has_checkout:
        check_resolved(selected)
        if options.uses_buildtree:
            openings = _with_artifacts(app, loaded, openings)
        removal = _removal(project, openings)
        removal.check()
        removal.confirm(app, "Opening replaces everything in these directories:")
        fetch_originals(app, [opening.record for opening in openings])
    _Opener(app, project, has_checkout=options.has_checkout, force=options.force).open(openings)


def reset_workspaces(app: App, elements: Sequence[str], *, takes_all: bool) -> None:
    """Replaces the content of the workspaces of ELEMENTS, or of all of them, by their sources.

    Raises:
        StreamError: An element has no workspace, none is open, or the sources could not be fetched.
        PipelineError: A source has no ref.
    """
    project = workspace_project(app, () if takes_all else elements)
    names = names_to_reset(app, project, elements, takes_all=takes_all)
    loaded, selected = _load_originals(app, project, names)
    check_resolved(selected)
    workspaces = project.workspaces()
    openings = []
    for element in selected:
        directory = project.directory_of(workspaces[element.full_name])
        record = loaded.pipeline.record(element)
        openings.append(_Opening(record, directory, replaced=directory, keeps_owners=True))
    removal = _removal(project, openings)
    removal.check()
    removal.confirm(app, "Resetting discards all changes in these directories:")
    fetch_originals(app, [opening.record for opening in openings])
    _Opener(app, project, has_checkout=True, force=True, is_reset=True).open(openings)


def _removal(project: WorkspaceProject, openings: Sequence[_Opening]) -> Removal:
    """What goes when sources are put in its place."""
    here = [opening.name for opening in openings if opening.replaced == opening.directory]
    return Removal(project, here, [opening.directory for opening in openings])


def _load_originals(
    app: App, project: WorkspaceProject, words: Sequence[str]
) -> tuple[LoadedTargets, list[ResolvedElement]]:
    """The elements whose sources WORDS mean, each once, loaded as if there were no workspaces."""
    loader = project.loader
    names, _ = element_names(app, loader, classify(words, accepts_artifacts=False))
    # junctions are still looked for in their workspaces
    loader.resolver.workspaces = {}
    loaded = load_names(app, loader, names)
    return loaded, list(dict.fromkeys([source_element(app, loaded, target) for target in loaded.targets]))


# what can be known before anything is done


def _check(
    loaded: LoadedTargets,
    project: WorkspaceProject,
    elements: Sequence[ResolvedElement],
    options: OpenOptions,
) -> list[_Opening]:
    workspaces = project.workspaces()
    openings: list[_Opening] = []
    for element in elements:
        _check_sources(element)
        present = workspaces.get(element.full_name)
        replaced = None if present is None else project.directory_of(present)
        if replaced is not None and not options.force:
            raise _already_open(element.full_name, replaced)
        directory = options.directory or os.path.join(options.parent, os.path.splitext(element.name)[0])
        openings.append(_Opening(loaded.pipeline.record(element), directory, replaced))
    _check_distinct(openings)
    for opening in openings:
        _check_directory(opening, is_any_content_fine=options.force or not options.has_checkout)
    return openings


def _check_sources(element: ResolvedElement) -> None:
    if element.sources:
        return
    detail = None
    if element.build_dependencies:
        names = "\n".join([dependency.full_name for dependency in element.build_dependencies])
        detail = f"Try opening a workspace on one of its dependencies instead:\n{names}"
    raise StreamError(f"The element {element.full_name} has no sources", detail=detail)


def _already_open(name: str, directory: str) -> StreamError:
    return StreamError(f"Element '{name}' already has an open workspace defined at: {directory}")


def _check_distinct(openings: Sequence[_Opening]) -> None:
    seen: dict[str, str] = {}
    for opening in openings:
        other = seen.setdefault(opening.directory, opening.name)
        if other != opening.name:
            raise StreamError(
                f"Elements '{other}' and '{opening.name}' would get the same directory: {opening.directory}",
                detail="Open them one by one, with --directory.",
                reason="bad-directory",
            )


def _check_directory(opening: _Opening, *, is_any_content_fine: bool) -> None:
    directory = opening.directory
    if not os.path.lexists(directory):
        return
    text = f"For element '{opening.name}', Directory path is not"
    if not os.path.isdir(directory):
        raise StreamError(f"{text} a directory: {directory}", reason="bad-directory")
    try:
        is_empty = not os.listdir(directory)
    except OSError as error:
        raise StreamError(
            f"{text} readable: {directory}: {error.strerror}", reason="bad-directory"
        ) from error
    if not is_empty and not is_any_content_fine:
        raise StreamError(
            f"{text} empty: {directory}",
            detail="To use the files that are in there, add --no-checkout. To replace them, add --force.",
            reason="bad-directory",
        )


def _with_artifacts(app: App, loaded: LoadedTargets, openings: Sequence[_Opening]) -> list[_Opening]:
    """OPENINGS with the cached artifacts, all of which have build trees."""
    query(app, loaded, [opening.record.element for opening in openings], with_sources=False)
    complaints = []
    for opening in openings:
        artifact = opening.record.artifact
        buildtree = None if artifact is None else artifact.buildtree
        if buildtree is None or not app.cas.contains_tree(buildtree):
            complaints.append(opening)
    if complaints:
        names = ", ".join(f"'{opening.name}'" for opening in complaints)
        raise StreamError(
            f"No build tree is cached of {names}",
            detail="\n".join(_how_to_get_buildtree(opening.record) for opening in complaints),
            reason="missing-buildtree",
        )
    return [replace(opening, artifact=opening.record.artifact) for opening in openings]


def _how_to_get_buildtree(record: ElementRecord) -> str:
    name, artifact = record.element.full_name, record.artifact
    build = f"bst --cache-buildtrees always build {name}"
    pull = f"bst --pull-buildtrees artifact pull {name}"
    if not record.element.plugin.BST_RUN_COMMANDS:
        return f"{name} runs no commands that could leave one. Open it without --use-buildtree."
    if artifact is None:
        return f"{name} is not cached. To build it: {build}\nTo download it: {pull}"
    if artifact.buildtree is None:
        again = f"bst artifact delete {name} && {build}"
        return f"{name} is cached, but its build kept no build tree. To build it again: {again}"
    return f"The build tree of {name} was not downloaded. To do that: {pull}"


# doing it


class _Opener:
    """Opens workspaces that have been checked, one after the other.

    Args:
        force: Whether a workspace that another command has opened meanwhile is replaced.
        is_reset: Whether these are workspaces that stay where they are.
    """

    def __init__(
        self, app: App, project: WorkspaceProject, *, has_checkout: bool, force: bool, is_reset: bool = False
    ) -> None:
        self._app = app
        self._project = project
        self._has_checkout = has_checkout
        self._force = force
        self._is_reset = is_reset

    def open(self, openings: Sequence[_Opening]) -> None:
        for position, opening in enumerate(openings):
            self._announce(opening)
            remaining = [later.name for later in openings[position + 1 :]]
            self._make_directory(opening.directory, remaining)
            try:
                if self._has_checkout:
                    self._check_out(opening)
                self._record(opening)
            except OSError as error:
                place = error.filename or opening.directory
                raise StreamError(
                    f"Failed to write the workspace of '{opening.name}': {error.strerror}: {place}",
                    detail=_not_tried(remaining),
                    reason="workspace-directory-failure",
                ) from error

    def _announce(self, opening: _Opening) -> None:
        messenger = self._app.messenger
        if opening.replaced is not None and self._has_checkout and not self._is_reset:
            detail = None
            if opening.replaced != opening.directory and os.path.isdir(opening.replaced):
                detail = f"The files in {opening.replaced} are kept."
            messenger.send(
                MessageType.WARN,
                f"Replacing existing workspace for element '{opening.name}' defined at: {opening.replaced}",
                detail=detail,
                element=opening.record.label,
            )
        messenger.send(MessageType.STATUS, f"Creating workspace for element {opening.name}")

    @staticmethod
    def _make_directory(directory: str, remaining: Sequence[str]) -> None:
        try:
            os.makedirs(directory, exist_ok=True)
        except OSError as error:
            raise StreamError(
                f"Failed to create workspace directory: {error}",
                detail=_not_tried(remaining),
                reason="workspace-directory-failure",
            ) from error

    def _check_out(self, opening: _Opening) -> None:
        """Replaces the content of the directory by the sources, once they are complete."""
        directory = opening.directory
        with scratch_directory(self._project.directory, directory) as scratch:
            staged, aside = os.path.join(scratch, "staged"), os.path.join(scratch, "aside")
            os.mkdir(staged)
            os.mkdir(aside)
            with self._app.messenger.activity(
                f"Staging sources to {directory}", element=opening.record.label
            ):
                stage_originals(opening.record.element, staged)
            if opening.artifact is not None:
                self._lay_buildtree(opening.record, opening.artifact, staged)
            keep = WORKSPACE_PROJECT_FILE if opening.keeps_owners else None
            if self._is_reset:
                with self._app.messenger.activity(f"Removing workspace directory {directory}"):
                    replace_content(directory, staged, aside, keep=keep)
            else:
                replace_content(directory, staged, aside, keep=keep)

    def _lay_buildtree(self, record: ElementRecord, artifact: ArtifactView, staged: str) -> None:
        """Puts what the build of ARTIFACT left over the sources."""
        messenger, plugin = self._app.messenger, record.element.plugin
        assert artifact.buildtree is not None
        mark = plugin._configuration_mark() if isinstance(plugin, BuildElement) else None
        if not artifact.is_success:
            mark = None
            messenger.send(
                MessageType.WARN,
                "Using the build tree of a failed build",
                detail="The first build in the workspace runs the configure commands again.",
                element=record.label,
            )
        with messenger.activity("Adding the build tree", element=record.label):
            lay_buildtree(self._app.cas, artifact.buildtree, staged, {} if mark is None else dict([mark]))

    def _record(self, opening: _Opening) -> None:
        """Makes the directory known as a workspace."""
        project, name = self._project, opening.name
        is_staged = add_owner(opening.directory, project.owner(name))
        if is_staged and not opening.keeps_owners and opening.replaced != opening.directory:
            self._app.messenger.send(
                MessageType.WARN,
                f"{WORKSPACE_PROJECT_FILE} was staged from this element's sources",
                element=opening.record.label,
            )
        with changing_workspaces(project.directory) as workspaces:
            present = workspaces.pop(name, None)
            if present is not None and not self._force:
                raise _already_open(name, project.directory_of(present))
            last_build = None if opening.artifact is None else opening.artifact.strong_key
            workspaces[name] = workspace_at(project.directory, opening.directory, last_build)
        if last_build is not None:
            WorkspaceProjects(self._app.paths.cache).note(project.directory)
        if opening.replaced is not None and opening.replaced != opening.directory:
            remove_owner(opening.replaced, project.owner(name))
        self._app.messenger.send(MessageType.INFO, f"Created a workspace for element {name}")


def _not_tried(remaining: Sequence[str]) -> str | None:
    return f"Did not try to create workspaces for {', '.join(remaining)}" if remaining else None
