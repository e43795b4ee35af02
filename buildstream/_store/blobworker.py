"""A program that stores what a cache server has sent, and reads what it is to be sent; see `blobworkers`.

Its arguments are OBJECTS TEMPORARY MTIME_NS LIBRARY; it runs in the directory of the objects, the path of
which is OBJECTS.  TEMPORARY is the directory for temporary files, which it has for itself: two processes that
make files in the same one wait for each other.  MTIME_NS is the modification time of objects, LIBRARY where
zstd is found.  It starts in a moment, and so imports next to nothing.

From its standard input it reads orders until that ends: the length of a value and that of a message in four
bytes each, the value in the format of `marshal`, the message.  Each is answered in the same way.
"""

import gc
import marshal
import os
import sys
from contextlib import suppress
from hashlib import sha256
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from .._model.wire import read_varint, varint
from .blobmessages import decompressed, field_at, zstd

if TYPE_CHECKING:
    from .presence import AbsenceIndex

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

CORRUPT = -1  # in place of a status: the content is something else
COMPRESSED = -2  # in place of a status: the content is compressed, and that not in one complete frame

ZSTD_LEVEL = 1  # to be faster than the network
WORTH_COMPRESSING_BYTES = 512

_INDEX_ORDERS = 200  # after which it is found out anew what is in the store

_CLOCK_NS = 20_000_000  # by which times of files may be behind

BlobName = tuple[str, int]  # hash, size
Response = tuple[str, bytes, int, str]  # hash, content, status and its text
Window = tuple[int, int]  # when something happened, in nanoseconds since the epoch
# blobs that were stored; paths of their objects; when; hash, size, status of the others; an error of the disk
Stored = tuple[list[BlobName], list[str], Window, list[tuple[str, int, int, str]], "tuple[int, str] | None"]


class Place(NamedTuple):
    """Where objects go."""

    objects: str
    temporary: str
    mtime_ns: int
    prefix: str = ""  # of paths of objects, seen from the working directory


# --- Storing


def store(place: Place, message: bytes, wanted: list[BlobName], executable: set[str]) -> Stored:
    """Stores those of the blobs WANTED that are in MESSAGE, a BatchReadBlobsResponse.

    Those with a hash in EXECUTABLE get that bit. Each is hashed before it gets its name.

    Raises:
        ValueError: MESSAGE is malformed.
    """
    sizes = dict(wanted)
    stored: list[BlobName] = []
    made: list[str] = []
    others: list[tuple[str, int, int, str]] = []
    error = None
    started_ns = time_ns()
    times = (started_ns, place.mtime_ns)
    for digest_hash, data, code, text in _responses(message):
        size = sizes.pop(digest_hash, None)
        if size is None:
            continue  # nobody asked for it
        if code == COMPRESSED:
            data = decompressed(data, size)
            code = 0 if data else code
        if code:
            others.append((digest_hash, size, code, text))
            continue
        if len(data) != size or sha256(data).hexdigest() != digest_hash:
            others.append((digest_hash, size, CORRUPT, ""))
            continue
        suffix, mode = (".x", 0o755) if digest_hash in executable else ("", 0o644)
        target = f"{digest_hash[:2]}/{digest_hash[2:]}{suffix}"
        try:
            make_object(f"{place.temporary}/{len(made)}", target, data, mode, times)
        except OSError as failure:
            error = (failure.errno or 0, f"{place.objects}/{target}")
            break
        made.append(f"{place.objects}/{target}")
        stored.append((digest_hash, size))
    return stored, made, (started_ns - _CLOCK_NS, time_ns()), others, error


