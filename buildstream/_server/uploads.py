"""Blobs that arrive as streams: written and hashed as they come, and continued after an interruption."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from grpc import StatusCode

from .._model.digest import Digest
from .._store.layout import storage_errors
from .compression import Inflater
from .errors import CallError, invalid
from .names import Compressor, Resource
from .storage import Storage

_PREFIX = "upload-"
_CHUNK_BYTES = 1 << 20
_KEPT_S = 24 * 3600.0  # an upload that nobody has continued for so long is forgotten


class Upload:
    """What has arrived of one blob.  One call at a time writes to it; a later one takes over.

    Args:
        path: Of the file that takes it in.
        resource: What is uploaded.
    """

    def __init__(self, path: str, resource: Resource) -> None:
        self.path = path
        self.resource = resource
        self.received_bytes = 0  # of the stream, so maybe compressed
        self.size_bytes = 0  # of the content
        self.used_s = time.monotonic()
        self._checksum = hashlib.sha256()
        self._inflater = Inflater(resource.digest.size) if resource.compressor is Compressor.ZSTD else None
        self._lock = Lock()
        self._owner: object = None  # the call that writes
        if self._inflater is None:
            self._take_over_file()
        else:
            with suppress(FileNotFoundError):  # the state of the decompressor is lost
                os.unlink(path)

    def _take_over_file(self) -> None:
        """Continues what was there before the server was started again."""
        with storage_errors("read", self.path), suppress(FileNotFoundError), open(self.path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                self._checksum.update(chunk)
                self.size_bytes += len(chunk)
        self.received_bytes = self.size_bytes

    @contextmanager
    def writing(self, owner: object) -> Iterator[int]:
        """Gives a descriptor; whoever was writing before gets an error at its next write.

        Raises:
            CASError: The file can't be written to.
        """
        with self._lock:
            self._owner = owner
        with storage_errors("write", self.path):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def write(self, owner: object, descriptor: int, offset: int, data: bytes) -> None:
        """Adds DATA, which begins at OFFSET of the stream; what is known of it is skipped.

        Raises:
            CallError: Another call took over, bytes are missing before OFFSET, or there is too much.
            CASError: The disk fails.
        """
        with self._lock:
            if self._owner is not owner:
                raise CallError(StatusCode.ABORTED, "Another call continues this upload")
            if offset > self.received_bytes:
                raise invalid(f"The next write must begin at {self.received_bytes}, not at {offset}")
            data = data[self.received_bytes - offset :]
            pieces = [data] if self._inflater is None else self._inflater.feed(data)
            for piece in pieces:
                self._write(descriptor, piece)
            self.received_bytes += len(data)
            self.used_s = time.monotonic()

    def _write(self, descriptor: int, data: bytes) -> None:
        if self.size_bytes + len(data) > self.resource.digest.size:
            raise invalid(f"More came than the {self.resource.digest.size} bytes of the blob")
        view = memoryview(data)
        with storage_errors("write", self.path):
            while view:
                written = os.pwrite(descriptor, view, self.size_bytes)
                self._checksum.update(view[:written])
                self.size_bytes += written
                view = view[written:]

    def check(self) -> None:
        """Compares all that has arrived with the digest.

        Raises:
            CallError: It is something else.
        """
        if self._inflater is not None:
            self._inflater.finish()
        found = Digest(self._checksum.hexdigest(), self.size_bytes)
        if found != self.resource.digest:
            raise invalid(f"What came for {self.resource.digest} is {found}")


class Uploads:
    """All uploads that are going on or were interrupted, by the name of their resource."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._directory = storage.cas.incoming_directory
        self._lock = Lock()
        self._uploads: dict[str, Upload] = {}

    def begin(self, name: str, resource: Resource) -> Upload:
        """The upload NAME, new or continued; space is taken for it.

        Raises:
            CallError: The cache is full.
            CASError: The disk fails.
        """
        with self._lock:
            known = self._uploads.get(name)
        if known is not None:
            return known
        self._storage.take_space(resource.digest.size)
        with self._lock:
            known = self._uploads.get(name)
            if known is None:
                known = self._uploads[name] = Upload(self._path(name), resource)
                return known
        self._storage.give_back(resource.digest.size)  # another call was faster
        return known

    def received_bytes(self, name: str, resource: Resource) -> int:
        """How much of the stream NAME has arrived.

        Raises:
            CASError: The disk fails.
        """
        with self._lock:
            known = self._uploads.get(name)
        if known is not None:
            return known.received_bytes
        if resource.compressor is Compressor.ZSTD:
            return 0
        try:
            return os.stat(self._path(name)).st_size
        except FileNotFoundError:
            return 0

    def publish(self, name: str, upload: Upload, descriptor: int) -> None:
        """Makes a complete upload a blob.

        Raises:
            CASError: The disk fails.
        """
        self._storage.publish(descriptor, upload.path, upload.resource.digest)
        with self._lock:
            self._uploads.pop(name, None)

    def forget(self, name: str) -> None:
        """Drops what has arrived; an unknown upload is fine."""
        with self._lock:
            upload = self._uploads.pop(name, None)
        if upload is not None:
            self._storage.give_back(upload.resource.digest.size)
        with suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def forget_old(self) -> None:
        """Drops uploads that nobody has continued for a day."""
        oldest_s = time.monotonic() - _KEPT_S
        with self._lock:
            old = [name for name, upload in self._uploads.items() if upload.used_s < oldest_s]
            kept = {upload.path for upload in self._uploads.values()}
        for name in old:
            self.forget(name)
        with suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX) and entry.path not in kept:
                    with suppress(OSError):
                        if entry.stat().st_mtime < time.time() - _KEPT_S:
                            os.unlink(entry.path)

    def _path(self, name: str) -> str:
        return f"{self._directory}/{_PREFIX}{hashlib.sha256(name.encode()).hexdigest()}"
