"""Directories as they were at some time, of the store and in memory."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Union

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory

FrozenEntry = Union[FileEntry, SymlinkEntry, "FrozenDirectory"]


class FrozenDirectory(NamedTuple):
    """A directory as it was at some time: its digest, or its entries while it has none."""

    digest: Digest | None
    entries: "tuple[tuple[str, FrozenEntry], ...]" = ()
    subtree_read_only: bool | None = None

    def stored_trees(self) -> "Iterator[Digest]":
        """The largest trees in it that have a digest."""
        if self.digest is not None:
            yield self.digest
            return
        for _, entry in self.entries:
            if isinstance(entry, FrozenDirectory):
                yield from entry.stored_trees()

    def store(self, add: Callable[[TreeDirectory], Digest]) -> Digest:
        """The digest; directories that had none are stored by ADD.  O(entries of these)."""
        if self.digest is not None:
            return self.digest
        files: list[FileEntry] = []
        directories: list[DirectoryEntry] = []
        symlinks: list[SymlinkEntry] = []
        for name, entry in self.entries:
            if isinstance(entry, FrozenDirectory):
                directories.append(DirectoryEntry(name, entry.store(add)))
            elif isinstance(entry, FileEntry):
                files.append(entry)
            else:
                symlinks.append(entry)
        return add(TreeDirectory(tuple(files), tuple(directories), tuple(symlinks), self.subtree_read_only))


EMPTY = FrozenDirectory(EMPTY_DIGEST)


def frozen_entries(directory: TreeDirectory) -> "tuple[tuple[str, FrozenEntry], ...]":
    """The entries of a directory of the store."""
    return (
        *((entry.name, entry) for entry in directory.files),
        *((name, FrozenDirectory(digest)) for name, digest in directory.directories),
        *((entry.name, entry) for entry in directory.symlinks),
    )
