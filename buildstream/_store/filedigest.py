"""Digests of files, and opening objects without a trace of it."""

import errno
import hashlib
import os
import stat
import threading
from contextlib import suppress

from .._model.digest import Digest, digest_from_bytes

CHUNK_SIZE_BYTES = 1 << 20
_MOST_AT_ONCE_BYTES = 64 << 20  # what is expected may come from somebody who lies


def open_without_trace(path: str, flags: int) -> int:
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
    descriptor = open_without_trace(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return digest_from_descriptor(descriptor)
    finally:
        os.close(descriptor)


def digest_of_known_file(path: str, size_bytes: int) -> Digest:
    """As `digest_of_file`, in one read if it is small; SIZE_BYTES is its size.

    Raises:
        OSError: It can't be read.
    """
    descriptor = open_without_trace(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = read_small(descriptor, size_bytes)
        return digest_from_descriptor(descriptor) if data is None else digest_from_bytes(data)
    finally:
        os.close(descriptor)


def read_file(path: str, expected_bytes: int) -> bytes:
    """The content of a file, in one read if it has EXPECTED_BYTES or less.

    Raises:
        OSError: It can't be read.
    """
    descriptor = open_without_trace(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data = os.read(descriptor, min(expected_bytes, _MOST_AT_ONCE_BYTES) + 1)
        if len(data) == expected_bytes:
            return data
        parts = [data]
        while data := os.read(descriptor, CHUNK_SIZE_BYTES):
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def read_small(descriptor: int, size_bytes: int) -> bytes | None:
    """The content of a file; None if it is large, or not of that size any more."""
    if size_bytes > CHUNK_SIZE_BYTES:
        return None
    data = os.read(descriptor, size_bytes + 1)
    return data if len(data) == size_bytes else None


def digest_from_descriptor(descriptor: int) -> Digest:
    """The digest of a file, from its start, wherever the descriptor stands."""
    checksum = hashlib.sha256()
    size_bytes = 0
    while chunk := os.pread(descriptor, CHUNK_SIZE_BYTES, size_bytes):
        checksum.update(chunk)
        size_bytes += len(chunk)
    return Digest(checksum.hexdigest(), size_bytes)


class RunningDigest:
    """The digest of a file, computed while others do something with it.

    Args:
        path: A regular file.

    Raises:
        OSError: It can't be opened.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = open_without_trace(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._status = os.fstat(self._descriptor)
        self._found: Digest | None = None
        self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            self._found = digest_from_descriptor(self._descriptor)

    def finish(self) -> tuple[Digest | None, os.stat_result]:
        """Waits for it; None if the file can't be read.  Beside it, what the file was like before.

        To be called once.
        """
        self._thread.join()
        os.close(self._descriptor)
        return self._found, self._status
