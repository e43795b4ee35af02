"""Blobs that arrive in pieces, and of which nothing is lost when that is interrupted."""

import fcntl
import hashlib
import os
import time
from contextlib import suppress

from .._exceptions import CASError
from .._model.digest import Digest
from .layout import FILE_MODE, StoreLayout, cas_error
from .objects import ObjectStore

_PREFIX = "partial-"
_CHUNK_SIZE_BYTES = 1 << 20
_KEPT_S = 7 * 24 * 3600.0  # a part that nobody has continued for so long is deleted


class IncomingBlob:
    """A large blob while it is downloaded.

    What has arrived stays in a file until all is there, over the end of the
    program: who starts again begins where `size_bytes` says.

    Args:
        layout: Where the file goes.
        objects: Where the blob goes.
        digest: Of the blob.

    Raises:
        CASError: The disk refuses.
    """

    def __init__(self, layout: StoreLayout, objects: ObjectStore, digest: Digest) -> None:
        self._objects = objects
        self._digest = digest
        self._path = f"{layout.incoming}/{_PREFIX}{digest.hash}"
        self._checksum = hashlib.sha256()
        self.size_bytes = 0  # of what has arrived
        self._is_stored = False
        try:
            self._descriptor = _open_locked(self._path)
            if self._descriptor < 0:  # another process is at it
                self._descriptor, self._path = layout.create_temporary(layout.incoming)
                self._is_shared = False
            else:
                self._is_shared = True
                self._take_over()
        except OSError as error:
            raise cas_error("write", self._path, error) from error

    def close(self) -> None:
        """Ends the reception; what has arrived of a blob that is not complete is kept."""
        if not self._is_stored and not (self._is_shared and self.size_bytes):
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        os.close(self._descriptor)

    def write(self, data: "bytes | memoryview") -> None:
        """Appends DATA.

        Raises:
            CASError: It is more than the blob has (`corrupt-blob`), or the disk refuses.
        """
        if self.size_bytes + len(data) > self._digest.size:
            self.restart()
            raise CASError(
                f"More than {self._digest.size} bytes came for {self._digest}", reason="corrupt-blob"
            )
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise cas_error("write", self._path, error) from error
        self._checksum.update(data)
        self.size_bytes += len(data)

    def restart(self) -> None:
        """Forgets all that has arrived."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._checksum = hashlib.sha256()
        self.size_bytes = 0

    def store(self, *, executable: bool = False) -> None:
        """Gives the complete blob its place in the store.

        Raises:
            CASError: What has arrived is not the blob (`corrupt-blob`): nothing of it is kept.
        """
        found = Digest(self._checksum.hexdigest(), self.size_bytes)
        if found != self._digest:
            self.restart()
            raise CASError(f"What came for {self._digest} is {found}", reason="corrupt-blob")
        try:
            self._objects.writer.publish(self._descriptor, self._path, self._digest, executable=executable)
        except OSError as error:
            raise cas_error("write", self._path, error) from error
        self._is_stored = True

    def _take_over(self) -> None:
        """Continues what an earlier attempt has left."""
        while chunk := os.read(self._descriptor, _CHUNK_SIZE_BYTES):
            self._checksum.update(chunk)
            self.size_bytes += len(chunk)
        if self.size_bytes > self._digest.size:
            self.restart()


def forget_old_parts(layout: StoreLayout) -> None:
    """Deletes parts of blobs that were given up long ago."""
    oldest_s = time.time() - _KEPT_S
    with suppress(OSError), os.scandir(layout.incoming) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.stat().st_mtime < oldest_s:
                with suppress(OSError):
                    os.unlink(entry.path)


def _open_locked(path: str) -> int:
    """Opens the file at PATH, created if need be, for this process alone; -1 if another one has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass  # it became a blob before the lock was ours
        os.close(descriptor)
