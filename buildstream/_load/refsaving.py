"""Writing refs that tracking has found to where the project keeps them (format 1.5.1).

Files are changed by read-modify-write under a lock, so that nothing is lost when
several commands track at the same time, or a person edits meanwhile.
"""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .._dataclass import dataclass
from .._exceptions import BstError, LoadError
from .._utils_atomic import locked_directory
from ..exceptions import ErrorDomain
from ..node import MappingNode, Node, SequenceNode
from .resolved import ResolvedElement, ResolvedSource

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

    from ..types import SourceRef

Place = tuple[str | int, ...]  # keys and indices that lead to a value, from the top of a file

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class RefChange:
    """A value to be written to a file of the project, or to be removed from it."""

    path: str  # absolute
    place: Place  # of the value; the last step is a key
    value: Any  # plain data; ignored if the value is to be removed
    is_removal: bool
    # what stood beside the value when the file was loaded, to be found there again
    surroundings: Mapping[str, Any] = field(default_factory=dict)


def apply_ref(element: ResolvedElement, source: ResolvedSource, ref: "SourceRef") -> list[RefChange]:
    """Gives SOURCE of ELEMENT the new REF, and tells what has to be written for that.

    Raises:
        BstError: `tracking-junction-fragment`, if another project keeps the ref.
    """
    site = _RefSite(element, source)
    changed = site.node.clone()
    for key in ("kind", "directory", "provenance"):
        changed.safe_del(key)  # not the plugin's
    before = changed.strip_node_info()
    source.plugin.set_ref(ref, changed)
    after = changed.strip_node_info()
    keys = [
        key for key in [*after, *(k for k in before if k not in after)] if before.get(key) != after.get(key)
    ]
    return [site.change(key, after.get(key, _ABSENT), keys) for key in keys]


class _RefSite:
    """Where the ref of a source is kept: an entry of project.refs, or the declaration of the source."""

    def __init__(self, element: ResolvedElement, source: ResolvedSource) -> None:
        self._source = source
        self._toplevel = toplevel = element.project.toplevel
        self.node = source.node
        self._refs_place: Place = ()  # of the entry in project.refs
        if toplevel.ref_storage == "project.refs":
            name = "junction.refs" if element.kind == "junction" else "project.refs"
            self._refs_path = os.path.join(toplevel.directory, name)
            entry: Place = (element.project.name, element.name, source.index)
            self._refs_place = ("projects", *entry)
            found = _find(toplevel.refs_files.get(name), entry)
            self.node = found if isinstance(found, MappingNode) else MappingNode.from_dict({})

    def change(self, key: str, value: Any, changed_keys: Sequence[str]) -> RefChange:
        """What is to be done so that KEY has VALUE."""
        node = self.node.get_node(key, allow_none=True)
        if node is not None and not node._is_synthetic:
            place = self._place_in_file(node, (*self._refs_place, key))
        else:
            node = self.node
            place = (*self._place_in_file(node, self._refs_place), key)
        if node._is_synthetic:
            return RefChange(self._refs_path, (*self._refs_place, key), value, value is _ABSENT)
        provenance = node.get_provenance()
        if provenance._project is not self._toplevel:
            raise BstError(
                f"{self._source.plugin}: Cannot track sources in a fragment from a junction",
                detail=f"The ref would have to be written to {provenance._displayname}.",
                domain=ErrorDomain.SOURCE,
                reason="tracking-junction-fragment",
            )
        parent = _find(provenance._toplevel, place[:-1])
        beside = parent.strip_node_info() if isinstance(parent, MappingNode) else {}
        return RefChange(
            provenance._filename,
            place,
            value,
            is_removal=value is _ABSENT,
            surroundings={name: item for name, item in beside.items() if name not in changed_keys},
        )

    @staticmethod
    def _place_in_file(node: Node, expected: Place) -> Place:
        """Where NODE stands in its file; EXPECTED is tried first, for files with many refs."""
        if node._is_synthetic:
            return expected
        found = _find(node.get_provenance()._toplevel, expected)
        if found is not None and (found._line, found._column) == (node._line, node._column):
            return expected
        return tuple(node._key_path())


def _find(tree: Node | None, place: Place) -> Node | None:
    """The node at PLACE in TREE, None if there is none."""
    for step in place:
        if isinstance(tree, MappingNode) and isinstance(step, str):
            tree = tree.get_node(step, allow_none=True)
        elif isinstance(tree, SequenceNode) and isinstance(step, int) and step < len(tree):
            tree = tree.node_at(step)
        else:
            return None
    return tree


