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
    # Layers that hold what belongs to this directory alone: programs that look at link counts
    # and inode numbers are let loose on them.
    private: frozenset[Digest] = frozenset()
    # Over all layers: what belongs to this directory alone since the mark, such as the sources of
    # a build.  None if there is nothing, or if it is in the layers.
    changes: Digest | None = None


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
            self._layers, changes = self._current()
            if changes is not None:
                self._layers.append(changes)
                self._private.add(changes)
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
        layers, changes = self._current()
        return StagingPlan(tuple(layers), frozenset(self._private.intersection(layers)), changes)

    def digest_under(self, path: str) -> Digest:
        """What the layers of the plan, without its changes, show at PATH; no directory is an empty one.

        Only while the plan has changes.  O(directories that have changed since the mark).
        """
        tree = self.root.tree
        view = tree.view_at_mark(self.root)
        for name in filter(None, path.split("/")):
            entry = tree.entries_of(view).get(name)
            if not isinstance(entry, (DirectoryEntry, DirectoryNode)):
                return EMPTY_DIGEST
            view = tree.view_at_mark(entry)
        return _store_view(tree, view)

    def _whole(self) -> list[Digest]:
        """The directory as it is now as one layer."""
        digest = self.root.compute_digest()
        return [] if digest == EMPTY_DIGEST else [digest]

    def _current(self) -> tuple[list[Digest], Digest | None]:
        """The layers, and what changed since the mark as a tree over them."""
        if not self.root.tree.is_changed:
            return list(self._layers), None
        try:
            delta = _store_delta(self.root)
        except _Inexpressible:
            return self._whole(), None
        if delta in self._layers:
            return [*(digest for digest in self._layers if digest != delta), delta], None
        return list(self._layers), delta


def _store_delta(root: DirectoryNode) -> Digest | None:
    """Stores a tree with all that ROOT has and did not have at the mark; None if that is nothing."""
    return _Difference(root.tree).store(root.tree.view_at_mark(root), root.tree.view(root))


def _store_view(tree: Tree, view: View) -> Digest:
    """The digest of a directory as it was at the mark; directories that had none yet are stored."""
    digest, _ = view
    if digest is not None:
        return digest
    files: list[FileEntry] = []
    directories: list[DirectoryEntry] = []
    symlinks: list[SymlinkEntry] = []
    for name, entry in tree.entries_of(view).items():
        if isinstance(entry, (DirectoryEntry, DirectoryNode)):
            directories.append(DirectoryEntry(name, _store_view(tree, tree.view_at_mark(entry))))
        elif isinstance(entry, FileEntry):
            files.append(entry)
        else:
            symlinks.append(entry)
    return tree.cas.add_directory(TreeDirectory(tuple(files), tuple(directories), tuple(symlinks)))


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
