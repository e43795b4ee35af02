"""How to lay extracted trees over each other to get a directory, without work per file."""

from collections.abc import Sequence

from .._dataclass import dataclass
from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry
from .frozen import EMPTY, FrozenDirectory
from .nodes import DirectoryNode, PeekedEntry, Tree, View

REMOVED_AT_MOST = 1000  # each costs as much as a file that is staged
LAYERS_AT_MOST = 4000  # deep stacks are merged before they are mounted


@dataclass(frozen=True, slots=True)
class StagingPlan:
    """Trees that, laid over each other, are exactly a directory, but for what is removed at last."""

    layers: tuple[Digest, ...]  # bottom to top, each once; none for an empty directory
    # Layers that hold what belongs to this directory alone: programs that look at link counts
    # and inode numbers are let loose on them.
    private: frozenset[Digest] = frozenset()
    # Over all layers: what belongs to this directory alone since the mark, such as the sources of
    # a build.  None if there is nothing, or if it is in the layers.
    changes: FrozenDirectory | None = None
    removed: tuple[str, ...] = ()  # what of the layers is not there any more; only if there are changes


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

    def is_untouched(self) -> bool:
        """Whether nothing has ever been in the directory, as far as it is known."""
        return not self._layers and not self.root.tree.is_changed and self.root.is_empty()

    def take_over(self, layers: Sequence[Digest]) -> None:
        """To be called when an untouched root became what LAYERS give, bottom to top."""
        self._layers = list(layers)
        self.root.tree.mark()

    def begin_layer(self) -> None:
        """To be called before a whole tree is imported at the root."""
        if self.root.tree.is_changed:
            current = self._current()
            self._layers = list(current.layers)
            if current.removed:
                self._layers = self._whole()  # layers can't hide what is under them
            elif current.changes is not None:
                changes = current.changes.store(self.root.tree.cas.add_directory)
                if changes in self._layers:
                    self._layers.remove(changes)
                else:
                    self._private.add(changes)
                self._layers.append(changes)
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
        return self._current()

    def under(self, path: str) -> FrozenDirectory:
        """What the layers of the plan alone show at PATH; what is no directory counts as an empty one.

        Only while the plan has changes.  O(directories that have changed since the mark).
        """
        tree = self.root.tree
        view = tree.view_at_mark(self.root)
        for name in filter(None, path.split("/")):
            entry = tree.entries_of(view).get(name)
            if not isinstance(entry, (DirectoryEntry, DirectoryNode)):
                return EMPTY
            view = tree.view_at_mark(entry)
        return tree.freeze_at_mark(view)

    def _whole(self) -> list[Digest]:
        """The directory as it is now as one layer."""
        digest = self.root.compute_digest()
        return [] if digest == EMPTY_DIGEST else [digest]

    def _current(self) -> StagingPlan:
        """The layers, and what changed since the mark."""
        layers = tuple(self._layers)
        private = frozenset(self._private.intersection(layers))
        if not self.root.tree.is_changed:
            return StagingPlan(layers, private)
        tree = self.root.tree
        difference = _Difference(tree)
        delta = difference.find(tree.view_at_mark(self.root), tree.view(self.root))
        removed = tuple(difference.removed)
        if len(removed) > REMOVED_AT_MOST:
            return StagingPlan(tuple(self._whole()))
        if removed:
            return StagingPlan(layers, private, delta or EMPTY, removed)
        return StagingPlan(layers, private, delta)


class _Difference:
    """What one directory has that another has not.

    Attributes:
        removed: Paths of what only the other one has; nothing is inside another.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.removed: list[str] = []

    def find(self, base: View, current: View, path: str = "") -> FrozenDirectory | None:
        """A tree with all that CURRENT has and BASE has not; what is removed is noted.

        Args:
            base: A directory.
            current: The same later.
            path: Where they are, with a slash at the end; empty at the root.

        Returns:
            The tree; None if it would be empty.
        """
        if base[0] is not None and base[0] == current[0]:
            return None
        base_entries = self._tree.entries_of(base)
        current_entries = self._tree.entries_of(current)
        if not base_entries.keys() <= current_entries.keys():
            self.removed += sorted(path + name for name in base_entries.keys() - current_entries.keys())
        found: list[tuple[str, FileEntry | SymlinkEntry | FrozenDirectory]] = []
        for name, entry in current_entries.items():
            before = base_entries.get(name)
            if isinstance(entry, (DirectoryEntry, DirectoryNode)):
                directory = self._directory(before, entry, f"{path}{name}/")
                if directory is not None:
                    found.append((name, directory))
            elif entry != before:
                found.append((name, entry))
        return FrozenDirectory(None, tuple(found)) if found else None

    def _directory(
        self, before: PeekedEntry | None, entry: "DirectoryEntry | DirectoryNode", path: str
    ) -> FrozenDirectory | None:
        if isinstance(before, (DirectoryEntry, DirectoryNode)):
            if before is entry and not self._may_differ(entry):
                return None
            return self.find(self._tree.view_at_mark(before), self._tree.view(entry), path)
        # New, or in place of a file: the overlay shows nothing from under a file.
        return entry.freeze() if isinstance(entry, DirectoryNode) else FrozenDirectory(entry.digest)

    def _may_differ(self, entry: "DirectoryEntry | DirectoryNode") -> bool:
        return isinstance(entry, DirectoryNode) and entry.generation == self._tree.generation
