"""Whether objects are what their names say: found out once for each identity of a file."""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import time_ns
from typing import NamedTuple

from .._exceptions import CASError
from .._model.digest import Digest
from .blobtrees import fields_of, hashes_of
from .blobworker import Window
from .filedigest import digest_of_known_file
from .layout import EXECUTABLE_MODE, FILE_MODE, MTIME_NS, StoreLayout, storage_errors
from .verifiedcontents import VerifiedContents

_VERDICTS_KEPT = 200_000
LARGE_BYTES = 8 << 20  # objects of which other commands are told; to read them takes milliseconds


class _Identity(NamedTuple):
    """What changes whenever the content of a file changes."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


def _identity(status: os.stat_result) -> _Identity:
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class ObjectVerifier:
    """Finds objects by digest, and remembers which of them were seen to be right.

    What is wrong is moved into quarantine.  Safe to use from several threads.
    """

    def __init__(self, layout: StoreLayout) -> None:
        self._layout = layout
        self._corrupt: set[str] = set()  # hashes of what went into quarantine
        self.quarantine_count = 0  # how often an object was moved there
        self.absence_count = 0  # how often somebody was told that a blob is not there
        # by path: files whose content was seen to be right; or when they were made, so that one that was
        # changed since has another time
        self._verdicts: dict[str, _Identity | Window] = {}
        # more of these, which nobody has asked for yet: encoded digests, the execute bit, when they were made
        self._unasked: list[tuple[bytes, bool, Window]] = []
        self._unasked_hashes: set[bytes] = set()  # of them, as far as these were looked at
        self._unlooked: list[bytes] = []  # the others
        self._unasked_count = 0
        # large objects are remembered by other commands
        self._large = VerifiedContents(layout.stats, "object")
        self._large_paths: set[str] = set()  # of those that were seen to be right here
        self._told_paths: set[str] = set()  # of those that others have seen
        self.on_forgotten: Callable[[], None] = lambda: None  # called when there were too many of them

    def path(self, digest: Digest, *, executable: bool) -> str:
        """Where the object of DIGEST with this executable bit is, if it is there."""
        return self.path_of(digest.hash, executable)

    def path_of(self, name: str, executable: int) -> str:
        """As `path`, by the hash alone."""
        suffix = ".x" if executable else ""
        return f"{self._layout.objects}/{name[:2]}/{name[2:]}{suffix}"

    def find(self, digest: Digest, *, executable: bool) -> str | None:
        """The path of an object of the right size, preferably with this executable bit."""
        for bit in (executable, not executable):
            path = self.path(digest, executable=bit)
            if self.is_present(path, digest):
                return path
        return None

    def unusual(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS for which there is no plain object that looks right; the others are present.

        One system call for each, and little else: most digests that are asked for are those of trees
        that are complete.
        """
        if self._corrupt:
            return list(digests)
        objects, lstat = self._layout.objects, os.lstat
        found: list[Digest] = []
        for digest in digests:
            name, size = digest
            try:
                status = lstat(f"{objects}/{name[:2]}/{name[2:]}")
            except OSError:
                found.append(digest)
                continue
            if status.st_size != size or status.st_mtime_ns != MTIME_NS:
                found.append(digest)
        return found

    def is_present(self, path: str, digest: Digest) -> bool:
        """Whether there is an object at PATH that looks right; one that does not goes into quarantine."""
        try:
            status = os.lstat(path)
        except OSError:
            return False
        looks_right = status.st_size == digest.size and status.st_mtime_ns == MTIME_NS
        # where one object turned out corrupt, others may be
        return (looks_right and not self._corrupt) or self.is_intact(path, digest)

    def is_intact(self, path: str, digest: Digest) -> bool:
        """Whether there is a file with the content of DIGEST at PATH.

        The hash is computed once for each identity of the file.  A file that
        is wrong is moved into quarantine.

        Raises:
            CASError: It can't be read.
        """
        with storage_errors("read", path):
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                return False
            if self.is_remembered(path, status):
                return status.st_size == digest.size
            is_file = stat.S_ISREG(status.st_mode)
            found = digest_of_known_file(path, status.st_size) if is_file else None
        if found != digest:
            # who asks for another size than the blob has must not harm it
            if found is None or found.hash != digest.hash:
                self.quarantine(path, digest.hash)
            return False
        self._restore_attributes(path, status)
        return True

    def _restore_attributes(self, path: str, status: os.stat_result) -> None:
        """Repairs mode and time of an intact object, if something changed them, and remembers it."""
        mode = EXECUTABLE_MODE if path.endswith(".x") else FILE_MODE
        if stat.S_IMODE(status.st_mode) != mode or status.st_mtime_ns != MTIME_NS:
            os.chmod(path, mode)
            os.utime(path, ns=(time_ns(), MTIME_NS))
            status = os.lstat(path)
        self.remember(path, status)

    def remember(self, path: str, status: os.stat_result) -> None:
        """Notes that the file at PATH, with this STATUS, was seen to be right."""
        self._told_paths.discard(path)
        self.note_changed(path, status)

    def note_changed(self, path: str, status: os.stat_result) -> None:
        """Notes that the remembered file at PATH has this STATUS since the caller did something to it."""
        self._make_room(1)
        self._verdicts[path] = _identity(status)
        if status.st_size >= LARGE_BYTES:
            self._large_paths.add(path)

    def was_read(self, path: str) -> bool:
        """Whether the large object at PATH is as it was when this command read or wrote it."""
        known = self._verdicts.get(path)
        if known is None or path in self._told_paths:
            return False
        with suppress(OSError):
            return self.is_remembered(path, os.lstat(path))
        return False

    def remember_made(self, paths: Sequence[str], when: Window) -> None:
        """Notes that another process made these files, verified, and when: to look at each takes too long."""
        self._make_room(len(paths))
        self._verdicts.update(dict.fromkeys(paths, when))

    def remember_kept(self, digests: bytes, count: int, when: Window, *, executable: bool) -> None:
        """As `remember_made`, by COUNT encoded digests, which are looked at when somebody asks for any."""
        self._make_room(count)
        self._unasked.append((digests, executable, when))
        self._unlooked.append(digests)
        self._unasked_count += count

    def _make_room(self, count: int) -> None:
        if len(self._verdicts) + self._unasked_count + count > _VERDICTS_KEPT:
            self._verdicts.clear()
            self._unasked.clear()
            self._unlooked.clear()
            self._unasked_hashes.clear()
            self._unasked_count = 0
            self.on_forgotten()

    def _known(self) -> "dict[str, _Identity | Window]":
        """All verdicts by path."""
        while self._unasked:
            try:
                digests, executable, when = self._unasked.pop()
            except IndexError:  # another thread has it
                break
            names = [name for name, _ in fields_of(digests)]
            self._unasked_count = max(0, self._unasked_count - len(names))
            self._verdicts.update((self.path_of(name, executable), when) for name in names)
        return self._verdicts

    def is_remembered(self, path: str, status: os.stat_result) -> bool:
        """Whether the file with this STATUS at PATH was seen to be right."""
        known = self._known().get(path)
        if known is None:
            return status.st_size >= LARGE_BYTES and self._was_seen(path, status)
        if len(known) == 2:
            return known[0] <= status.st_ctime_ns <= known[1] and status.st_mtime_ns == MTIME_NS
        return known == _identity(status)

    def _was_seen(self, path: str, status: os.stat_result) -> bool:
        """Whether another command has seen that the large object at PATH is right, and it is as it was."""
        if status.st_mtime_ns != MTIME_NS or self._large.since_ns(_name_of(path)) <= status.st_ctime_ns:
            return False
        self._make_room(1)
        self._verdicts[path] = _identity(status)
        self._told_paths.add(path)
        return True

    def finish(self) -> None:
        """Tells other commands which large objects are right, as far as they are still as they were seen."""
        seen: list[str] = []
        newest_ns = 0
        for path in tuple(self._large_paths):
            with suppress(OSError):
                status = os.lstat(path)
                if self._verdicts.get(path) == _identity(status):
                    seen.append(_name_of(path))
                    newest_ns = max(newest_ns, status.st_ctime_ns)
        self._large_paths.clear()
        self._large.remember_all(seen, newest_ns)

    def remembered_digests(self, digests: Iterable[Digest]) -> set[Digest]:
        """Those of DIGESTS of which an object was seen to be right, at whatever time."""
        verdicts, objects = self._verdicts, self._layout.objects
        while self._unlooked:
            with suppress(IndexError):  # another thread has it
                self._unasked_hashes.update(hashes_of(self._unlooked.pop()))
        unasked = self._unasked_hashes
        found: set[Digest] = set()
        for digest in digests:
            name = digest.hash
            path = f"{objects}/{name[:2]}/{name[2:]}"
            if path in verdicts or f"{path}.x" in verdicts or name.encode() in unasked:
                found.add(digest)
        return found

    @property
    def has_seen_corruption(self) -> bool:
        """Whether an object turned out corrupt, so that others are not taken for right by their looks."""
        return bool(self._corrupt)

    def forget(self, path: str, size_bytes: int) -> None:
        """Has the file at PATH, which should have SIZE_BYTES, read again when it is next asked for."""
        self._known().pop(path, None)
        if size_bytes >= LARGE_BYTES:
            self._large_paths.discard(path)
            self._told_paths.discard(path)
            self._large.forget(_name_of(path))

    def quarantine(self, path: str, digest_hash: str) -> None:
        """Moves the object at PATH, which is not what its name says, out of the way."""
        self._corrupt.add(digest_hash)
        self.quarantine_count += 1
        os.makedirs(self._layout.quarantine, exist_ok=True)
        with suppress(FileNotFoundError):  # another process was faster
            os.rename(path, self._layout.new_path(self._layout.quarantine) + "-" + digest_hash)

    def absence(self, digest: Digest) -> CASError:
        """The error for a blob that is not there, or not any more."""
        self.absence_count += 1
        if digest.hash in self._corrupt:
            return CASError(
                f"Blob {digest} was corrupt in the local cache, it has been moved into "
                f"'{self._layout.quarantine}'",
                reason="corrupt-blob",
            )
        return CASError(
            f"Blob {digest} is not in the local cache '{self._layout.cas}'", reason="missing-blob"
        )


def _name_of(path: str) -> str:
    """The hash of the object at PATH, with the mark of an executable one."""
    return "".join(path.rsplit("/", 2)[-2:])
