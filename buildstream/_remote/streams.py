"""Large blobs as streams, which go on where they were after an interruption."""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._model.digest import Digest
from .._model.wire import fields, integer_field, text_field, varint
from .._store.blobmessages import field_at
from .channel import Channel
from .compression import Decompressor
from .errors import Failure, RemoteError, damaged_answer, some_message
from .retry import Cancellation

if TYPE_CHECKING:
    from .._store.incoming import IncomingBlob

_SERVICE = "/google.bytestream.ByteStream"
_DATA = 0x52  # tag of the field data
_CHUNK_SIZE_BYTES = 1 << 20  # of what is written
_UNDERSTOOD_OTHERWISE = ("OUT_OF_RANGE", "INVALID_ARGUMENT", "UNIMPLEMENTED")
# After an interruption a blob is asked for in pieces. What a broken connection still held is lost: of a
# stream without a limit that can be a mebibyte or more, as servers send messages of that size and the
# transport takes in more than is read.
_SMALLEST_PIECE_BYTES = 128 << 10
_MOST_PIECES = 1024  # so that a hundred interruptions cost less than a tenth of any blob, and pieces are few
_GROWS_AFTER_BYTES = 8 << 20  # without an interruption; then pieces are twice as large
_LARGEST_PIECE_BYTES = 4 << 20  # of more than that, all at once


