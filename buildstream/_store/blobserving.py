"""What a cache server has done by the processes of `blobworkers`: whole requests about many blobs.

Most functions give the encoded response to an encoded request.  What is not plain, such as a blob that is
missing or damaged, an unknown instance, a field that nobody uses, ends it: the server then answers itself,
with all the care and the words that this takes.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from time import time_ns
from typing import NamedTuple

from .._model.digest import Digest
from .._model.tree import decode_directory
from .._model.wire import read_varint, varint
from .blobmessages import decompressed, field_at, zstd
from .blobtrees import fields_of
from .blobworker import WORTH_COMPRESSING_BYTES, ZSTD_LEVEL, Place, content_of, make_object

_EMPTY = sha256().hexdigest()
_DIGEST = re.compile(rb"\x0a@([0-9a-f]{64})(?:\x10([\x80-\xff]{0,9}[\x00-\x7f]))?")
_IDENTITY, _ZSTD = 0, 1
_DIGEST_FUNCTIONS = (0, 1)  # not said, SHA-256


class UnusualError(ValueError):
    """A request that the server has to answer itself."""


class Terms(NamedTuple):
    """Under which a server answers.

    Attributes:
        instances: Names of its instances, encoded.
        used_since_ns: A blob that was last used before, in nanoseconds since the epoch, is marked as used.
        lock: Path of the lock under which blobs are deleted.
        most_bytes: Contents of a blob, and of a response.
    """

    instances: list[bytes]
    used_since_ns: int
    lock: str
    most_bytes: int


class _Objects:
    """The objects, and which of them are in use from now on."""

    def __init__(self, place: Place, terms: Terms) -> None:
        self._place = place
        self._terms = terms
        self._stale: list[str] = []  # paths of those that are used, and not marked so

    def has(self, name: str, size: int) -> bool:
        """Whether there is an object that looks right, as servers make them: not executable."""
        if not size:
            return name == _EMPTY
        path = f"{name[:2]}/{name[2:]}"
        if not os.access(path, os.F_OK):  # an error would take five times as long
            return False
        try:
            status = os.lstat(path)
        except OSError:
            return False
        if status.st_size != size or status.st_mtime_ns != self._place.mtime_ns:
            return False
        if status.st_atime_ns < self._terms.used_since_ns:
            self._stale.append(path)
        return True

    def read(self, name: str, size: int) -> bytes | None:
        """The content of an object; None if it is not there, or something else."""
        if not size:
            return b"" if name == _EMPTY else None
        path = f"{name[:2]}/{name[2:]}"
        for found in (path, f"{path}.x"):
            data = content_of(found, size)
            if data is not None and sha256(data).hexdigest() == name:
                with suppress(OSError):
                    if os.stat(found).st_atime_ns < self._terms.used_since_ns:
                        self._stale.append(found)
                return data
        return None

    def mark(self) -> bool:
        """Marks as used what is; False if something was deleted meanwhile."""
        if not self._stale:
            return True
        lock = os.open(self._terms.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            for path in self._stale:
                try:
                    os.utime(path, ns=(time_ns(), self._place.mtime_ns))
                except FileNotFoundError:
                    return False
                except OSError:
                    pass  # a store that can only be read is not cleaned up either
        finally:
            os.close(lock)
        return True


def find_missing(place: Place, message: bytes, terms: Terms) -> bytes:
    """The FindMissingBlobsResponse to a FindMissingBlobsRequest.

    Raises:
        UnusualError: See the module.
    """
    objects = _Objects(place, terms)
    found: list[bytes] = []
    for tag, start, end in _fields(message, terms, function=0x18):
        if tag != 0x12:
            raise UnusualError
        digest = message[start:end]
        if not objects.has(*_digest(digest)):
            # field and digest are the same in the response
            found += (b"\x12", varint(len(digest)), digest)
    if not objects.mark():
        raise UnusualError
    return b"".join(found)


def check(place: Place, trees: bytes, terms: Terms) -> None:
    """Marks as used all that belongs to TREES, digests of their roots.

    Raises:
        ValueError: Something is missing, or no directory.
    """
    objects = _Objects(place, terms)
    waiting = [Digest(*name) for name in fields_of(trees)]
    visited = set(waiting)
    files: set[Digest] = set()  # a file may be what a directory is
    while waiting:
        name, size = waiting.pop()
        data = objects.read(name, size)
        if data is None:
            raise UnusualError
        directory = decode_directory(data)
        for _, digest, _, _ in directory.files:
            if digest not in files:
                files.add(digest)
                if not objects.has(*digest):
                    raise UnusualError
        for _, digest in directory.directories:
            if digest not in visited:
                visited.add(digest)
                waiting.append(digest)
    if not objects.mark():
        raise UnusualError


class Taken(NamedTuple):
    """What became of the blobs of a BatchUpdateBlobsRequest.

    Attributes:
        response: None if the server has to answer; what is told here holds all the same.
        made_sizes: Of the blobs that were not there before.
        received_bytes: Contents as they came.
    """

    response: bytes | None
    made_sizes: list[int]
    received_bytes: int


def take(place: Place, message: bytes, terms: Terms) -> Taken:
    """Stores the blobs of a BatchUpdateBlobsRequest, each hashed before it gets its name."""
    objects = _Objects(place, terms)
    parts: list[bytes] = []
    made_sizes: list[int] = []
    received = 0
    times = (time_ns(), place.mtime_ns)
    try:
        for tag, start, end in _fields(message, terms, function=0x28):
            if tag != 0x12:
                raise UnusualError
            digest, data = _upload(message, start, end, terms)
            received += len(data)
            name, size = _digest(digest)
            if len(data) != size or sha256(data).hexdigest() != name:
                raise UnusualError
            if not objects.has(name, size):
                make_object(
                    f"{place.temporary}/{len(made_sizes)}",
                    f"{name[:2]}/{name[2:]}",
                    data,
                    0o644,
                    times,
                )
                made_sizes.append(size)
            parts += (b"\x0a%c\x0a%c" % (len(digest) + 4, len(digest)), digest, b"\x12\x00")
        if not objects.mark():
            raise UnusualError
    except (OSError, ValueError, IndexError):
        return Taken(None, made_sizes, received)
    return Taken(b"".join(parts), made_sizes, received)


def _upload(message: bytes, position: int, end: int, terms: Terms) -> tuple[bytes, bytes]:
    """Encoded digest and plain content of one part of a BatchUpdateBlobsRequest."""
    digest = data = b""
    compressor = _IDENTITY
    while position < end:
        tag, value, position = field_at(message, position, end)
        if tag == 0x0A:
            digest = message[value:position]
        elif tag == 0x12:
            data = message[value:position]
        elif tag == 0x18:
            compressor = value
        else:
            raise UnusualError
    if compressor == _ZSTD:
        size = _digest(digest)[1]
        if not 0 < size <= terms.most_bytes:
            raise UnusualError
        return digest, decompressed(data, size)
    if compressor != _IDENTITY:
        raise UnusualError
    return digest, data


def give(place: Place, message: bytes, terms: Terms) -> tuple[bytes, int]:
    """The BatchReadBlobsResponse to a BatchReadBlobsRequest, and the size of all contents as they are sent.

    Raises:
        UnusualError: See the module.
    """
    objects = _Objects(place, terms)
    wanted: list[bytes] = []
    compresses = False
    for tag, start, end in _fields(message, terms, function=0x20):
        if tag == 0x12:
            wanted.append(message[start:end])
        elif tag == 0x1A:
            compresses = compresses or _ZSTD in message[start:end]
        elif tag == 0x18:
            compresses = compresses or start == _ZSTD
        else:
            raise UnusualError
    names = list(map(_digest, wanted))
    if sum(size for _, size in names) > terms.most_bytes:
        raise UnusualError
    parts: list[bytes] = []
    sent = 0
    for digest, (name, size) in zip(wanted, names, strict=True):
        data = objects.read(name, size)
        if data is None:
            raise UnusualError
        tail = b""
        if compresses and size >= WORTH_COMPRESSING_BYTES:
            smaller = zstd().compress(data, ZSTD_LEVEL)
            if len(smaller) < size:
                data, tail = smaller, b"\x20\x01"
        sent += len(data)
        head = b"\x0a%c%b" % (len(digest), digest)
        if data:
            head += b"\x12" + varint(len(data))
        parts += (b"\x0a", varint(len(head) + len(data) + len(tail)), head, data, tail)
    if not objects.mark():
        raise UnusualError
    return b"".join(parts), sent


def _fields(message: bytes, terms: Terms, *, function: int) -> Iterator[tuple[int, int, int]]:
    """All fields but the instance, and the digest function, the tag of which is FUNCTION.

    Raises:
        UnusualError: Of those two one is unknown.
        ValueError: MESSAGE is malformed.
    """
    instance = b""
    position, end = 0, len(message)
    while position < end:
        tag, start, position = field_at(message, position, end)
        if tag == 0x0A:
            instance = message[start:position]
        elif tag != function:
            yield tag, start, position
        elif start not in _DIGEST_FUNCTIONS:
            raise UnusualError
    if instance not in terms.instances:
        raise UnusualError


def _digest(encoded: bytes) -> tuple[str, int]:
    """Hash and size."""
    match = _DIGEST.fullmatch(encoded)
    if match is None:
        raise UnusualError
    size = match[2]
    return match[1].decode(), read_varint(size, 0)[0] if size else 0
