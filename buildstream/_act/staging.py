"""Staging artifacts into a sandbox, and telling which files overlap (plugin specification 8.9)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._load.resolved import ResolvedElement
from .._model.digest import Digest
from .._plan.artifactview import ArtifactView
from .._store.cas import Cas
from .._store.cas_directory import CasDirectory
from .._utils_glob import compile_globs
from ..element import ElementError
from ..types import CoreWarnings, OverlapAction
from ..utils import FileListResult
from .splitrules import PathFilter

if TYPE_CHECKING:
    from ..node import MappingNode


@dataclass(frozen=True, slots=True)
class StagingRequest:
    """One artifact to be staged."""

    element: ResolvedElement
    artifact: ArtifactView
    path_filter: PathFilter | None


@dataclass(slots=True)
class _Staged:
    """An artifact that has been staged; answers whether it brought a path."""

    element: ResolvedElement
    path_filter: PathFilter | None
    cas: Cas
    files: Digest | None
    tree: CasDirectory | None = None  # made when something was overwritten

    def brought(self, path: str) -> bool:
        if self.tree is None and self.files is not None:
            self.tree = CasDirectory(self.cas, self.files)
        if self.tree is None or (self.path_filter is not None and not self.path_filter(path)):
            return False
        # a directory counts too: only an empty one can have been overwritten
        return self.tree.exists(path)


@dataclass(slots=True)
class _Session:
    """One call of a plugin: artifacts staged at one place."""

    location: str  # absolute, "/" for the root
    staged: list[_Staged] = field(default_factory=list)
    # path relative to the location -> those who brought it in this session, bottom first
    overlaps: dict[str, list[ResolvedElement]] = field(default_factory=dict)
    # (element, path) -> (earlier element, its location)
    earlier: list[tuple[ResolvedElement, str, ResolvedElement, str]] = field(default_factory=list)
    ignored: dict[ResolvedElement, list[str]] = field(default_factory=dict)

    def absolute(self, path: str) -> str:
        return f"{self.location.rstrip('/')}/{path}"


class OverlapCollector:
    """Stages artifacts into one sandbox and keeps track of who brought which file.

    Nothing is recorded per file that is staged: who brought a file is looked up
    in the artifacts' trees, only for files that are overwritten.

    Args:
        cas: Where the trees are.
        root: The virtual directory of the sandbox.
        public_data: Gives the run-time `bst` public data of an element.
    """

    def __init__(
        self,
        cas: Cas,
        root: Callable[[], CasDirectory],
        public_data: "Callable[[ResolvedElement], MappingNode | None]",
    ) -> None:
        self._cas = cas
        self._root = root
        self._public_data = public_data
        self._sessions: list[_Session] = []

    def stage(
        self,
        owner: ResolvedElement,
        requests: Sequence[StagingRequest],
        *,
        path: str | None,
        action: OverlapAction,
        announce: Callable[[ResolvedElement], None],
    ) -> FileListResult:
        """Stages REQUESTS in order at PATH as one session, then warns OWNER of overlaps.

        ANNOUNCE is called before each artifact.  The result lists the files that
        were written only where a single artifact was staged: nobody asks otherwise.

        Raises:
            ElementError: Files of earlier sessions are overwritten and ACTION is ERROR.
            PluginError: A warning that is fatal for the project.
        """
        location = "/" + (path or "/").strip("/")
        session = _Session(location)
        total = FileListResult()
        for request, result in self._imports(session, requests, announce):
            self._note(session, request, result)
            if len(requests) == 1:
                total = result
            else:
                total.overwritten += result.overwritten
                total.ignored += result.ignored
        self._sessions.append(session)
        self._report(owner, session, action)
        return total

    def _imports(
        self,
        session: _Session,
        requests: Sequence[StagingRequest],
        announce: Callable[[ResolvedElement], None],
    ) -> Iterator[tuple[StagingRequest, FileListResult]]:
        """Announces each of REQUESTS and imports its files."""
        root = self._root()
        path = session.location.strip("/")
        trees = [request.artifact.files for request in requests]
        if len(requests) > 1 and not path and all(request.path_filter is None for request in requests):
            whole = root._import_trees([tree for tree in trees if tree is not None])
            for request, tree in zip(requests, trees, strict=True):
                announce(request.element)
                yield request, FileListResult() if tree is None else next(whole)
            next(whole, None)  # what follows the last result
            return
        for request, tree in zip(requests, trees, strict=True):
            announce(request.element)
            if tree is None:
                yield request, FileListResult()
            else:
                yield request, root._import_tree(tree, path=path, filter_callback=request.path_filter)

    def _note(self, session: _Session, request: StagingRequest, result: FileListResult) -> None:
        """Notes what REQUEST has brought, and what that met."""
        staged = _Staged(request.element, request.path_filter, self._cas, request.artifact.files)
        for path in result.overwritten:
            self._note_overwritten(session, staged, path)
        if result.ignored:
            session.ignored[request.element] = list(result.ignored)
        session.staged.append(staged)

    def _note_overwritten(self, session: _Session, staged: _Staged, path: str) -> None:
        chain = session.overlaps.get(path)
        if chain is not None:
            chain.append(staged.element)
            return
        for other in reversed(session.staged):
            if other.brought(path):
                session.overlaps[path] = [other.element, staged.element]
                return
        absolute = session.absolute(path)
        for earlier in reversed(self._sessions):
            prefix = earlier.location.rstrip("/") + "/"
            if not absolute.startswith(prefix):
                continue
            for other in earlier.staged:  # that of the bottom is named
                if other.brought(absolute[len(prefix) :]):
                    session.earlier.append((staged.element, absolute, other.element, earlier.location))
                    return

    # reports

    def _report(self, owner: ResolvedElement, session: _Session, action: OverlapAction) -> None:
        self._report_overlaps(owner, session)
        self._report_ignored(owner, session)
        if action is OverlapAction.IGNORE or not session.earlier:
            return
        lines = [
            f"{path}: {element.full_name} overlaps files previously staged by {other.full_name} "
            f"in: {location}"
            for element, path, other, location in session.earlier
        ]
        head = f"Detected file overlaps while staging elements into: {session.location}"
        detail = "\n".join([head, *lines])
        if action is OverlapAction.ERROR:
            raise ElementError("Overlaps detected", reason="overlaps", detail=detail)
        owner.plugin.warn("Overlaps detected", detail=detail, warning_token=CoreWarnings.OVERLAPS)

    def _report_overlaps(self, owner: ResolvedElement, session: _Session) -> None:
        lines = []
        for path, chain in session.overlaps.items():
            offenders = [
                element.full_name for element in chain[1:] if not self._is_whitelisted(element, path)
            ]
            if not offenders:
                continue
            verb = "is" if len(offenders) == 1 else "are"
            order = " above ".join(element.full_name for element in reversed(chain))
            lines.append(
                f"{session.absolute(path)}: {' and '.join(offenders)} {verb} not permitted to overlap "
                f"other elements, order {order} "
            )
        if lines:
            head = f"Staged files overwrite existing files in staging area: {session.location}"
            owner.plugin.warn(
                "Non-whitelisted overlaps detected",
                detail="\n".join([head, *lines, ""]),
                warning_token=CoreWarnings.OVERLAPS,
            )

    def _report_ignored(self, owner: ResolvedElement, session: _Session) -> None:
        if not session.ignored:
            return
        head = "Not staging files which would replace non-empty directories in staging area"
        lines = [f"{head}: {session.location}"]
        for element, paths in session.ignored.items():
            lines += ["", f"From {element.full_name}:", *(f"  {session.absolute(path)}" for path in paths)]
        owner.plugin.warn(
            "Not staging files which would have replaced non-empty directories",
            detail="\n".join(lines),
            warning_token=CoreWarnings.UNSTAGED_FILES,
        )

    def _is_whitelisted(self, element: ResolvedElement, path: str) -> bool:
        data = self._public_data(element)
        globs = [] if data is None else data.get_str_list("overlap-whitelist", [])
        return bool(globs) and compile_globs(globs).match("/" + path) is not None
