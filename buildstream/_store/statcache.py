"""Taking a host directory into the store again, at the cost of what changed since the last time.

What `stat` told of each file is kept with its digest.  A file is read again unless inode,
size, both times and the execute bit are the same, and its times were settled when
it was looked at: a file that is written twice within one tick of the clock of its file
system may look the same after the second time.  The change time can't be set back by
anybody, so renamed files and files with moved times are noticed.
"""

import marshal
import os
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from .._model.digest import Digest
from .._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory, encode_directory
from .capture import capture_directory, open_for_reading
from .layout import cas_error
from .objects import ObjectStore
from .scan import check_utf8

_FORMAT = b"bst-stat-1\n"
_HASH_BYTES = 32
# How long a file must have been at rest.  Times come from clocks that tick at least every 10 ms;
# a time of whole seconds may come from a file system that keeps no more than two seconds.
_SETTLED_AFTER_NS = 100_000_000
_SETTLED_AFTER_COARSE_NS = 2_100_000_000
_SECOND_NS = 1_000_000_000
_UNSETTLED = -1  # in place of an inode number

# name, inode, size, modification and change time in nanoseconds, whether it is executable
_FileStamp = tuple[str, int, int, int, int, bool]


class _Remembered(NamedTuple):
    """A directory as it was, in types that `marshal` knows."""

    files: tuple[_FileStamp, ...]  # sorted by name
    hashes: bytes  # of the files, in the same order
    symlinks: tuple[tuple[str, str], ...]  # name and target, sorted
    directories: tuple[tuple[str, str, int], ...]  # name and digest, sorted
    mtime_ns: int | None  # as far as it counts
    digest: tuple[str, int]


class _Found(NamedTuple):
    """A directory as it is now."""

    path: str
    parent: int  # position of the parent; -1 at the top
    name: str
    mtime_ns: int | None
    files: list[_FileStamp]
    symlinks: list[tuple[str, str]]


def recapture_directory(objects: ObjectStore, records: str, path: str, *, mtimes: bool) -> Digest:
    """The digest of the host directory at PATH, as `Cas.import_directory` gives it.

    Files that have not changed since the last time are not read, and are only in the
    store if they have not been deleted from there.  Costs a system call for each file.

    Args:
        records: Directory where is kept what was seen; a file for each PATH.
        mtimes: As for `Cas.import_directory`.

    Raises:
        CASError: Something can't be read or stored, or has a name that is not UTF-8.
    """
    record = os.path.join(records, _record_name(path, mtimes=mtimes))
    try:
        return _Recapture(objects, record, mtimes=mtimes).run(path)
    except PermissionError:  # it can be captured nevertheless, by the owner of what is in there
        return capture_directory(objects, path, mtimes=mtimes, consume=False)
    except OSError as error:
        raise cas_error("capture", error.filename or path, error) from error


def _record_name(path: str, *, mtimes: bool) -> str:
    import hashlib

    text = f"{'times' if mtimes else 'plain'}:{os.path.abspath(path)}"
    return hashlib.sha256(os.fsencode(text)).hexdigest()


