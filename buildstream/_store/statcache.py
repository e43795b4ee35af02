"""Digests of host directories, at the cost of what changed since the last time; nothing is stored.

What `stat` told of each file is kept with its digest, but for trees so small that reading
them again takes no longer.  A file is read again unless inode,
size, both times and the mode are the same, and its times were settled when
it was looked at: a file that is written twice within one tick of the clock of its file
system may look the same after the second time.  The change time can't be set back by
anybody, so renamed files and files with moved times are noticed.
"""

import marshal
import operator
import os
import stat
import time
import zlib
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from .._model.digest import Digest, digest_from_bytes
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory, encode_directory
from .capture import capture_directory, open_for_reading
from .filedigest import digest_from_descriptor, read_small
from .layout import cas_error
from .objects import ObjectStore
from .scan import check_utf8
from .statrecords import is_settled, replace_record

_FORMAT = b"bst-stat-2\n"
_HASH_BYTES = 32
_HALF = 1 << 63

# What is kept of each entry that is no directory, in this order; all of a directory are one array.
_facts_of = operator.attrgetter("st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
_Facts = tuple[int, int, int, int, int]
_UNSETTLED = (0, 0, 0, 0, 0)  # what no entry has
_NO_HASH = bytes(_HASH_BYTES)
# trees of which nothing is kept
_SMALL_COUNT = 8
_SMALL_BYTES = 64 * 1024
_SEPARATOR = "\0"  # of names: no name holds it


class _Remembered(NamedTuple):
    """A directory as it was, in few values of types that `marshal` knows, which are compared at once."""

    names: str  # of all entries that are no directories, in the order of the directory
    facts: bytes  # of these entries, in that order
    contents: bytes  # hashes of the regular files among them, in that order; of others zeros
    directories: tuple[tuple[str, str, int], ...]  # name and digest, in the order of the directory
    mtime_ns: int | None  # as far as it counts
    digest: tuple[str, int]


class _Found(NamedTuple):
    """A directory as it is now."""

    path: str
    parent: int  # position of the parent; -1 at the top
    place: int  # position among the directories of the parent
    mtime_ns: int | None
    names: list[str]
    facts: bytes
    directories: list[str]


def digest_directory(objects: ObjectStore, records: str, path: str, *, mtimes: bool) -> Digest:
    """The digest of the host directory at PATH, as `Cas.import_directory` gives it.

    Files that have not changed since the last time are not read.  Costs a system call
    for each file.  Where directories forbid to be read, everything is stored in OBJECTS,
    since that knows how to read them nevertheless.

    Args:
        records: Directory where is kept what was seen; a file for each PATH.
        mtimes: As for `Cas.import_directory`.

    Raises:
        CASError: Something can't be read, or has a name that is not UTF-8.
    """
    try:
        return _Look(os.path.join(records, _record_name(path, mtimes=mtimes)), mtimes=mtimes).run(path)
    except PermissionError:
        return capture_directory(objects, path, mtimes=mtimes, consume=False)
    except OSError as error:
        raise cas_error("capture", error.filename or path, error) from error


def _record_name(path: str, *, mtimes: bool) -> str:
    import hashlib

    text = f"{'times' if mtimes else 'plain'}:{os.path.abspath(path)}"
    return hashlib.sha256(os.fsencode(text)).hexdigest()


class _Look:
    """One look at a tree: stat everything, read what changed, encode directories in which something did."""

    def __init__(self, record: str, *, mtimes: bool) -> None:
        self._record = record
        self._mtimes = mtimes
        self._before: dict[str, _Remembered] = {}
        self._after: dict[str, _Remembered] = {}  # by path relative to the top
        self._started_ns = 0
        self._has_news = False

    def run(self, path: str) -> Digest:
        self._started_ns = time.time_ns()
        found = list(_scan(path, mtimes=self._mtimes))
        is_kept = not _is_small(found)
        if is_kept:
            self._before = _load(self._record)
        children = [[("", "", 0)] * len(directory.directories) for directory in found]
        digest: Digest | None = None
        for position in range(len(found) - 1, -1, -1):
            directory = found[position]
            relative = directory.path[len(path) :]
            remembered = self._remember(directory, relative, tuple(children[position]))
            self._after[relative] = remembered
            digest = Digest(*remembered.digest)
            if directory.parent >= 0:
                name = found[directory.parent].directories[directory.place]
                children[directory.parent][directory.place] = (name, digest.hash, digest.size)
        assert digest is not None, "there is at least the top"
        if is_kept and (self._has_news or len(self._after) != len(self._before)):
            _save(self._record, self._after)
        return digest

    def _remember(
        self, directory: _Found, relative: str, children: tuple[tuple[str, str, int], ...]
    ) -> _Remembered:
        names = _SEPARATOR.join(directory.names)
        before = self._before.get(relative)
        if (
            before is not None
            and before.facts == directory.facts
            and before.names == names
            and before.directories == children
            and before.mtime_ns == directory.mtime_ns
        ):
            return before
        self._has_news = True
        files, symlinks, facts, contents = self._read_changed(directory, before)
        tree = TreeDirectory(
            tuple(sorted(files, key=operator.attrgetter("name"))),
            tuple(sorted(DirectoryEntry(name, Digest(hash_, size)) for name, hash_, size in children)),
            tuple(sorted(symlinks)),
            None,
            directory.mtime_ns,
        )
        digest = digest_from_bytes(encode_directory(tree))
        return _Remembered(names, facts, contents, children, directory.mtime_ns, (digest.hash, digest.size))

    def _read_changed(
        self, directory: _Found, before: _Remembered | None
    ) -> tuple[list[FileEntry], list[SymlinkEntry], bytes, bytes]:
        """The files and symbolic links of a directory, and what is to be remembered of them."""
        known = {} if before is None else _known(before)
        files: list[FileEntry] = []
        symlinks: list[SymlinkEntry] = []
        all_facts: list[int] = []
        contents: list[bytes] = []
        for name, facts in zip(directory.names, _split_facts(directory.facts), strict=True):
            path, hash_ = f"{directory.path}/{name}", ""
            if stat.S_ISLNK(facts[0]):
                target = _read_link(path)
                if target is not None:
                    symlinks.append(SymlinkEntry(name, target))
                facts = self._settled(facts, len(os.fsencode(target or "")))
            elif stat.S_ISREG(facts[0]):
                hash_ = known.get((name, facts), "")
                if hash_:
                    files.append(self._entry(name, Digest(hash_, facts[2]), facts))
                else:
                    digest, facts = self._read(path)
                    if digest is not None:
                        files.append(self._entry(name, digest, facts))
                        hash_ = digest.hash
                        facts = self._settled(facts, digest.size)
            all_facts += facts
            contents.append(bytes.fromhex(hash_) if hash_ else _NO_HASH)
        return files, symlinks, _packed(all_facts), b"".join(contents)

    def _entry(self, name: str, digest: Digest, facts: _Facts) -> FileEntry:
        mtime_ns = facts[3] // 1000 * 1000 if self._mtimes else None
        return FileEntry(name, digest, facts[0] & stat.S_IXUSR != 0, mtime_ns)

    @staticmethod
    def _read(path: str) -> tuple[Digest | None, _Facts]:
        """The digest of the file at PATH and what `stat` says of it; no digest if there is none any more."""
        try:
            descriptor, hidden_mode = open_for_reading(path)
        except FileNotFoundError:
            return None, _UNSETTLED
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None, _UNSETTLED
            facts = _facts_of(status)
            if hidden_mode is not None:
                facts = (hidden_mode, *facts[1:])
            data = read_small(descriptor, status.st_size)
            return digest_from_descriptor(descriptor) if data is None else digest_from_bytes(data), facts
        finally:
            if hidden_mode is not None:
                os.fchmod(descriptor, hidden_mode)
            os.close(descriptor)

    def _settled(self, facts: _Facts, size: int) -> _Facts:
        """FACTS, or what no entry has if the content, of SIZE bytes, may be another one although they fit."""
        _mode, _inode, expected_size, mtime_ns, ctime_ns = facts
        is_right = is_settled(max(mtime_ns, ctime_ns), ctime_ns, self._started_ns) and size == expected_size
        return facts if is_right else _UNSETTLED


def _scan(path: str, *, mtimes: bool) -> Iterator[_Found]:
    """The directory at PATH and all below it, parents before children."""
    waiting: list[tuple[str, int, int, int | None]] = [(path, -1, 0, None)]
    position = 0
    while position < len(waiting):
        directory, parent, place, mtime_ns = waiting[position]
        names: list[str] = []
        all_facts: list[int] = []
        directories: list[str] = []
        # by descriptor, so that no path is looked up again for each entry
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        facts = _facts_of(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                    if stat.S_ISDIR(facts[0]):
                        time_ns = facts[3] // 1000 * 1000 if mtimes else None
                        waiting.append((f"{directory}/{entry.name}", position, len(directories), time_ns))
                        directories.append(entry.name)
                    else:
                        names.append(entry.name)
                        all_facts += facts
        except OSError as error:
            error.filename = directory
            raise
        finally:
            os.close(descriptor)
        for name in (*names, *directories):
            if not name.isascii():
                check_utf8(name, f"{directory}/{name}")
        yield _Found(directory, parent, place, mtime_ns, names, _packed(all_facts), directories)
        position += 1


def _is_small(found: list[_Found]) -> bool:
    """Whether to read everything takes no longer than to look up what was kept of it."""
    if sum(len(directory.names) for directory in found) > _SMALL_COUNT:
        return False
    sizes = [facts[2] for directory in found for facts in _split_facts(directory.facts)]
    return sum(sizes) <= _SMALL_BYTES


def _packed(facts: list[int]) -> bytes:
    try:
        return array("q", facts).tobytes()
    except OverflowError:  # inode numbers of some file systems use all of 64 bits
        return array("q", [(value + _HALF) % (2 * _HALF) - _HALF for value in facts]).tobytes()


def _split_facts(packed: bytes) -> list[_Facts]:
    values = iter(array("q", packed))
    return list(zip(*[values] * 5, strict=True))


def _known(directory: _Remembered) -> dict[tuple[str, _Facts], str]:
    """The hashes of the regular files of DIRECTORY, by name and facts."""
    if not directory.facts:
        return {}
    names = directory.names.split(_SEPARATOR)
    text = directory.contents.hex()
    hashes = [text[start : start + 2 * _HASH_BYTES] for start in range(0, len(text), 2 * _HASH_BYTES)]
    return dict(zip(zip(names, _split_facts(directory.facts), strict=True), hashes, strict=True))


def _read_link(path: str) -> str | None:
    """Where the symbolic link at PATH leads; None if it is none any more."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    check_utf8(target, path)
    return target


# the file


def _load(path: str) -> dict[str, _Remembered]:
    """What was remembered; nothing if it can't be read, or is damaged."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        head = len(_FORMAT) + 4
        if data[: len(_FORMAT)] != _FORMAT or zlib.crc32(data[head:]) != int.from_bytes(
            data[len(_FORMAT) : head], "little"
        ):
            return {}
        content = marshal.loads(data[head:])  # noqa: S302 - written below, and found intact
        return {name: _Remembered(*values) for name, values in content.items()}
    except (OSError, EOFError, ValueError, TypeError):
        return {}


def _save(path: str, directories: dict[str, _Remembered]) -> None:
    # version 2 has no references between values: faster to write, and the same for the same values
    data = marshal.dumps({name: tuple(values) for name, values in directories.items()}, 2)
    replace_record(path, _FORMAT + zlib.crc32(data).to_bytes(4, "little") + data)
