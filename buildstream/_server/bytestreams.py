"""The service ByteStream: blobs of any size."""

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial

from grpc import StatusCode

from .._model.digest import EMPTY_DIGEST
from .._protos.google.bytestream.bytestream_pb2 import (
    QueryWriteStatusRequest,
    QueryWriteStatusResponse,
    ReadRequest,
    ReadResponse,
    WriteRequest,
    WriteResponse,
)
from .._zstd import Deflater, compressed
from .calls import Call, Kind, Method
from .errors import CallError, invalid
from .metrics import Metrics
from .names import Compressor, Instances, Resource, resource_from_name
from .settings import Right
from .storage import Storage
from .uploads import Uploads

_SERVICE = "google.bytestream.ByteStream"
_CHUNK_BYTES = 128 << 10  # what a client loses of at most when a connection breaks
_Write = Callable[[int, bytes], None]  # offset in the stream, data


class ByteStreams:
    """Reading and writing blobs piece by piece, in memory of a few pieces a call."""

    def __init__(self, storage: Storage, uploads: Uploads, instances: Instances, metrics: Metrics) -> None:
        self._storage = storage
        self._uploads = uploads
        self._instances = instances
        self._metrics = metrics

    def methods(self) -> list[Method]:
        """What it serves."""
        query = QueryWriteStatusRequest, QueryWriteStatusResponse
        return [
            Method(_SERVICE, "Read", Right.READ, Kind.READING, ReadRequest, ReadResponse, self.read),
            Method(_SERVICE, "Write", Right.PUSH, Kind.WRITING, WriteRequest, WriteResponse, self.write),
            Method(_SERVICE, "QueryWriteStatus", Right.PUSH, Kind.UNARY, *query, self.query_write_status),
        ]

    def read(self, request: ReadRequest, call: Call) -> Iterator[ReadResponse]:
        """Sends a blob, or the part of it from `read_offset` on with `read_limit` bytes at most."""
        resource = self._resource(request.resource_name)
        size = resource.digest.size
        offset, limit = request.read_offset, request.read_limit
        if offset < 0 or offset > size:
            raise CallError(StatusCode.OUT_OF_RANGE, f"The offset {offset} is outside of the {size} bytes")
        if limit < 0:
            raise invalid("The limit is negative")
        if limit and resource.compressor is Compressor.ZSTD:
            raise invalid("A compressed blob can't be read with a limit")
        end = min(size, offset + limit) if limit else size
        is_whole = offset == 0 and end == size
        if resource.digest == EMPTY_DIGEST:
            if resource.compressor is Compressor.ZSTD:
                yield ReadResponse(data=compressed(b""))
            return
        if is_whole:
            descriptor, is_right = self._storage.open(resource.digest)
        else:
            descriptor, is_right = self._storage.open_verified(resource.digest), True
        try:
            pieces = self._pieces(descriptor, offset, end)
            if not is_right:
                pieces = self._verified(pieces, resource)
            if resource.compressor is Compressor.ZSTD:
                pieces = _deflated(pieces)
            for piece in pieces:
                self._metrics.add("sent_bytes_total", len(piece))
                yield ReadResponse(data=piece)
        finally:
            os.close(descriptor)

    def _pieces(self, descriptor: int, offset: int, end: int) -> Iterator[bytes]:
        while offset < end:
            piece = os.pread(descriptor, min(_CHUNK_BYTES, end - offset), offset)
            if not piece:
                raise CallError(StatusCode.DATA_LOSS, "The blob is damaged")
            offset += len(piece)
            yield piece

    def _verified(self, pieces: Iterator[bytes], resource: Resource) -> Iterator[bytes]:
        """Holds the last piece back until all are known to be right."""
        checksum = hashlib.sha256()
        held = b""
        for piece in pieces:
            checksum.update(piece)
            if held:
                yield held
            held = piece
        if checksum.hexdigest() != resource.digest.hash:
            self._storage.put_away(resource.digest)
            raise CallError(StatusCode.DATA_LOSS, "The blob is damaged")
        if held:
            yield held

    def write(self, requests: Iterator[WriteRequest], call: Call) -> WriteResponse:
        """Takes a blob in; answers at once if it is there already."""
        first = next(requests, None)
        if first is None:
            raise invalid("The stream has no message")
        name = first.resource_name
        resource = self._resource(name)
        if resource.upload is None:
            raise invalid("The name of an upload begins with 'uploads/' and an identifier")
        if self._storage.use(resource.digest):
            self._uploads.forget(name)
            return WriteResponse(committed_size=_size_of_known(resource))
        upload = self._uploads.begin(name, resource)
        owner = object()
        try:
            with upload.writing(owner) as descriptor:
                is_finished = self._receive(first, requests, partial(upload.write, owner, descriptor))
                if is_finished:
                    upload.check()
                    self._uploads.publish(name, upload, descriptor)
        except CallError as error:
            if error.code is StatusCode.INVALID_ARGUMENT:
                self._uploads.forget(name)
            raise
        return WriteResponse(committed_size=upload.received_bytes)

    def _receive(self, first: WriteRequest, requests: Iterator[WriteRequest], write: _Write) -> bool:
        """Hands all data to WRITE; gives whether the client said that it was all."""
        message: WriteRequest | None = first
        while message is not None:
            if message.resource_name not in ("", first.resource_name):
                raise invalid("The name of the resource changed within a stream")
            write(message.write_offset, message.data)
            self._metrics.add("received_bytes_total", len(message.data))
            if message.finish_write:
                return True
            message = next(requests, None)
        return False

    def query_write_status(self, request: QueryWriteStatusRequest, call: Call) -> QueryWriteStatusResponse:
        """How much of an upload has arrived, so where to continue."""
        resource = self._resource(request.resource_name)
        if self._storage.use(resource.digest):
            return QueryWriteStatusResponse(committed_size=_size_of_known(resource), complete=True)
        received = self._uploads.received_bytes(request.resource_name, resource)
        return QueryWriteStatusResponse(committed_size=received)

    def _resource(self, name: str) -> Resource:
        resource = resource_from_name(name)
        self._instances.check(resource.instance)
        return resource


def _deflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    deflater = Deflater()
    for piece in pieces:
        if output := deflater.feed(piece):
            yield output
    yield deflater.finish()


def _size_of_known(resource: Resource) -> int:
    """What the API wants as the committed size of a blob that was there already."""
    return resource.digest.size if resource.compressor is Compressor.IDENTITY else -1
