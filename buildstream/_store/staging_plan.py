"""How to lay extracted trees over each other to get a directory, without work per file."""

from .._dataclass import dataclass
from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory
from .nodes import DirectoryNode, PeekedEntry, Tree, View

LAYERS_AT_MOST = 4000  # deep stacks are merged before they are mounted


@dataclass(frozen=True, slots=True)
class StagingPlan:
    """Trees that, laid over each other, are exactly a directory."""

    layers: tuple[Digest, ...]  # bottom to top, each once; none for an empty directory
    # Layers that hold what belongs to this directory alone, such as the sources of a
    # build: programs that look at link counts and inode numbers are let loose on them.
    private: frozenset[Digest] = frozenset()


class _Inexpressible(Exception):
    """A directory lacks something that the one under it has: plain layers can't hide it."""


class LayerHistory:
    """The layers that make up a directory up to the last mark of its tree.

    Whole trees that are imported at the root become layers; whatever else
    changed since is found as one more layer when it is asked for.

    Args:
        root: The top of the tree.
        digest: What it is now; None if empty.
    """

    def __init__(self, root: DirectoryNode, digest: Digest | None) -> None:
        self.root = root
        self._layers: list[Digest] = []
        self._private: set[Digest] = set()  # those of the layers that no import brought
        if digest is not None and digest != EMPTY_DIGEST:
            self._layers.append(digest)

    def begin_layer(self) -> None:
        """To be called before a whole tree is imported at the root."""
        if self.root.tree.is_changed:
            self._layers = self._current()
        if len(self._layers) >= LAYERS_AT_MOST - 1:  # one more may be needed for other changes
            self._layers = self._whole()
        self.root.tree.is_recording = False

    def end_layer(self, digest: Digest, *, is_exact: bool) -> None:
        """To be called after the import of the tree DIGEST.

        Args:
            digest: What was imported.
            is_exact: Whether all of it was imported.
        """
        if not is_exact:
            self._layers = self._whole()
        elif digest != EMPTY_DIGEST:
            # An overlay refuses a layer that comes twice; the upper one hides all of the lower one.
            if digest in self._layers:
                self._layers.remove(digest)
            self._private.discard(digest)
            self._layers.append(digest)
        self.root.tree.mark()

    def plan(self) -> StagingPlan:
        """The plan for the directory as it is now."""
        if self.root.is_empty():
            return StagingPlan(())
        layers = tuple(self._current())
        return StagingPlan(layers, frozenset(self._private.intersection(layers)))

    def _whole(self) -> list[Digest]:
        """The directory as it is now as one layer."""
        digest = self.root.compute_digest()
        return [] if digest == EMPTY_DIGEST else [digest]

    def _current(self) -> list[Digest]:
        """The layers with one more for what changed since the mark."""
        if not self.root.tree.is_changed:
            return list(self._layers)
        try:
            delta = _store_delta(self.root)
        except _Inexpressible:
            return self._whole()
        if delta is None:
            return list(self._layers)
        if delta not in self._layers:
            self._private.add(delta)
        return [*(digest for digest in self._layers if digest != delta), delta]


def _store_delta(root: DirectoryNode) -> Digest | None:
    """Stores a tree with all that ROOT has and did not have at the mark; None if that is nothing."""
    return _Difference(root.tree).store(root.tree.view_at_mark(root), root.tree.view(root))


class _Difference:
    """What one directory has that another has not."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def store(self, base: View, current: View) -> Digest | None:
        """The digest of a tree which, laid over BASE, gives CURRENT; None if they are the same.

        Raises:
            _Inexpressible: Something of BASE is missing in CURRENT.
        """
        if base[0] is not None and base[0] == current[0]:
            return None
        base_entries = self._tree.entries_of(base)
        current_entries = self._tree.entries_of(current)
        if not base_entries.keys() <= current_entries.keys():
            raise _Inexpressible
        files: list[FileEntry] = []
        directories: list[DirectoryEntry] = []
        symlinks: list[SymlinkEntry] = []
        for name, entry in current_entries.items():
            before = base_entries.get(name)
            if isinstance(entry, (DirectoryEntry, DirectoryNode)):
                digest = self._directory(before, entry)
                if digest is not None:
                    directories.append(DirectoryEntry(name, digest))
            elif entry != before:
                if isinstance(entry, FileEntry):
                    files.append(entry)
                else:
                    symlinks.append(entry)
        if not (files or directories or symlinks):
            return None
        return self._tree.cas.add_directory(TreeDirectory(tuple(files), tuple(directories), tuple(symlinks)))

    def _directory(
        self, before: PeekedEntry | None, entry: "DirectoryEntry | DirectoryNode"
    ) -> Digest | None:
        if isinstance(before, (DirectoryEntry, DirectoryNode)):
            if before is entry and not self._may_differ(entry):
                return None
            return self.store(self._tree.view_at_mark(before), self._tree.view(entry))
        # New, or in place of a file: the overlay shows nothing from under a file.
        return entry.compute_digest() if isinstance(entry, DirectoryNode) else entry.digest

    def _may_differ(self, entry: "DirectoryEntry | DirectoryNode") -> bool:
        return isinstance(entry, DirectoryNode) and entry.generation == self._tree.generation
