"""Bringing contents into the store: written to a temporary name, or adopted, then named by their hash."""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterable
from contextlib import suppress
from time import time_ns

from .._exceptions import CASError
from .._model.digest import Digest
from .diskfiles import DiskFiles
from .filedigest import CHUNK_SIZE_BYTES
from .layout import EXECUTABLE_MODE, FILE_MODE, MTIME_NS, StoreLayout, cas_error
from .usage import StoreUsage
from .verification import LARGE_BYTES, ObjectVerifier

_NO_LINK = (errno.EEXIST, errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EROFS)


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


class ObjectWriter:
    """Makes objects.

    Safe to use from several threads and processes: who comes second replaces an
    object by the same.

    Args:
        layout: Where they go.
        verifier: Is told of each, which was hashed on its way.
        usage: Is asked for room.
        disk: Writes.
    """

    def __init__(
        self, layout: StoreLayout, verifier: ObjectVerifier, usage: StoreUsage, disk: DiskFiles
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._verifier = verifier
        self._usage = usage
        self._thread = _ThreadCount()
        self._needs_chmod: bool | None = None  # whether the umask takes something off the mode of objects
        self.adopted: dict[str, str] = {}  # large objects by the paths of the files that they were
        self.has_unflushed = False  # whether something was added since this was last reset

    @property
    def stored(self) -> StoredCount:
        """What the calling thread has stored since it runs."""
        return self._thread.count

    def count_for(self, count: StoredCount) -> None:
        """Lets the calling thread, which works for another one, add to the COUNT of that."""
        self._thread.count = count

    def adopt(self, descriptor: int, path: str, digest: Digest, *, executable: bool) -> bool:
        """Links the file at PATH to the name of its object; False if there is one, or it can't be linked.

        Raises:
            OSError: The disk refuses.
            CASError: `cache-too-full`.
        """
        target = self._verifier.path(digest, executable=executable)
        try:
            _remove_attributes(descriptor)
            os.fchmod(descriptor, EXECUTABLE_MODE if executable else FILE_MODE)
            os.utime(descriptor, ns=(time_ns(), MTIME_NS))
            try:
                self._disk.link(path, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                self._disk.link(path, target)
            self._charge_linked(target, digest)
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise
        self._verifier.remember(target, os.fstat(descriptor))
        if digest.size >= LARGE_BYTES:
            self.adopted[path] = target
        self._thread.count.add(digest.size)
        self.has_unflushed = True
        return True

    def write(self, data: bytes, digest: Digest, *, executable: bool) -> None:
        """Stores DATA, whose digest the caller has computed.

        Raises:
            CASError: It can't be written; `cache-too-full`.
        """
        target = self._verifier.path(digest, executable=executable)
        with self._usage.charged(len(data), target):
            descriptor, temporary = self._create()
            try:
                self._disk.write(descriptor, data)
                self._finish(descriptor, temporary, digest, executable=executable)
            except OSError as error:
                _unlink(temporary)
                raise cas_error("write", target, error) from error
            finally:
                os.close(descriptor)

    def copy_from(self, source: int, *, executable: bool) -> Digest:
        """Stores what can be read from the start of SOURCE, hashed while it is written.

        Raises:
            CASError: It can't be written; `cache-too-full`.
        """
        checksum = hashlib.sha256()
        size_bytes = 0
        descriptor, temporary = self._create()
        try:
            while chunk := os.pread(source, CHUNK_SIZE_BYTES, size_bytes):
                checksum.update(chunk)
                size_bytes += len(chunk)
                self._disk.write(descriptor, chunk)
            digest = Digest(checksum.hexdigest(), size_bytes)
            with self._usage.charged(size_bytes, self._verifier.path(digest, executable=executable)):
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

    def copy_in(self, source: str, digest: Digest, *, executable: bool) -> None:
        """Makes the twin of the object at SOURCE.

        Raises:
            CASError: It can't be written; `cache-too-full`.
            OSError: SOURCE can't be read.
        """
        with open(source, "rb", buffering=0) as file:
            copied = self.copy_from(file.fileno(), executable=executable)
        if copied != digest:
            raise CASError(f"Blob {digest} changed while it was copied")

    def publish(self, descriptor: int, path: str, digest: Digest, *, executable: bool) -> None:
        """Makes the file at PATH, open as DESCRIPTOR and verified by the caller, the object of DIGEST.

        Raises:
            OSError: The file can't be renamed.
            CASError: `cache-too-full`.
        """
        with self._usage.charged(digest.size, self._verifier.path(digest, executable=executable)):
            self._finish(descriptor, path, digest, executable=executable)

    def note_made(self, paths: Iterable[str], total_bytes: int) -> None:
        """Notes that workers of this session have made the objects at PATHS.

        Raises:
            CASError: `cache-too-full`: they are deleted.
        """
        try:
            self._usage.charge(total_bytes, self._layout.objects)
        except CASError:
            for path in paths:
                _unlink(path)
            raise
        self._disk.note_named(paths)
        self._thread.count.add(total_bytes)
        self.has_unflushed = True

    def _charge_linked(self, target: str, digest: Digest) -> None:
        try:
            self._usage.charge(digest.size, target)
        except CASError:
            _unlink(target)
            raise

    def _create(self) -> tuple[int, str]:
        try:
            path = self._layout.new_path(self._layout.incoming)
            descriptor = self._disk.create(path, FILE_MODE)
            if self._needs_chmod is None:
                self._needs_chmod = stat.S_IMODE(os.fstat(descriptor).st_mode) != FILE_MODE
        except OSError as error:
            raise cas_error("write", self._layout.incoming, error) from error
        return descriptor, path

    def _finish(self, descriptor: int, temporary: str, digest: Digest, *, executable: bool) -> None:
        """Gives the complete file at TEMPORARY its mode, time and name."""
        if executable:
            os.fchmod(descriptor, EXECUTABLE_MODE)
        elif self._needs_chmod:
            os.fchmod(descriptor, FILE_MODE)
        os.utime(descriptor, ns=(time_ns(), MTIME_NS))
        target = self._verifier.path(digest, executable=executable)
        try:
            self._disk.rename(temporary, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            self._disk.rename(temporary, target)
        self._verifier.remember(target, os.fstat(descriptor))
        self._thread.count.add(digest.size)
        self.has_unflushed = True


def _remove_attributes(descriptor: int) -> None:
    """Removes extended attributes: artifacts have none, and an overlay would take some for its marks.

    Raises:
        OSError: One can't be removed.
    """
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return
    for name in names:
        if name != "security.selinux":
            os.removexattr(descriptor, name)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
