"""Blobs by digest: one file per blob and executable bit, written once, verified when read."""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from time import time_ns
from typing import NamedTuple

from .._exceptions import CASError
from .._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from .layout import EXECUTABLE_MODE, FILE_MODE, MTIME_NS, StoreLayout, cas_error
from .sessions import CLOCK_SLACK_NS, StoreLock
from .usage import StoreUsage

_CHUNK_SIZE_BYTES = 1 << 20
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EROFS)
_VERDICTS_KEPT = 200_000


class _Identity(NamedTuple):
    """What changes whenever the content of a file changes."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


def _identity(status: os.stat_result) -> _Identity:
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class StoredCount:
    """How many bytes of new blobs were stored; counts for several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.total_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Counts one more blob."""
        with self._lock:
            self.total_bytes += size_bytes


class _ThreadCount(threading.local):
    """The count of each thread: one of its own, unless it works for another one."""

    def __init__(self) -> None:
        self.count = StoredCount()


class ObjectStore:
    """The blobs of a store.

    A blob is the file `objects/<2 digits>/<62 digits>`, or the same with `.x`
    behind it: then it is executable.  Either may exist alone; the other is
    made from it when asked for.  All have one modification time, so that an
    object can be linked into a tree as it is.  Safe to use from several
    threads and processes.
    """

    def __init__(self, layout: StoreLayout, lock: StoreLock, usage: StoreUsage) -> None:
        self._layout = layout
        self._lock = lock
        self._usage = usage
        # what was used since is not cleaned up; until a session begins, nobody else knows of this
        self.protected_since_ns = time_ns() - CLOCK_SLACK_NS
        self.heal: Callable[[Digest], bool] | None = None  # see `Cas.heal`
        self._corrupt: set[str] = set()  # hashes of what went into quarantine
        self._verdicts: dict[str, _Identity] = {}  # by path: files whose content was seen to be right
        self._thread = _ThreadCount()
        self.has_unflushed = False  # whether something was added since this was last reset

    @property
    def stored(self) -> StoredCount:
        """What the calling thread has stored since it runs."""
        return self._thread.count

    def count_for(self, count: StoredCount) -> None:
        """Lets the calling thread, which works for another one, add to the COUNT of that."""
        self._thread.count = count

    # --- Presence

    def contains(self, digest: Digest) -> bool:
        """Whether the blob is there with the right size.  Costs one or two system calls.

        An object that was written to, as its time tells, is verified.
        """
        return digest == EMPTY_DIGEST or self._find(digest, executable=False) is not None

    def object_path(self, digest: Digest, *, executable: bool = False) -> str:
        """The path of a file with the content of DIGEST, never to be written to.

        Its mode is 0644, or 0755 if EXECUTABLE.  The content is verified unless
        it was before.

        Raises:
            CASError: The blob is absent or corrupt.
        """
        path = self._path(digest, executable=executable)
        if self._is_intact(path, digest):
            return path
        twin = self._path(digest, executable=not executable)
        if self._is_intact(twin, digest):
            self._copy_in(twin, digest, executable=executable)
        elif digest == EMPTY_DIGEST:
            self._write(b"", digest, executable=executable)
        elif self._is_healed(digest):
            if not self._is_intact(path, digest):
                self._copy_in(twin, digest, executable=executable)
        else:
            raise self._absent(digest)
        return path

    def read_bytes(self, digest: Digest) -> bytes:
        """The content of a blob.

        Raises:
            CASError: The blob is absent or corrupt.
        """
        if digest == EMPTY_DIGEST:
            return b""
        data = self._read(digest)
        if data is None and self._is_healed(digest):
            data = self._read(digest)
        if data is None:
            raise self._absent(digest)
        return data

    def _read(self, digest: Digest) -> bytes | None:
        for executable in (False, True):
            path = self._path(digest, executable=executable)
            try:
                with open(path, "rb", buffering=0, opener=_open_without_trace) as file:
                    data = file.read()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise cas_error("read", path, error) from error
            found = digest_from_bytes(data)
            if found != digest:
                if found.hash != digest.hash:
                    self._quarantine(path, digest)
                continue
            return data
        return None

    def _is_healed(self, digest: Digest) -> bool:
        """Whether a blob that is missing or was corrupt has been got from elsewhere."""
        return self.heal is not None and self.heal(digest)

    def open(self, digest: Digest) -> int:
        """A descriptor for reading a blob that has the right size; its content is not verified.

        Raises:
            CASError: The blob is absent.
        """
        path = self._find(digest, executable=False)
        try:
            if path is None:
                raise self._absent(digest)
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:  # deleted meanwhile
            raise self._absent(digest) from None
        except OSError as error:
            raise cas_error("read", self._layout.objects, error) from error

    def claim(self, digest: Digest, *, executable: bool = False) -> bool:
        """Whether the blob is there; it then stays as long as the session lasts."""
        if digest == EMPTY_DIGEST:
            return True
        path = self._find(digest, executable=executable)
        return path is not None and self._protect(path)

    def _protect(self, path: str) -> bool:
        """Notes that the object at PATH is used in this session; False if it is gone.

        The time of the last access tells it; reading an object may set that too, which does no harm.
        """
        try:
            before = os.lstat(path)
            if before.st_atime_ns >= self.protected_since_ns:
                return True
            with self._lock.shared():
                os.utime(path, ns=(time_ns(), MTIME_NS))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # a store that can only be read is not cleaned up either
        if self._verdicts.get(path) == _identity(before):
            self._remember(path, os.lstat(path))
        return True

    # --- Insertion

    def add_bytes(self, data: bytes) -> Digest:
        """Stores DATA and gives its digest."""
        digest = digest_from_bytes(data)
        if not self.claim(digest):
            self._write(data, digest, executable=False)
        return digest

    def add_file(self, path: str, *, executable: bool = False, consume: bool = False) -> Digest:
        """Stores the content of the file at PATH and gives its digest.

        Args:
            path: A regular file; links are not followed.
            executable: Whether the object is made executable; a twin with the
                other bit counts as present too.
            consume: Whether the file may become the object, with its mode and
                times changed.  It stays where it is, linked to the object, and
                must not be written to any more.

        Raises:
            CASError: PATH can't be read or the object can't be written.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise cas_error("read", path, error) from error
        try:
            status = os.fstat(descriptor)
            return self.add_open_file(descriptor, path, status, executable=executable, consume=consume)
        finally:
            os.close(descriptor)

    def add_open_file(
        self, descriptor: int, path: str, status: os.stat_result, *, executable: bool, consume: bool
    ) -> Digest:
        """As `add_file`, for a file that was opened for reading and whose status is known."""
        try:
            data = _read_small(descriptor, status.st_size)
            digest = _digest_from_descriptor(descriptor) if data is None else digest_from_bytes(data)
            if digest == EMPTY_DIGEST:
                return digest
            # A file with a second name could be changed by that.
            may_adopt = consume and status.st_nlink == 1 and status.st_size == digest.size
            if may_adopt and self._adopt(descriptor, path, digest, executable=executable):
                return digest
            if self.claim(digest, executable=executable):
                return digest
            if data is None:
                return self._copy_from(descriptor, executable=executable)
            self._write(data, digest, executable=executable)
            return digest
        except OSError as error:
            raise cas_error("store", path, error) from error

    def insert(self, digest: Digest, data: bytes, *, executable: bool) -> None:
        """Stores DATA, whose digest the caller has verified, over what may be there."""
        if digest != EMPTY_DIGEST:
            self._write(data, digest, executable=executable)

    def publish(self, descriptor: int, path: str, digest: Digest, *, executable: bool) -> None:
        """Makes the file at PATH, open as DESCRIPTOR and verified by the caller, the object of DIGEST.

        Raises:
            OSError: The file can't be renamed.
            CASError: `cache-too-full`.
        """
        self._usage.charge(digest.size, self._path(digest, executable=executable))
        self._finish(descriptor, path, digest, executable=executable)

    def _adopt(self, descriptor: int, path: str, digest: Digest, *, executable: bool) -> bool:
        """Links the file at PATH to the name of its object, unless there is one; False if it can't."""
        target = self._path(digest, executable=executable)
        try:
            os.fchmod(descriptor, EXECUTABLE_MODE if executable else FILE_MODE)
            os.utime(descriptor, ns=(time_ns(), MTIME_NS))
            try:
                os.link(path, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.link(path, target)
            self._charge_linked(target, digest)
        except FileExistsError:
            return self._is_present(target, digest) and self._protect(target)
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise
        self._remember(target, os.fstat(descriptor))
        self._thread.count.add(digest.size)
        self.has_unflushed = True
        return True

    def _charge_linked(self, target: str, digest: Digest) -> None:
        try:
            self._usage.charge(digest.size, target)
        except CASError:
            _unlink(target)
            raise

    def _write(self, data: bytes, digest: Digest, *, executable: bool) -> None:
        self._usage.charge(len(data), self._path(digest, executable=executable))
        descriptor, temporary = self._create()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            self._finish(descriptor, temporary, digest, executable=executable)
        except OSError as error:
            _unlink(temporary)
            raise cas_error("write", self._path(digest, executable=executable), error) from error
        finally:
            os.close(descriptor)

    def _copy_in(self, source: str, digest: Digest, *, executable: bool) -> None:
        """Makes the twin of the object at SOURCE."""
        with open(source, "rb", buffering=0) as file:
            copied = self._copy_from(file.fileno(), executable=executable)
        if copied != digest:
            raise CASError(f"Blob {digest} changed while it was copied")

    def _copy_from(self, source: int, *, executable: bool) -> Digest:
        """Stores what can be read from the start of SOURCE, hashed while it is written."""
        checksum = hashlib.sha256()
        size_bytes = 0
        descriptor, temporary = self._create()
        try:
            while chunk := os.pread(source, _CHUNK_SIZE_BYTES, size_bytes):
                checksum.update(chunk)
                size_bytes += len(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
            digest = Digest(checksum.hexdigest(), size_bytes)
            self._usage.charge(size_bytes, self._path(digest, executable=executable))
            self._finish(descriptor, temporary, digest, executable=executable)
            return digest
        except OSError as error:
            _unlink(temporary)
            raise cas_error("write", self._layout.objects, error) from error
        except CASError:
            _unlink(temporary)
            raise
        finally:
            os.close(descriptor)

    def _create(self) -> tuple[int, str]:
        try:
            return self._layout.create_temporary(self._layout.incoming)
        except OSError as error:
            raise cas_error("write", self._layout.incoming, error) from error

    def _finish(self, descriptor: int, temporary: str, digest: Digest, *, executable: bool) -> None:
        """Gives the complete file at TEMPORARY its mode, time and name."""
        os.fchmod(descriptor, EXECUTABLE_MODE if executable else FILE_MODE)
        os.utime(descriptor, ns=(time_ns(), MTIME_NS))
        target = self._path(digest, executable=executable)
        try:
            os.rename(temporary, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(temporary, target)
        self._remember(target, os.fstat(descriptor))
        self._thread.count.add(digest.size)
        self.has_unflushed = True

    # --- Verification

    def link(self, digest: Digest, destination: str, *, executable: bool) -> None:
        """Links the verified object to DESTINATION.

        Raises:
            CASError: The blob is absent or corrupt.
            OSError: The link can't be made.
        """
        path = self.object_path(digest, executable=executable)
        os.link(path, destination)
        self._remember(path, os.lstat(destination))  # making a link changed the ctime

    def verify(self, digest: Digest) -> bool:
        """Whether the blob is present and intact; what is corrupt goes into quarantine."""
        if digest == EMPTY_DIGEST:
            return True
        return any(
            self._is_intact(self._path(digest, executable=executable), digest) for executable in (False, True)
        )

    def recheck(self, digest: Digest) -> bool:
        """As `verify`, but the content is read even if it was seen to be right before."""
        for executable in (False, True):
            self._verdicts.pop(self._path(digest, executable=executable), None)
        return self.verify(digest)

    def is_object(self, status: os.stat_result, digest: Digest, *, executable: bool) -> bool:
        """Whether STATUS is that of the object itself, by inode."""
        try:
            return os.path.samestat(status, os.lstat(self._path(digest, executable=executable)))
        except OSError:
            return False

    def _is_intact(self, path: str, digest: Digest) -> bool:
        """Whether there is a file with the content of DIGEST at PATH.

        The hash is computed once for each identity of the file.  A file that
        is wrong is moved into quarantine.
        """
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise cas_error("read", path, error) from error
        if self._verdicts.get(path) == _identity(status):
            return status.st_size == digest.size
        found = _digest_of_object(path, status.st_size) if stat.S_ISREG(status.st_mode) else None
        if found != digest:
            # who asks for another size than the blob has must not harm it
            if found is None or found.hash != digest.hash:
                self._quarantine(path, digest)
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
        self._remember(path, status)

    def _remember(self, path: str, status: os.stat_result) -> None:
        if len(self._verdicts) >= _VERDICTS_KEPT:
            self._verdicts.clear()
        self._verdicts[path] = _identity(status)

    def _quarantine(self, path: str, digest: Digest) -> None:
        """Moves a corrupt object out of the way."""
        self._corrupt.add(digest.hash)
        os.makedirs(self._layout.quarantine, exist_ok=True)
        with suppress(FileNotFoundError):  # another process was faster
            os.rename(path, self._layout.new_path(self._layout.quarantine) + "-" + digest.hash)

    def put_aside(self, path: str, digest_hash: str) -> None:
        """Moves the object at PATH, which is not what its name says, into quarantine."""
        self._quarantine(path, Digest(digest_hash, 0))

    def size_of(self, digest_hash: str) -> int:
        """The size in bytes of the blob with this hash; 0 if it is not there."""
        for executable in (False, True):
            with suppress(OSError):
                return os.lstat(self._path(Digest(digest_hash, 0), executable=executable)).st_size
        return 0

    def _absent(self, digest: Digest) -> CASError:
        if digest.hash in self._corrupt:
            return CASError(
                f"Blob {digest} was corrupt in the local cache, it has been moved into "
                f"'{self._layout.quarantine}'",
                reason="corrupt-blob",
            )
        return CASError(
            f"Blob {digest} is not in the local cache '{self._layout.cas}'", reason="missing-blob"
        )

    # --- Paths

    def _path(self, digest: Digest, *, executable: bool) -> str:
        name = digest.hash
        suffix = ".x" if executable else ""
        return f"{self._layout.objects}/{name[:2]}/{name[2:]}{suffix}"

    def _find(self, digest: Digest, *, executable: bool) -> str | None:
        """The path of an object of the right size, preferably with this executable bit."""
        for bit in (executable, not executable):
            path = self._path(digest, executable=bit)
            if self._is_present(path, digest):
                return path
        return None

    def _is_present(self, path: str, digest: Digest) -> bool:
        """Whether there is an object at PATH that looks right; one that does not goes into quarantine."""
        try:
            status = os.lstat(path)
        except OSError:
            return False
        looks_right = status.st_size == digest.size and status.st_mtime_ns == MTIME_NS
        # where one object turned out corrupt, others may be
        return (looks_right and not self._corrupt) or self._is_intact(path, digest)


def _digest_of_object(path: str, size_bytes: int) -> Digest:
    try:
        descriptor = _open_without_trace(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            data = _read_small(descriptor, size_bytes)
            return _digest_from_descriptor(descriptor) if data is None else digest_from_bytes(data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise cas_error("read", path, error) from error


def _open_without_trace(path: str, flags: int) -> int:
    """Opens a file so that reading does not change its access time, which protects it from clean-up."""
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:  # it belongs to somebody else
        return os.open(path, flags)


def digest_of_file(path: str) -> Digest:
    """The digest of a regular file; links are not followed.

    Raises:
        OSError: It can't be read, or is something else.
    """
    descriptor = _open_without_trace(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return _digest_from_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _read_small(descriptor: int, size_bytes: int) -> bytes | None:
    """The content of a file; None if it is large, or not of that size any more."""
    if size_bytes > _CHUNK_SIZE_BYTES:
        return None
    data = os.read(descriptor, size_bytes + 1)
    return data if len(data) == size_bytes else None


def _digest_from_descriptor(descriptor: int) -> Digest:
    """The digest of a file, from its start, wherever the descriptor stands."""
    checksum = hashlib.sha256()
    size_bytes = 0
    while chunk := os.pread(descriptor, _CHUNK_SIZE_BYTES, size_bytes):
        checksum.update(chunk)
        size_bytes += len(chunk)
    return Digest(checksum.hexdigest(), size_bytes)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
