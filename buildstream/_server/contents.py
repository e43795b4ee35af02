"""The service ContentAddressableStorage: which blobs are there, and small blobs in batches."""

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import DecodeError
from grpc import StatusCode

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.directorybytes import TreeDecodeError
from .._model.tree import decode_directory
from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    BatchReadBlobsRequest,
    BatchReadBlobsResponse,
    BatchUpdateBlobsRequest,
    BatchUpdateBlobsResponse,
    FindMissingBlobsRequest,
    FindMissingBlobsResponse,
    GetTreeRequest,
    GetTreeResponse,
)
from .._zstd import compressed
from .calls import Call, Kind, Method
from .compression import decompressed
from .errors import CallError, call_error_from, invalid
from .metrics import Metrics
from .names import Instances, check_digest_function, digest_from
from .settings import Right
from .storage import Storage

_SERVICE = "build.bazel.remote.execution.v2.ContentAddressableStorage"
BATCH_LIMIT_BYTES = (4 << 20) - (64 << 10)  # told to clients: with some overhead a message they all take
MESSAGE_LIMIT_BYTES = 2 * (4 << 20)  # that this server takes and sends
_PAGE_BYTES = 1 << 20
_IDENTITY, _ZSTD = 0, 1
_WORTH_COMPRESSING_BYTES = 512
# blobs from which on a request is worth the way to another process and back
_MANY = 32
_MANY_TO_FIND = 64
_DIGEST_MARK = b"\x0a@"  # what begins the encoding of a digest

_Request = TypeVar("_Request", FindMissingBlobsRequest, BatchUpdateBlobsRequest, BatchReadBlobsRequest)


