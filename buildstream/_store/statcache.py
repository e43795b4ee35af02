"""Digests of host directories, at the cost of what changed since the last time.

What `stat` told of each file is kept with its digest, but for trees so small that reading
them again takes no longer.  A file is read again unless inode,
size, both times and the mode are the same, and its times were settled when
it was looked at: a file that is written twice within one tick of the clock of its file
system may look the same after the second time.  The change time can't be set back by
anybody, so renamed files and files with moved times are noticed.
"""

import hashlib
import os
import stat
import time
from contextlib import ExitStack
from typing import NamedTuple

from .._model.digest import Digest, digest_from_bytes
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory, encode_directory
from .capture import capture_directory
from .hostscan import HostDirectory, HostScan
from .layout import cas_error
from .manyfiles import Files, ManyFiles
from .objects import ObjectStore
from .scan import check_utf8
from .seentrees import (
    NO_HASH,
    UNSETTLED,
    Facts,
    SeenDirectory,
    known_hashes,
    load_seen,
    packed,
    save_seen,
    split_facts,
    split_hashes,
    split_names,
)
from .statrecords import is_settled

# trees of which nothing is kept
_SMALL_COUNT = 8
_SMALL_BYTES = 64 * 1024
# what is kept of trees that are so large that workers look at them: at some 5,000 files
_LARGE_RECORD_BYTES = 400_000


class DigestedTree(NamedTuple):
    """A host directory."""

    digest: Digest
    stored: frozenset[str]  # hashes of all directories, if they and all files are in the store and claimed
    file_count: int
    is_new: bool = False  # whether all contents of files were stored now


def digest_directory(
    objects: ObjectStore, records: str, path: str, *, mtimes: bool, stores_many: bool
) -> DigestedTree:
    """The digest of the host directory at PATH, as `Cas.import_directory` gives it.

    Files that have not changed since the last time are not read.  Costs a system call
    for each file.  Where directories forbid to be read, everything is stored in OBJECTS,
    since that knows how to read them nevertheless.

    Args:
        records: Directory where is kept what was seen; a file for each PATH.
        mtimes: As for `Cas.import_directory`.
        stores_many: Whether files are stored when they are read, if that are many.

    Raises:
        CASError: Something can't be read, or has a name that is not UTF-8.
    """
    look = _Look(_record_path(records, path, mtimes=mtimes), mtimes=mtimes)
    with ExitStack() as stack:
        many = ManyFiles(stack, objects, stores=False, stores_many=stores_many)
        return _run(look, objects, many, path, mtimes=mtimes)


def store_directory(
    objects: ObjectStore, records: str, path: str, missing: frozenset[str] | None, *, mtimes: bool
) -> Digest:
    """Stores the host directory at PATH and gives its digest.

    Files that have not changed since the last time are only read if their hash is MISSING.

    Args:
        records: As for `digest_directory`.
        missing: What is not in the store; everything else that is known is, and claimed. None if
            that is not known.
        mtimes: As for `Cas.import_directory`.

    Raises:
        CASError: Something can't be read or stored, or has a name that is not UTF-8.
    """
    look = _Look(_record_path(records, path, mtimes=mtimes), mtimes=mtimes, missing=missing)
    with ExitStack() as stack:
        many = ManyFiles(stack, objects, stores=True, stores_many=True)
        return _run(look, objects, many, path, mtimes=mtimes).digest


def _run(look: "_Look", objects: ObjectStore, many: ManyFiles, path: str, *, mtimes: bool) -> DigestedTree:
    try:
        return look.run(path, objects, many)
    except PermissionError:
        return DigestedTree(capture_directory(objects, path, mtimes=mtimes, consume=False), frozenset(), 0)
    except OSError as error:
        raise cas_error("capture", error.filename or path, error) from error


def _record_path(records: str, path: str, *, mtimes: bool) -> str:
    text = f"{'times' if mtimes else 'plain'}:{os.path.abspath(path)}"
    return os.path.join(records, hashlib.sha256(os.fsencode(text)).hexdigest())