def make_object(temporary: str, target: str, data: bytes, mode: int, times: tuple[int, int]) -> None:
    """Makes the file TARGET, over what may be there, by way of TEMPORARY.

    Raises:
        OSError: It can't be done; nothing is left of it.
    """
    try:
        try:
            descriptor = os.open(temporary, _CREATE, mode)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(temporary), exist_ok=True)
            descriptor = os.open(temporary, _CREATE, mode)
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.utime(descriptor, ns=times)
        finally:
            os.close(descriptor)
        try:
            os.rename(temporary, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(temporary, target)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _responses(message: bytes) -> list[Response]:
    """What a BatchReadBlobsResponse holds.

    Raises:
        ValueError: It is malformed.
    """
    found: list[Response] = []
    position, end = 0, len(message)
    while position < end:
        tag, start, position = field_at(message, position, end)
        if tag == 0x0A:
            found.append(_plain_response(message, start, position) or _response(message, start, position))
    return found


def _plain_response(message: bytes, start: int, end: int) -> Response | None:
    """As `_response`, for one in canonical layout that has nothing but digest and content; else None."""
    content = start + 2 + message[start + 1]  # behind the digest
    if message[start] != 0x0A or message[start + 2 : start + 4] != b"\x0a@" or content >= end:
        return None
    if message[content] != 0x12:
        return None
    length, position = read_varint(message, content + 1)
    content_end = position + length
    if content_end != end and message[content_end:end] != b"\x1a\x00":  # a status that says nothing
        return None
    return str(message[start + 4 : start + 68], "ascii", "replace"), message[position:content_end], 0, ""


def _response(message: bytes, position: int, end: int) -> Response:
    digest_hash, data, code, text = "", b"", 0, ""
    while position < end:
        tag, value, position = field_at(message, position, end)
        if tag == 0x0A:
            if message[value : value + 2] == b"\x0a@":
                digest_hash = str(message[value + 2 : value + 66], "ascii", "replace")
        elif tag == 0x12:
            data = message[value:position]
        elif tag == 0x1A:
            code, text = _status(message, value, position)
        elif tag == 0x20 and value:
            code = code or COMPRESSED
    return digest_hash, data, code, text


def _status(message: bytes, position: int, end: int) -> tuple[int, str]:
    """Code and text of a google.rpc.Status."""
    code, text = 0, ""
    while position < end:
        tag, value, position = field_at(message, position, end)
        if tag == 0x08:
            code = value
        elif tag == 0x12:
            text = str(message[value:position], "utf-8", "replace")
    return code, text


# --- Reading


def load(prefix: bytes, wanted: list[BlobName], *, compresses: bool) -> tuple[bytes, list[BlobName]]:
    """A BatchUpdateBlobsRequest that begins with PREFIX and has the blobs WANTED, and those left out.

    Each is hashed; what is left out is not there, or is something else. Blobs are compressed where that
    makes them smaller, if COMPRESSES.
    """
    parts = [prefix]
    lacking: list[BlobName] = []
    for name in wanted:
        digest_hash, size = name
        path = f"{digest_hash[:2]}/{digest_hash[2:]}"
        data = content_of(path, size)
        if data is None or sha256(data).hexdigest() != digest_hash:
            data = content_of(f"{path}.x", size)
            if data is None or sha256(data).hexdigest() != digest_hash:
                lacking.append(name)
                continue
        tail = b""
        if compresses and size >= WORTH_COMPRESSING_BYTES:
            smaller = zstd().compress(data, ZSTD_LEVEL)
            if len(smaller) < size:
                data, tail = smaller, b"\x18\x01"
        digest = b"\x0a@%b\x10%b" % (digest_hash.encode(), varint(size))
        head = b"\x0a%c%b\x12%b" % (len(digest), digest, varint(len(data)))
        parts += (b"\x12", varint(len(head) + len(data) + len(tail)), head, data, tail)
    return b"".join(parts), lacking


def content_of(path: str, size: int) -> bytes | None:
    """What is in the file at PATH; None if it is not there, or has another size."""
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        return None
    try:
        data = os.read(descriptor, size + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if len(data) == size else None


# --- Orders


class Worker:
    """What carries out orders.

    Args:
        place: Where objects go.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._index: AbsenceIndex | None = None
        self._orders = 0  # for which the index was used

    def answer(self, kind: str, arguments: list[Any], message: bytes) -> tuple[object, bytes]:
        """The answer to an order, and a message.

        Raises:
            ValueError: It can't be given; also IndexError, ImportError.
        """
        if kind == "store":
            return store(self._place, message, *arguments), b""
        if kind == "load":
            found, lacking = load(arguments[0], arguments[1], compresses=arguments[2])
            return lacking, found
        if kind in ("find", "take", "give", "check"):
            return self._served(kind, message, arguments[0])
        from . import blobtrees

        if kind in ("scan", "whole"):
            if self._index is None or self._orders % _INDEX_ORDERS == 0:
                self._index = blobtrees.absence_index(self._place)
            self._orders += 1
            if kind == "whole":
                return blobtrees.whole(self._place, arguments[0], self._index), b""
            return tuple(blobtrees.scan(self._place, arguments[0], self._index)), b""
        if kind == "walk":
            return blobtrees.walk(self._place, arguments[0], arguments[1]), b""
        if kind == "keep":
            return blobtrees.keep(self._place, message, arguments[0], is_executable=arguments[1]), b""
        request, expected, lacking = blobtrees.send(arguments[0], arguments[1], compresses=arguments[2])
        return (expected, lacking), request

    def _served(self, kind: str, message: bytes, terms: tuple[Any, ...]) -> tuple[object, bytes]:
        from . import blobserving

        if kind == "find":
            return None, blobserving.find_missing(self._place, message, blobserving.Terms(*terms))
        if kind == "give":
            response, sent_bytes = blobserving.give(self._place, message, blobserving.Terms(*terms))
            return sent_bytes, response
        if kind == "check":
            blobserving.check(self._place, message, blobserving.Terms(*terms))
            return None, b""
        taken = blobserving.take(self._place, message, blobserving.Terms(*terms))
        return (taken.made_sizes, taken.received_bytes, taken.response is not None), taken.response or b""


HEAD_BYTES = 8


def encoded_head(value: bytes, message: bytes) -> bytes:
    """What comes before both."""
    return len(value).to_bytes(4, "little") + len(message).to_bytes(4, "little")


def decoded_head(head: bytes) -> tuple[int, int]:
    """The lengths of both."""
    return int.from_bytes(head[:4], "little"), int.from_bytes(head[4:], "little")


def main() -> None:
    """Does what it is told until its standard input ends."""
    os.umask(0o022)
    gc.disable()  # there is nothing that would need it
    worker = Worker(Place(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := orders.read(HEAD_BYTES):
        length, message_length = decoded_head(head)
        kind, *arguments = marshal.loads(orders.read(length))  # noqa: S302 - from its parent
        message = orders.read(message_length)
        answer: object
        try:
            answer, message = worker.answer(kind, arguments, message)
        except (ValueError, IndexError, ImportError) as error:
            answer, message = str(error), b""
        encoded = marshal.dumps(answer)  # type: ignore[arg-type] # of bytes, texts, numbers
        answers.write(encoded_head(encoded, message))
        answers.write(encoded)
        answers.write(message)
        answers.flush()