class Contents:
    """Blobs by digest."""

    def __init__(self, storage: Storage, instances: Instances, metrics: Metrics) -> None:
        self._storage = storage
        self._instances = instances
        self._metrics = metrics

    def methods(self) -> list[Method]:
        """What it serves."""
        raw = RawMessage, RawMessage
        tree = GetTreeRequest, GetTreeResponse
        return [
            Method(_SERVICE, "FindMissingBlobs", Right.READ, Kind.UNARY, *raw, self.find_missing),
            Method(_SERVICE, "BatchUpdateBlobs", Right.PUSH, Kind.UNARY, *raw, self.update),
            Method(_SERVICE, "BatchReadBlobs", Right.READ, Kind.UNARY, *raw, self.read),
            Method(_SERVICE, "GetTree", Right.READ, Kind.READING, *tree, self.tree),
        ]

    def find_missing(self, message: bytes, call: Call) -> bytes:
        """Which of many blobs are not there; the others count as used."""
        count = message.count(_DIGEST_MARK)
        if count >= _MANY_TO_FIND:
            found = self._storage.find_all(message, count, self._instances.names)
            if found is not None:
                return found
        request = _decoded(FindMissingBlobsRequest, message)
        self._instances.check(request.instance_name)
        check_digest_function(request.digest_function)
        use = self._storage.use
        missing = [message for message in request.blob_digests if not use(digest_from(message))]
        return FindMissingBlobsResponse(missing_blob_digests=missing).SerializeToString()

    def update(self, message: bytes, call: Call) -> bytes:
        """Stores blobs, each with a status of its own."""
        count = message.count(_DIGEST_MARK)
        if count >= _MANY:
            stored = self._storage.add_all(message, count, self._instances.names)
            if stored is not None:
                self._metrics.add("received_bytes_total", stored[1])
                return stored[0]
        request = _decoded(BatchUpdateBlobsRequest, message)
        self._instances.check(request.instance_name)
        check_digest_function(request.digest_function)
        response = BatchUpdateBlobsResponse()
        for part in request.requests:
            answer = response.responses.add(digest=part.digest)
            self._metrics.add("received_bytes_total", len(part.data))
            try:
                digest = digest_from(part.digest)
                self._storage.add(digest, _plain(part, digest))
            except CASError as error:
                failure = call_error_from(error)
                if error.reason == "corrupt-blob":  # it never got into the store
                    failure = invalid(str(error))
                answer.status.code, answer.status.message = _number(failure.code), str(failure)
            except CallError as error:
                answer.status.code, answer.status.message = _number(error.code), str(error)
        return response.SerializeToString()

    def read(self, encoded: bytes, call: Call) -> bytes:
        """The contents of blobs, each with a status of its own."""
        count = encoded.count(_DIGEST_MARK)
        if count >= _MANY:
            given = self._storage.read_all(encoded, count, self._instances.names)
            if given is not None:
                self._metrics.add("sent_bytes_total", given[1])
                return given[0]
        request = _decoded(BatchReadBlobsRequest, encoded)
        self._instances.check(request.instance_name)
        check_digest_function(request.digest_function)
        if sum(max(0, message.size_bytes) for message in request.digests) > MESSAGE_LIMIT_BYTES - (64 << 10):
            raise invalid(f"More than {BATCH_LIMIT_BYTES} bytes were asked for in one batch")
        may_compress = _ZSTD in request.acceptable_compressors
        response = BatchReadBlobsResponse()
        for message in request.digests:
            answer = response.responses.add(digest=message)
            try:
                data = self._storage.read(digest_from(message))
            except CASError as error:
                failure = call_error_from(error)
                answer.status.code, answer.status.message = _number(failure.code), str(failure)
                continue
            if may_compress and len(data) >= _WORTH_COMPRESSING_BYTES:
                smaller = compressed(data)
                if len(smaller) < len(data):
                    data = smaller
                    answer.compressor = _ZSTD  # type: ignore[assignment]  # a number is fine at run time
            answer.data = data
            self._metrics.add("sent_bytes_total", len(data))
        return response.SerializeToString()

    def tree(self, request: GetTreeRequest, call: Call) -> Iterator[GetTreeResponse]:
        """All directories of a tree, each once and behind one that refers to it."""
        self._instances.check(request.instance_name)
        check_digest_function(request.digest_function)
        token = request.page_token
        if token and not token.isdecimal():
            raise invalid("The page token is not one of this server")
        skipped = int(token) if token else 0
        page_size = request.page_size if request.page_size > 0 else 1000
        position = filled = 0
        response = GetTreeResponse()
        for data in self._directories(digest_from(request.root_digest)):
            position += 1
            if position <= skipped:
                continue
            if filled and (filled + len(data) > _PAGE_BYTES or len(response.directories) >= page_size):
                response.next_page_token = str(position - 1)
                yield response
                response, filled = GetTreeResponse(), 0
            response.directories.add().MergeFromString(data)
            filled += len(data) + 1
        yield response

    def _directories(self, root: Digest) -> Iterator[bytes]:
        waiting, seen = [root], {root}
        while waiting:
            current = waiting.pop()
            data = self._storage.read(current)
            try:
                directory = decode_directory(data)
            except TreeDecodeError as error:
                raise CallError(
                    StatusCode.FAILED_PRECONDITION, f"Blob {current} is not a directory: {error}"
                ) from error
            yield data
            for entry in reversed(directory.directories):
                if entry.digest not in seen:
                    seen.add(entry.digest)
                    waiting.append(entry.digest)


class RawMessage:
    """In place of the class of a message: it stays as it is on the wire."""

    FromString = SerializeToString = staticmethod(bytes)


def _decoded(kind: type[_Request], message: bytes) -> _Request:
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise invalid(f"The request is damaged: {error}") from error


def _plain(part: BatchUpdateBlobsRequest.Request, digest: Digest) -> bytes:
    if part.compressor == _IDENTITY:
        return part.data
    if part.compressor != _ZSTD:
        raise invalid("The only compressor of this server is ZSTD")
    if digest.size > 4 * MESSAGE_LIMIT_BYTES:
        raise invalid("The blob is too large for a batch")
    return decompressed(part.data, digest.size)


def _number(code: StatusCode) -> int:
    return int(code.value[0])
