"""Bringing the changes of one tree into another."""

from collections.abc import Iterator

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory
from .cas import Cas

_Entry = FileEntry | DirectoryEntry | SymlinkEntry


def apply_changes(cas: Cas, tree: Digest, old: Digest, new: Digest) -> Digest:
    """The digest of TREE with the changes that lead from the tree OLD to the tree NEW.

    This is what incremental builds start with (keys specification 2.9).  What was added or
    changed overwrites what is in TREE, what vanished is removed with all below it, and the
    rest of TREE stays as it is.  Entries are the same if name, type, content, execute bit,
    recorded time and target are.  Costs as much as the directories that changed have entries.

    Raises:
        CASError: A directory is not in the store.
    """
    if old == new:
        return tree
    if tree == old:
        return new
    present = _read(cas, tree)
    before = {entry.name: entry for entry in _entries(_read(cas, old))}
    after = {entry.name: entry for entry in _entries(_read(cas, new))}
    merged: dict[str, _Entry] = {entry.name: entry for entry in _entries(present)}
    for name, entry in after.items():
        earlier, found = before.get(name), merged.get(name)
        if entry == earlier:
            continue
        if isinstance(entry, DirectoryEntry) and isinstance(found, DirectoryEntry):
            base = earlier.digest if isinstance(earlier, DirectoryEntry) else EMPTY_DIGEST
            merged[name] = DirectoryEntry(name, apply_changes(cas, found.digest, base, entry.digest))
        else:
            merged[name] = entry
    for name in before.keys() - after.keys():
        merged.pop(name, None)
    return cas.add_directory(
        TreeDirectory(
            tuple(entry for entry in merged.values() if isinstance(entry, FileEntry)),
            tuple(entry for entry in merged.values() if isinstance(entry, DirectoryEntry)),
            tuple(entry for entry in merged.values() if isinstance(entry, SymlinkEntry)),
            present.subtree_read_only,
            present.mtime_ns,
        )
    )


def _read(cas: Cas, digest: Digest) -> TreeDirectory:
    return TreeDirectory() if digest == EMPTY_DIGEST else cas.read_directory(digest)


def _entries(directory: TreeDirectory) -> Iterator[_Entry]:
    yield from directory.files
    yield from directory.directories
    yield from directory.symlinks
