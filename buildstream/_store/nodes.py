"""Directories of the store that can be changed in memory.

A node knows its digest until it is changed, and its entries only once somebody
looked.  Changing it drops its digest and those of the directories above it;
`compute_digest` stores what changed.

Between two calls of `Tree.mark` each node also remembers what it was at the
mark, when it is changed first.  So the difference to the mark can be found by
looking at changed nodes alone.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Union

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory
from .cas import Cas
from .frozen import FrozenDirectory

Entry = Union[FileEntry, SymlinkEntry, "DirectoryNode"]
# what can be seen without loading: a directory is a node or, inside what is not loaded, a digest
PeekedEntry = Union[FileEntry, SymlinkEntry, DirectoryEntry, "DirectoryNode"]
# a directory at some time: its digest, or its entries, or both
View = tuple[Digest | None, Mapping[str, PeekedEntry] | None]


class Tree:
    """What all nodes below one root share."""

    __slots__ = ("cas", "generation", "is_changed", "is_recording")

    def __init__(self, cas: Cas) -> None:
        self.cas = cas
        self.generation = 1  # counts the marks
        self.is_changed = False  # since the last mark, while recording
        self.is_recording = True  # whether nodes remember what they were at the mark

    def mark(self) -> None:
        """Makes the present state the one that differences are found to."""
        self.generation += 1
        self.is_changed = False
        self.is_recording = True

    def entries_of(self, view: View) -> Mapping[str, PeekedEntry]:
        """The entries of a directory, without loading nodes: directories, files, then links."""
        digest, entries = view
        if entries is not None:
            return entries
        assert digest is not None, "a directory without entries has a digest"
        directory = self.cas.read_directory(digest)
        return {entry.name: entry for part in (directory[1], directory[0], directory[2]) for entry in part}

    def view(self, entry: "DirectoryEntry | DirectoryNode") -> View:
        """A directory as it is now."""
        if isinstance(entry, DirectoryNode):
            return entry.view()
        return (entry.digest, None)

    def freeze_at_mark(self, view: View) -> FrozenDirectory:
        """A directory of which VIEW was seen at the last mark.  O(entries of those without digest then)."""
        digest, entries = view
        if digest is not None:
            return FrozenDirectory(digest)
        assert entries is not None, "a directory without digest has entries"
        frozen = tuple(
            (name, self.freeze_at_mark(self.view_at_mark(entry)))
            if isinstance(entry, (DirectoryEntry, DirectoryNode))
            else (name, entry)
            for name, entry in entries.items()
        )
        return FrozenDirectory(None, frozen)

    def view_at_mark(self, entry: "DirectoryEntry | DirectoryNode") -> View:
        """A directory as it was at the last mark."""
        if isinstance(entry, DirectoryNode) and entry.generation == self.generation:
            return (entry.marked_digest, entry.marked_entries)
        return self.view(entry)


class DirectoryNode:
    """One directory of a tree.

    At any time it has a digest, entries or a pending digest.  A directory
    without digest is only in directories without digest.
    """

    __slots__ = (
        "digest",
        "entries",
        "generation",
        "marked_digest",
        "marked_entries",
        "name",
        "parent",
        "pending",
        "subtree_read_only",
        "tree",
    )

    def __init__(
        self, tree: Tree, parent: "DirectoryNode | None", name: str, digest: Digest | None = None
    ) -> None:
        self.tree = tree
        self.parent = parent  # None for the root, and for what was removed
        self.name = name  # in the parent
        self.digest = digest  # None while it is changed
        self.entries: dict[str, Entry] | None = None if digest is not None else {}  # None until loaded
        self.pending: Callable[[], Digest] | None = None  # gives the digest; called once
        self.subtree_read_only: bool | None = None  # known once loaded
        self.generation = 0  # of the last mark after which it was changed
        self.marked_digest: Digest | None = None  # what it was at that mark
        self.marked_entries: dict[str, Entry] | None = None

    # --- Reading

    def load(self) -> dict[str, Entry]:
        """The entries, not to be changed by the caller."""
        if self.entries is not None:
            return self.entries
        if self.pending is not None:
            self._resolve()
        assert self.digest is not None, "a directory without entries has a digest"
        directory = self.tree.cas.read_directory(self.digest)
        entries: dict[str, Entry] = {
            name: DirectoryNode(self.tree, self, name, digest) for name, digest in directory.directories
        }
        entries.update((entry.name, entry) for entry in directory.files)
        entries.update((entry.name, entry) for entry in directory.symlinks)
        self.subtree_read_only = directory.subtree_read_only
        self.entries = entries
        return entries

    def view(self) -> View:
        """What it is now, without loading it."""
        if self.pending is not None:
            self._resolve()
        return (self.digest, self.entries)

    def is_empty(self) -> bool:
        """Whether it has no entries."""
        if self.entries is None and self.pending is None and self.digest == EMPTY_DIGEST:
            return True
        return not self.load()

    def path(self) -> str:
        """The components from the root, each with a slash before it; empty for the root."""
        names: list[str] = []
        node = self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "".join(f"/{name}" for name in reversed(names))

    def root(self) -> "DirectoryNode":
        """The top of the tree."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    def compute_digest(self) -> Digest:
        """The digest; directories that changed are stored.  O(entries of these)."""
        if self.pending is not None:
            self._resolve()
        if self.digest is None:
            assert self.entries is not None, "a changed directory is loaded"
            directories = [
                DirectoryEntry(name, entry.compute_digest())
                for name, entry in self.entries.items()
                if isinstance(entry, DirectoryNode)
            ]
            self.digest = self.tree.cas.add_directory(
                TreeDirectory(
                    tuple(entry for entry in self.entries.values() if isinstance(entry, FileEntry)),
                    tuple(directories),
                    tuple(entry for entry in self.entries.values() if isinstance(entry, SymlinkEntry)),
                    self.subtree_read_only,
                )
            )
        return self.digest

    def freeze(self) -> FrozenDirectory:
        """What it is now.  O(entries of directories without digest)."""
        if self.pending is not None:
            self._resolve()
        if self.digest is not None:
            return FrozenDirectory(self.digest)
        assert self.entries is not None, "a changed directory is loaded"
        entries = tuple(
            (name, entry.freeze() if isinstance(entry, DirectoryNode) else entry)
            for name, entry in self.entries.items()
        )
        return FrozenDirectory(None, entries, self.subtree_read_only)

    # --- Changing

    def thaw(self, content: FrozenDirectory) -> None:
        """Becomes what CONTENT is; for a new node, or a root in which nothing has ever been."""
        self.digest = content.digest
        if content.digest is not None:
            self.entries = None
            return
        entries: dict[str, Entry] = {}
        for name, entry in content.entries:
            if isinstance(entry, FrozenDirectory):
                child = entries[name] = DirectoryNode(self.tree, self, name, entry.digest)
                if entry.digest is None:
                    child.thaw(entry)
            else:
                entries[name] = entry
        self.entries = entries
        self.subtree_read_only = content.subtree_read_only

    def touch(self) -> None:
        """Notes that the directory changes: it and those above lose their digests."""
        tree = self.tree
        node: DirectoryNode | None = self
        while node is not None:
            is_noted = node.generation == tree.generation or not tree.is_recording
            if node.digest is None and is_noted:
                return  # and so were all above
            if not is_noted:
                node.generation = tree.generation
                node.marked_digest = node.digest
                node.marked_entries = node.entries
                tree.is_changed = True
            node.digest = None
            node = node.parent

    def mutable_entries(self) -> dict[str, Entry]:
        """The entries, for the caller to change at once."""
        entries = self.load()
        self.touch()
        if entries is self.marked_entries:
            entries = self.entries = dict(entries)
        return entries

    def put(self, entry: FileEntry | SymlinkEntry) -> None:
        """Adds a file or link, in place of whatever has its name."""
        self.detach(entry.name)
        self.mutable_entries()[entry.name] = entry

    def put_directory(self, name: str, digest: Digest | None = None) -> "DirectoryNode":
        """Adds a directory, empty or with DIGEST, where nothing has its name."""
        entries = self.mutable_entries()
        node = DirectoryNode(self.tree, self, name, digest)
        if digest is None:
            node.generation = self.tree.generation  # new since the mark, as its parent is changed
        entries[name] = node
        return node

    def move_in(self, name: str, entry: Entry) -> None:
        """Adds a detached entry under a new name, in place of whatever has it."""
        if not isinstance(entry, DirectoryNode):
            self.put(entry._replace(name=name))
            return
        self.detach(name)
        self.mutable_entries()[name] = entry
        entry.name = name
        entry.parent = self

    def detach(self, name: str) -> Entry | None:
        """Takes an entry out and gives it; None if there is none."""
        if name not in self.load():
            return None
        entry = self.mutable_entries().pop(name)
        if isinstance(entry, DirectoryNode):
            entry.parent = None
        return entry

    def replace_content(self, pending: Callable[[], Digest]) -> None:
        """Makes this the directory whose digest PENDING will give when it is needed first."""
        self.touch()
        self._forget_entries()
        self.pending = pending

    def set_subtree_read_only(self, value: bool | None) -> None:
        """Sets or removes the property that tells a sandbox whether it may write below."""
        self.load()
        if self.subtree_read_only is not value:
            self.touch()
            self.subtree_read_only = value

    def _forget_entries(self) -> None:
        for entry in (self.entries or {}).values():
            if isinstance(entry, DirectoryNode):
                entry.parent = None
        self.entries = None
        self.digest = None

    def _resolve(self) -> None:
        assert self.pending is not None
        try:
            self.digest = self.pending()
        except BaseException as error:
            self.pending = _raise_again(error)
            raise
        self.pending = None


def _raise_again(error: BaseException) -> Callable[[], Digest]:
    """What stands for a digest that could not be found out."""

    def fail() -> Digest:
        raise error

    return fail


def walk_paths(tree: Tree, view: View, prefix: str = "") -> Iterator[tuple[str, PeekedEntry]]:
    """Yields relative path and entry of everything below a directory, without loading nodes.

    A directory comes before its content; files and links of a directory come,
    sorted, before its subdirectories.
    """
    subdirectories: list[tuple[str, DirectoryEntry | DirectoryNode]] = []
    for name, entry in sorted(tree.entries_of(view).items()):
        if isinstance(entry, (DirectoryEntry, DirectoryNode)):
            subdirectories.append((name, entry))
        else:
            yield prefix + name, entry
    for name, directory in subdirectories:
        yield prefix + name, directory
        yield from walk_paths(tree, tree.view(directory), f"{prefix}{name}/")