@dataclass(slots=True)
class _Batch:
    """The changes of one caller, and what became of them."""

    changes: Sequence[RefChange]
    is_done: bool = False
    error: BstError | None = None


class RefWriter:
    """Writes changes to files; may be called from several threads.

    While one thread writes, others gather: what they bring is then written at
    once, since a file with the refs of a whole project takes a while to write.
    """

    def __init__(self) -> None:
        self._gathering = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: list[_Batch] = []
        # the file that was written last, as it looked then, and its content
        self._last: tuple[str, tuple[int, ...], CommentedMap] | None = None

    def write(self, changes: Sequence[RefChange]) -> None:
        """Returns once CHANGES are in their files.

        Raises:
            BstError: `save-ref-error`; a file can't be read or written, or is not what it was.
        """
        if not changes:
            return
        batch = _Batch(changes)
        with self._gathering:
            self._waiting.append(batch)
        with self._writing:
            if not batch.is_done:
                with self._gathering:
                    batches, self._waiting = self._waiting, []
                self._write_batches(batches)
        if batch.error is not None:
            raise batch.error

    def _write_batches(self, batches: Sequence[_Batch]) -> None:
        by_path: dict[str, list[tuple[_Batch, RefChange]]] = {}
        for batch in batches:
            batch.is_done = True
            for change in batch.changes:
                by_path.setdefault(os.path.realpath(change.path), []).append((batch, change))
        for path, items in by_path.items():
            try:
                self._write_file(path, items)
            except (OSError, LoadError) as error:
                for batch, _ in items:
                    batch.error = _save_error(path, error)

    def _write_file(self, path: str, items: Iterable[tuple[_Batch, RefChange]]) -> None:
        with locked_directory(os.path.dirname(path)):
            document = self._read(path)
            for batch, change in items:
                try:
                    _apply(document, change)
                except _MisfitError as error:
                    batch.error = _save_error(path, error)
            from .roundtrip import save_roundtrip

            if os.path.exists(path) and not os.access(path, os.W_OK):
                raise PermissionError(f"No permission to write to '{path}'")
            save_roundtrip(document, path)
            self._last = (path, _signature(path), document)

    def _read(self, path: str) -> "CommentedMap":
        from ruamel.yaml.comments import CommentedMap

        from .roundtrip import load_roundtrip

        if not os.path.exists(path):
            return CommentedMap()
        if self._last is not None and self._last[:2] == (path, _signature(path)):
            return self._last[2]
        return load_roundtrip(path)


class _MisfitError(Exception):
    """A file does not have the place that is to be changed."""


def _save_error(path: str, error: Exception) -> BstError:
    return BstError(
        f"Failed to save the new ref to '{path}': {error}", domain=ErrorDomain.SOURCE, reason="save-ref-error"
    )


def _signature(path: str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _apply(document: Any, change: RefChange) -> None:
    container = document
    for depth, (step, next_step) in enumerate(pairwise(change.place)):
        _check_type(container, change.place, depth)
        container = _descend(container, step, next_step)
    _check_type(container, change.place, len(change.place) - 1)
    for key, value in change.surroundings.items():
        if key not in container or _plain(container[key]) != value:
            raise _MisfitError("The file was changed since it was loaded, track again")
    if change.is_removal:
        container.pop(change.place[-1], None)
    else:
        container[change.place[-1]] = change.value


def _check_type(container: Any, place: Place, depth: int) -> None:
    """Checks that CONTAINER, which the first DEPTH steps of PLACE lead to, can have the next one."""
    expected, name = (list, "list") if isinstance(place[depth], int) else (dict, "dictionary")
    if not isinstance(container, expected):
        where = ".".join(map(str, place[:depth])) or "the top level"
        raise _MisfitError(f"The value of '{where}' is no {name}")


def _descend(container: Any, step: str | int, next_step: str | int) -> Any:
    """What is at STEP of CONTAINER; made if it is not there, as a list if NEXT_STEP is an index."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(container, list):
        while len(container) <= int(step):
            container.append(CommentedMap())
    elif container.get(step) in ("", None):
        container[step] = CommentedSeq() if isinstance(next_step, int) else CommentedMap()
    return container[step]


def _plain(data: Any) -> Any:
    """DATA as loading gives it: scalars are stripped texts."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return "" if data is None else str(data).strip()