class _Look:
    """One look at a tree: stat everything, read what changed, encode directories in which something did.

    Args:
        record: Path of the file that keeps what was seen.
        mtimes: Whether times count.
        missing: Hashes of files that are read even if they are known, and of directories that are,
            with all below; None for everything.
    """

    def __init__(self, record: str, *, mtimes: bool, missing: frozenset[str] | None = frozenset()) -> None:
        self._record = record
        self._mtimes = mtimes
        self._missing = missing or frozenset()
        self._misses_all = missing is None
        self._before: dict[str, SeenDirectory] = {}
        self._after: dict[str, SeenDirectory] = {}  # by path relative to the top
        self._started_ns = 0
        self._has_news = False
        self._is_partial = False  # whether something was known, and so is not read

    def run(self, path: str, objects: ObjectStore, many: ManyFiles) -> DigestedTree:
        self._started_ns = time.time_ns()
        scan = HostScan(path, mtimes=self._mtimes)
        found = scan.found
        begun = count = 0
        is_kept = _size_of(self._record) >= _LARGE_RECORD_BYTES
        if is_kept:
            scan.run_with(objects.workers, self._load)
        for directory in scan.run():
            count += directory.count
            if not is_kept and count > _SMALL_COUNT:
                is_kept = True
                self._load()
            if is_kept:  # while others are read already, the scan goes on
                self._begin_all(found, begun, path, many)
                begun = len(found)
        if not is_kept and not _is_small(found):
            is_kept = True
            self._load()
        self._begin_all(found, begun, path, many)
        many.finish()
        tree = self._encode_all(found, path, objects if many.stores else None, is_new=many.are_new)
        if is_kept and (self._has_news or len(self._after) != len(self._before)):
            save_seen(self._record, self._after)
        return tree

    def _load(self) -> None:
        self._before = load_seen(self._record)

    def _begin_all(self, found: list[HostDirectory], begun: int, top: str, many: ManyFiles) -> None:
        for directory in found[begun:]:
            parent = directory.parent
            directory.is_missing = found[parent].is_missing if parent >= 0 else self._misses_all
            self._begin(directory, top, many)

    def _begin(self, directory: HostDirectory, top: str, many: ManyFiles) -> None:
        """Has those files of DIRECTORY read that have changed, or are missing."""
        before = self._before.get(directory.path[len(top) :])
        if before is not None:
            directory.is_missing |= before.digest[0] in self._missing
        is_same = before is not None and before.facts == directory.facts and before.names == directory.names
        if is_same and not (self._missing or self._misses_all):
            self._is_partial = True
            return
        known = {} if directory.is_missing else known_hashes(before)
        files = Files(
            directory.path,
            split_names(directory.names),
            split_facts(directory.facts),
            bytearray(len(NO_HASH) * directory.count),
        )
        for number, entry in enumerate(zip(files.names, files.facts, strict=True)):
            if stat.S_ISREG(entry[1][0]):
                hash_ = known.get(entry, "")
                if hash_ and hash_ not in self._missing:
                    files.set_hash(number, bytes.fromhex(hash_))
                    self._is_partial = True
                else:
                    files.numbers.append(number)
        if is_same and not files.numbers:
            return
        directory.files = files
        if files.numbers:
            many.add(files)

    def _encode_all(
        self, found: list[HostDirectory], top: str, objects: ObjectStore | None, *, is_new: bool
    ) -> DigestedTree:
        """The whole tree; its directories are stored in OBJECTS, unless that is None."""
        children = [[("", "", 0)] * len(directory.directories) for directory in found]
        digest: Digest | None = None
        for position in range(len(found) - 1, -1, -1):
            directory = found[position]
            relative = directory.path[len(top) :]
            seen = self._remember(directory, relative, tuple(children[position]), objects)
            self._after[relative] = seen
            digest = Digest(*seen.digest)
            if directory.parent >= 0:
                name = found[directory.parent].directories[directory.place]
                children[directory.parent][directory.place] = (name, digest.hash, digest.size)
        assert digest is not None, "there is at least the top"
        is_stored = objects is not None and not self._is_partial
        stored = frozenset(seen.digest[0] for seen in self._after.values()) if is_stored else frozenset()
        return DigestedTree(digest, stored, sum(directory.count for directory in found), is_new)

    def _remember(
        self,
        directory: HostDirectory,
        relative: str,
        children: tuple[tuple[str, str, int], ...],
        objects: ObjectStore | None,
    ) -> SeenDirectory:
        before = self._before.get(relative)
        if (
            directory.files is None
            and before is not None
            and before.directories == children
            and before.mtime_ns == directory.mtime_ns
            and not directory.is_missing
        ):
            return before
        self._has_news = True
        files = directory.files or _known_files(directory, before)
        entries, symlinks = self._entries(files)
        data = encode_directory(
            TreeDirectory(
                tuple(entries),
                tuple(DirectoryEntry(name, Digest(hash_, size)) for name, hash_, size in children),
                tuple(symlinks),
                None,
                directory.mtime_ns,
            )
        )
        digest = digest_from_bytes(data) if objects is None else objects.add_bytes(data)
        facts = [value for facts in self._settled_facts(files, symlinks) for value in facts]
        return SeenDirectory(
            directory.names,
            packed(facts),
            bytes(files.contents),
            children,
            directory.mtime_ns,
            (digest.hash, digest.size),
        )

    def _entries(self, files: Files) -> tuple[list[FileEntry], list[SymlinkEntry]]:
        """What becomes of FILES in the tree, in no order."""
        entries: list[FileEntry] = []
        symlinks: list[SymlinkEntry] = []
        hashes = split_hashes(bytes(files.contents))
        for number, (name, facts) in enumerate(zip(files.names, files.facts, strict=True)):
            mode, _inode, size, mtime_ns, _ctime_ns = files.read_facts.get(number, facts)
            if stat.S_ISREG(mode):
                recorded_ns = mtime_ns // 1000 * 1000 if self._mtimes else None
                digest = Digest(hashes[number], size)
                entries.append(FileEntry(name, digest, mode & stat.S_IXUSR != 0, recorded_ns))
            elif stat.S_ISLNK(mode):
                target = _read_link(f"{files.directory}/{name}")
                if target is not None:
                    symlinks.append(SymlinkEntry(name, target))
        return entries, symlinks

    def _settled_facts(self, files: Files, symlinks: list[SymlinkEntry]) -> list[Facts]:
        """The facts of FILES, or what no entry has where the content may be another one although they fit."""
        settled = list(files.facts)
        for number in files.numbers:
            facts = files.read_facts.get(number, files.facts[number])
            settled[number] = facts if self._is_settled(facts) else UNSETTLED
        if len(settled) > len(files.numbers):
            targets = dict(symlinks)
            for number, facts in enumerate(settled):
                if stat.S_ISLNK(facts[0]):
                    size = len(os.fsencode(targets.get(files.names[number], "")))
                    settled[number] = facts if facts[2] == size and self._is_settled(facts) else UNSETTLED
        return settled

    def _is_settled(self, facts: Facts) -> bool:
        _mode, _inode, _size, mtime_ns, ctime_ns = facts
        return is_settled(max(mtime_ns, ctime_ns), ctime_ns, self._started_ns)


def _known_files(directory: HostDirectory, before: SeenDirectory | None) -> Files:
    """The files of a directory of which all were known BEFORE."""
    assert before is not None, "something is known"
    facts = split_facts(directory.facts)
    return Files(directory.path, split_names(directory.names), facts, bytearray(before.contents))


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _is_small(found: list[HostDirectory]) -> bool:
    """Whether to read everything takes no longer than to look up what was kept of it."""
    sizes = [facts[2] for directory in found for facts in split_facts(directory.facts)]
    return len(sizes) <= _SMALL_COUNT and sum(sizes) <= _SMALL_BYTES


def _read_link(path: str) -> str | None:
    """Where the symbolic link at PATH leads; None if it is none any more."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    check_utf8(target, path)
    return target