class _Pieces:
    """How much of a blob is asked for at once.

    Args:
        size_bytes: Of the blob.
    """

    def __init__(self, size_bytes: int) -> None:
        self.limit_bytes = 0  # 0: all that is left
        self._smallest_bytes = min(
            max(size_bytes // _MOST_PIECES, _SMALLEST_PIECE_BYTES), _LARGEST_PIECE_BYTES
        )
        self._unbroken_bytes = 0
        self._are_understood = True

    def note_read(self, size_bytes: int) -> None:
        """A piece came."""
        self._unbroken_bytes += size_bytes
        if self._unbroken_bytes >= _GROWS_AFTER_BYTES:
            self._unbroken_bytes = 0
            self.limit_bytes *= 2
            if self.limit_bytes > _LARGEST_PIECE_BYTES:
                self.limit_bytes = 0

    def note_break(self) -> None:
        """There was an interruption."""
        self._unbroken_bytes = 0
        if self._are_understood:
            self.limit_bytes = self._smallest_bytes

    def give_up(self) -> bool:
        """Asks for no more pieces; gives whether any were asked for."""
        were_used = self.limit_bytes > 0
        self.limit_bytes, self._are_understood = 0, False
        return were_used


def _data_of(message: bytes) -> "bytes | memoryview":
    """The data in an encoded ReadResponse, which is not copied.

    Raises:
        RemoteError: MESSAGE is damaged.
    """
    if not message:
        return b""
    try:
        tag, start, end = field_at(message, 0, len(message))
        if tag == _DATA and end == len(message):
            return memoryview(message)[start:]
        parts = [value for number, value in fields(message) if number == _DATA >> 3]
    except (ValueError, IndexError) as error:
        raise damaged_answer(error) from error
    return b"".join(part for part in parts[-1:] if isinstance(part, bytes))


class DamagedError(Exception):
    """Raised when a file that is sent is not what it should be."""


class _RunningCheck:
    """Hashes a file while it is sent, each part once, also if that is sent again.

    Args:
        digest: What the file should be.
        file: Its descriptor.
        is_known: Whether it is known to be that, so that there is nothing to do.
    """

    def __init__(self, digest: Digest, file: int, *, is_known: bool) -> None:
        self._digest = digest
        self._file = file
        self._is_known = is_known
        self._checksum = hashlib.sha256()
        self._hashed_bytes = 0
        self.is_wrong = False

    def add(self, offset: int, data: bytes) -> None:
        """DATA at OFFSET is sent next."""
        if offset == self._hashed_bytes and not self._is_known:
            self._checksum.update(data)
            self._hashed_bytes += len(data)

    def is_right(self) -> bool:
        """Whether the file is what it should be, now that its last part is about to be sent."""
        if self._is_known:
            return True
        while data := os.pread(self._file, _CHUNK_SIZE_BYTES, self._hashed_bytes):
            self.add(self._hashed_bytes, data)  # the server had some of it already
        found = Digest(self._checksum.hexdigest(), self._hashed_bytes)
        self.is_wrong = found != self._digest
        return not self.is_wrong


class StreamClient:
    """Reads and writes blobs as streams; safe to use from several threads.

    Args:
        channel: The connection.
        compresses: Whether blobs are read compressed. Writing them so could not go on after an interruption.
    """

    def __init__(self, channel: Channel, *, compresses: bool) -> None:
        self._channel = channel
        self._compresses = compresses
        # pieces stay as they are on the wire
        self._read = channel.stub_channel.unary_stream(f"{_SERVICE}/Read")
        self._write = channel.stub_channel.stream_unary(
            f"{_SERVICE}/Write", response_deserializer=self._write_response
        )
        self._prefix = f"{channel.instance_name}/" if channel.instance_name else ""

    def _write_response(self, message: bytes) -> Any:
        return self._protos.WriteResponse.FromString(message)

    @cached_property
    def _protos(self) -> Any:
        from .._protos.google.bytestream import bytestream_pb2

        return bytestream_pb2

    @cached_property
    def _stub(self) -> Any:
        from .._protos.google.bytestream.bytestream_pb2_grpc import ByteStreamStub

        return ByteStreamStub(self._channel.stub_channel)

    def read(
        self,
        digest: Digest,
        incoming: "IncomingBlob",
        cancellation: Cancellation,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Reads a blob into INCOMING, from where that stands, going on there after interruptions.

        ON_BYTES is told of bytes that came.

        Raises:
            RemoteError: It did not come; with Failure.MISSING if the server does not have it.
            CASError: More came than the blob has, or the disk refuses.
        """
        pieces = _Pieces(digest.size)

        def attempt() -> None:
            while incoming.size_bytes < digest.size:
                before_bytes = incoming.size_bytes
                self._read_piece(digest, incoming, pieces.limit_bytes, cancellation, on_bytes)
                came_bytes = incoming.size_bytes - before_bytes
                pieces.note_read(came_bytes)
                if not came_bytes or (not pieces.limit_bytes and incoming.size_bytes < digest.size):
                    raise RemoteError(
                        f"Failed to download blob {digest.hash}: expected {digest.size} bytes, "
                        f"received {incoming.size_bytes} bytes",
                        Failure.TRANSIENT,
                    )

        def attempt_resumable() -> None:
            try:
                attempt()
            except RemoteError as error:
                if error.failure in (Failure.TRANSIENT, Failure.TIMEOUT):
                    pieces.note_break()
                if not incoming.size_bytes or error.status not in _UNDERSTOOD_OTHERWISE:
                    raise
                # a server that can't stop in the middle, or else one that can't begin there
                if not pieces.give_up():
                    incoming.restart()
                attempt()

        if incoming.size_bytes < digest.size:
            self._channel.retried(attempt_resumable, cancellation, lambda: incoming.size_bytes)

    def _read_piece(
        self,
        digest: Digest,
        incoming: "IncomingBlob",
        limit_bytes: int,
        cancellation: Cancellation,
        on_bytes: Callable[[int], None],
    ) -> None:
        """One call, for LIMIT_BYTES or for all that is left."""
        cancellation.check()
        # what is compressed can't be limited
        decompressor = Decompressor() if self._compresses and not limit_bytes else None
        form = "blobs" if decompressor is None else "compressed-blobs/zstd"
        request = self._protos.ReadRequest(
            resource_name=f"{self._prefix}{form}/{digest.hash}/{digest.size}",
            read_offset=incoming.size_bytes,
            read_limit=limit_bytes,
        )
        moved_bytes = 0
        call = self._read(request.SerializeToString(), metadata=self._channel.metadata())
        with self._channel.streaming(call, lambda: moved_bytes, cancellation):
            for response in call:
                data = _data_of(response)
                moved_bytes += len(data)
                for piece in [data] if decompressor is None else decompressor.feed(bytes(data)):
                    incoming.write(piece)
                    on_bytes(len(piece))

    def write(
        self,
        digest: Digest,
        file: int,
        cancellation: Cancellation,
        on_bytes: Callable[[int], None] = lambda _: None,
        *,
        is_known: bool = False,
    ) -> None:
        """Uploads a blob from the descriptor FILE, going on after interruptions where the server is.

        ON_BYTES is told, in another thread, of bytes on their way. What is sent is hashed meanwhile, unless
        it IS_KNOWN to be right: a file that is not what it should be is never sent to its end.

        Raises:
            RemoteError: It was not taken.
            DamagedError: The file holds something else.
        """
        name = f"{self._prefix}uploads/{uuid.uuid4()}/blobs/{digest.hash}/{digest.size}"
        sent = 0  # bytes given to the connection
        is_first = True
        check = _RunningCheck(digest, file, is_known=is_known)

        encoded_name = text_field(1, name)

        def chunks(offset: int) -> Iterator[bytes]:
            nonlocal sent
            while True:
                data = os.pread(file, _CHUNK_SIZE_BYTES, offset)
                sent = offset
                is_last = offset + len(data) >= digest.size or not data
                check.add(offset, data)
                if is_last and not check.is_right():
                    return
                # a WriteRequest; the library would copy the data once more
                head = encoded_name + integer_field(2, offset) + integer_field(3, is_last)
                yield head + b"\x52" + varint(len(data)) + data
                offset += len(data)
                on_bytes(len(data))
                if is_last:
                    return

        def attempt() -> None:
            nonlocal sent, is_first
            cancellation.check()
            offset = 0 if is_first else self._committed(name, cancellation)
            is_first, sent = False, offset
            if offset >= digest.size > 0:
                return
            call = self._write.future(chunks(offset), metadata=self._channel.metadata())
            try:
                with self._channel.streaming(call, lambda: sent, cancellation):
                    answer = some_message(call.result())
            except RemoteError as error:
                if check.is_wrong:
                    raise DamagedError from error
                if error.status == "ALREADY_EXISTS":
                    return
                raise
            if check.is_wrong:
                raise DamagedError
            # a server that has the blob already says so before all was sent
            if answer.committed_size not in (digest.size, -1):
                raise RemoteError(
                    f"The server took {answer.committed_size} of {digest.size} bytes", Failure.TRANSIENT
                )

        self._channel.retried(attempt, cancellation, lambda: sent)

    def _committed(self, name: str, cancellation: Cancellation) -> int:
        """How much of an interrupted upload the server has."""
        request = self._protos.QueryWriteStatusRequest(resource_name=name)
        try:
            answer = self._channel.call_once(self._stub.QueryWriteStatus, request, cancellation)
        except RemoteError as error:
            if error.failure in (Failure.TRANSIENT, Failure.TIMEOUT):
                raise
            return 0  # it does not know the upload, or nothing of uploads that go on
        return int(answer.committed_size)