class _Recapture:
    """One capture: look at everything, read what changed, encode the directories in which something did."""

    def __init__(self, objects: ObjectStore, record: str, *, mtimes: bool) -> None:
        self._objects = objects
        self._record = record
        self._mtimes = mtimes
        self._before = _load(record)
        self._after: dict[str, _Remembered] = {}  # by path relative to the top
        self._started_ns = 0
        self._has_news = False

    def run(self, path: str) -> Digest:
        self._started_ns = time.time_ns()
        found = list(_scan(path, mtimes=self._mtimes))
        children: list[list[tuple[str, str, int]]] = [[] for _ in found]
        digest: Digest | None = None
        for position in range(len(found) - 1, -1, -1):
            directory = found[position]
            relative = directory.path[len(path) :]
            remembered = self._remember(directory, relative, tuple(sorted(children[position])))
            self._after[relative] = remembered
            digest = Digest(*remembered.digest)
            if directory.parent >= 0:
                children[directory.parent].append((directory.name, digest.hash, digest.size))
        assert digest is not None, "there is at least the top"
        if self._has_news or len(self._after) != len(self._before):
            _save(self._record, self._after)
        return digest

    def _remember(
        self, directory: _Found, relative: str, children: tuple[tuple[str, str, int], ...]
    ) -> _Remembered:
        files, symlinks = tuple(sorted(directory.files)), tuple(sorted(directory.symlinks))
        before = self._before.get(relative)
        if (
            before is not None
            and before.files == files
            and before.directories == children
            and before.symlinks == symlinks
            and before.mtime_ns == directory.mtime_ns
        ):
            return before
        self._has_news = True
        entries, stamps, hashes = self._read_changed(directory.path, files, before)
        tree = TreeDirectory(
            tuple(entries),
            tuple(DirectoryEntry(name, Digest(hash_, size)) for name, hash_, size in children),
            tuple(SymlinkEntry(name, target) for name, target in symlinks),
            None,
            directory.mtime_ns,
        )
        digest = self._objects.add_bytes(encode_directory(tree))
        return _Remembered(
            tuple(stamps), hashes, symlinks, children, directory.mtime_ns, (digest.hash, digest.size)
        )

    def _read_changed(
        self, path: str, files: tuple[_FileStamp, ...], before: _Remembered | None
    ) -> tuple[list[FileEntry], list[_FileStamp], bytes]:
        """The entries of FILES, what is to be remembered of them, and their hashes."""
        known: dict[_FileStamp, str] = {}
        if before is not None:
            known = dict(zip(before.files, _split(before.hashes), strict=True))
        entries, stamps, hashes = [], [], []
        for seen in files:
            hash_ = known.get(seen)
            if hash_ is not None:
                stamp, digest = seen, Digest(hash_, seen[2])
            else:
                read = self._read(f"{path}/{seen[0]}", seen[0])
                if read is None:
                    continue  # no regular file any more
                stamp, digest = read
            mtime_ns = stamp[3] // 1000 * 1000 if self._mtimes else None
            entries.append(FileEntry(stamp[0], digest, stamp[5], mtime_ns))
            stamps.append(stamp if hash_ is not None else self._settled(stamp, digest))
            hashes.append(bytes.fromhex(digest.hash))
        return entries, stamps, b"".join(hashes)

    def _read(self, path: str, name: str) -> tuple[_FileStamp, Digest] | None:
        try:
            descriptor, hidden_mode = open_for_reading(path)
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            stamp = _stamp(name, status, status.st_mode if hidden_mode is None else hidden_mode)
            digest = self._objects.add_open_file(descriptor, path, status, executable=stamp[5], consume=False)
            return stamp, digest
        finally:
            if hidden_mode is not None:
                os.fchmod(descriptor, hidden_mode)
            os.close(descriptor)

    def _settled(self, stamp: _FileStamp, digest: Digest) -> _FileStamp:
        """STAMP, or one that no file has if the content may be another one although STAMP fits."""
        name, _inode, size, mtime_ns, ctime_ns, is_executable = stamp
        newest_ns = max(mtime_ns, ctime_ns)
        is_coarse = ctime_ns % _SECOND_NS == 0
        rest_ns = _SETTLED_AFTER_COARSE_NS if is_coarse else _SETTLED_AFTER_NS
        if newest_ns < self._started_ns - rest_ns and digest.size == size:
            return stamp
        return (name, _UNSETTLED, digest.size, mtime_ns, ctime_ns, is_executable)


def _scan(path: str, *, mtimes: bool) -> Iterator[_Found]:
    """The directory at PATH and all below it, parents before children."""
    waiting = [(path, -1, "", None)]
    position = 0
    while position < len(waiting):
        directory, parent, name, mtime_ns = waiting[position]
        files: list[_FileStamp] = []
        symlinks: list[tuple[str, str]] = []
        with os.scandir(directory) as entries:
            for entry in entries:
                if not entry.name.isascii():
                    check_utf8(entry.name, entry.path)
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                mode = status.st_mode
                if stat.S_ISREG(mode):
                    files.append(_stamp(entry.name, status, mode))
                elif stat.S_ISDIR(mode):
                    time_ns = status.st_mtime_ns // 1000 * 1000 if mtimes else None
                    waiting.append((entry.path, position, entry.name, time_ns))  # type: ignore[arg-type]
                elif stat.S_ISLNK(mode):
                    target = os.readlink(entry.path)
                    check_utf8(target, entry.path)
                    symlinks.append((entry.name, target))
        yield _Found(directory, parent, name, mtime_ns, files, symlinks)
        position += 1


def _stamp(name: str, status: os.stat_result, mode: int) -> _FileStamp:
    return (
        name,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        mode & stat.S_IXUSR != 0,
    )


def _split(hashes: bytes) -> list[str]:
    text = hashes.hex()
    return [text[start : start + 2 * _HASH_BYTES] for start in range(0, len(text), 2 * _HASH_BYTES)]


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
    """Replaces the file at PATH at once; it is no harm if that is not possible."""
    # version 2 has no references between values: faster to write, and the same for the same values
    data = marshal.dumps({name: tuple(values) for name, values in directories.items()}, 2)
    temporary = f"{path}.{os.getpid()}.{time.time_ns():x}"
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(_FORMAT + zlib.crc32(data).to_bytes(4, "little") + data)
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    _forget_old(os.path.dirname(path))


_DAY_S = 24 * 3600
_KEPT_FOR_S = 60 * _DAY_S
_SWEPT = "swept"  # the file whose time says when old records were deleted


def _forget_old(directory: str) -> None:
    """Deletes, once a day, records that have not been written for long.

    Costs one system call on other occasions: a project may have thousands of records.
    """
    now_s = time.time()
    swept = os.path.join(directory, _SWEPT)
    with suppress(OSError):
        with suppress(FileNotFoundError):
            if os.stat(swept).st_mtime > now_s - _DAY_S:
                return
        with open(swept, "wb"):
            os.utime(swept, (now_s, now_s))
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.stat().st_mtime < now_s - _KEPT_FOR_S:
                    os.unlink(entry.path)
