"""The content storage of one remote: which blobs it has, reading and writing them.

Every call is retried and has a deadline (see `channel`); what comes is
handed on unverified but for its size, and verified by whoever stores it.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .._model.digest import Digest
from .capabilities import StorageCapabilities
from .channel import Channel
from .errors import NOT_FOUND, OK, Failure, RemoteError, error_from_status, status_name
from .retry import Cancellation

if TYPE_CHECKING:
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage
    from .._protos.google.bytestream.bytestream_pb2 import WriteRequest
    from .._store.incoming import IncomingBlob

_DIGESTS_PER_REQUEST = 10_000  # some 80 bytes each
_CHUNK_SIZE_BYTES = 1 << 20  # of streams
_OVERHEAD_BYTES = 100  # of a blob in a batch: digest, status, framing
_ALREADY_EXISTS = 6


class Blob(NamedTuple):
    """A blob that came in a batch, its content not verified."""

    digest: Digest
    data: bytes | None  # None: the server does not have it


class CasClient:
    """The calls of a storage server; safe to use from several threads.

    Args:
        channel: The connection.
        capabilities: What the server can do.
    """

    def __init__(self, channel: Channel, capabilities: StorageCapabilities) -> None:
        from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2
        from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2_grpc import (
            ContentAddressableStorageStub,
        )
        from .._protos.google.bytestream import bytestream_pb2
        from .._protos.google.bytestream.bytestream_pb2_grpc import ByteStreamStub

        self.channel = channel
        self.capabilities = capabilities
        self._protos = remote_execution_pb2
        self._stream_protos = bytestream_pb2
        self._storage = ContentAddressableStorageStub(channel.stub_channel)
        self._streams = ByteStreamStub(channel.stub_channel)
        self._prefix = f"{channel.instance_name}/" if channel.instance_name else ""

    @property
    def largest_in_batch(self) -> int:
        """The size in bytes of the largest blob that may be sent in a batch."""
        return self.capabilities.batch_limit_bytes - _OVERHEAD_BYTES

    def find_missing(self, digests: Iterable[Digest], cancellation: Cancellation) -> set[Digest]:
        """Which of DIGESTS the server does not have: as few calls as the size of a request allows.

        Raises:
            RemoteError: It does not tell.
        """
        asked = list(dict.fromkeys(digests))
        missing: set[Digest] = set()
        for start in range(0, len(asked), _DIGESTS_PER_REQUEST):
            request = self._protos.FindMissingBlobsRequest(
                instance_name=self.channel.instance_name,
                blob_digests=map(self._message, asked[start : start + _DIGESTS_PER_REQUEST]),
            )
            answer = self.channel.call(self._storage.FindMissingBlobs, request, cancellation)
            missing.update(_digest(found) for found in answer.missing_blob_digests)
        return missing.intersection(asked)

    # batches

    def read_batch(self, digests: Sequence[Digest], cancellation: Cancellation) -> Iterator[Blob]:
        """The blobs DIGESTS, each once, in one call; together they must fit into a batch.

        Raises:
            RemoteError: The call failed, or the server failed with some of them.
        """
        wanted = set(digests)
        request = self._protos.BatchReadBlobsRequest(
            instance_name=self.channel.instance_name, digests=map(self._message, digests)
        )
        answer = self.channel.call(self._storage.BatchReadBlobs, request, cancellation)
        failure: RemoteError | None = None
        for response in answer.responses:
            digest = _digest(response.digest)
            if digest not in wanted:
                continue  # nobody asked for it
            wanted.discard(digest)
            code = response.status.code
            if code == OK:
                yield Blob(digest, response.data)
            elif code == NOT_FOUND:
                yield Blob(digest, None)
            else:
                failure = error_from_status(status_name(code), response.status.message)
        if failure is None and wanted:
            failure = RemoteError(f"The server left out {len(wanted)} blobs of a batch", Failure.TRANSIENT)
        if failure is not None:
            raise failure

    def write_batch(self, blobs: Sequence[tuple[Digest, bytes]], cancellation: Cancellation) -> None:
        """Uploads BLOBS in one call; together they must fit into a batch.

        Raises:
            RemoteError: Not all were taken.
        """
        request = self._protos.BatchUpdateBlobsRequest(instance_name=self.channel.instance_name)
        for digest, data in blobs:
            request.requests.add(digest=self._message(digest), data=data)

        def attempt() -> None:
            answer = self.channel.call_once(self._storage.BatchUpdateBlobs, request, cancellation)
            codes = {_digest(response.digest): response.status for response in answer.responses}
            for digest, _ in blobs:
                status = codes.get(digest)
                if status is None:
                    raise RemoteError(f"The server did not confirm blob {digest}", Failure.TRANSIENT)
                if status.code not in (OK, _ALREADY_EXISTS):
                    raise error_from_status(status_name(status.code), status.message)

        self.channel.retried(attempt, cancellation)

    # streams

    def read_stream(
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
        name = f"{self._prefix}blobs/{digest.hash}/{digest.size}"

        def attempt() -> None:
            cancellation.check()
            request = self._stream_protos.ReadRequest(resource_name=name, read_offset=incoming.size_bytes)
            call = self._streams.Read(request, metadata=self.channel.metadata())
            with self.channel.streaming(call, lambda: incoming.size_bytes, cancellation):
                for response in call:
                    incoming.write(response.data)
                    on_bytes(len(response.data))
            if incoming.size_bytes < digest.size:
                raise RemoteError(
                    f"Failed to download blob {digest.hash}: expected {digest.size} bytes, "
                    f"received {incoming.size_bytes} bytes",
                    Failure.TRANSIENT,
                )

        def attempt_resumable() -> None:
            try:
                attempt()
            except RemoteError as error:
                # a server that can't begin in the middle
                if not incoming.size_bytes or error.status not in ("OUT_OF_RANGE", "INVALID_ARGUMENT"):
                    raise
                incoming.restart()
                attempt()

        if incoming.size_bytes < digest.size or not digest.size:
            self.channel.retried(attempt_resumable, cancellation, lambda: incoming.size_bytes)

    def write_stream(
        self,
        digest: Digest,
        file: int,
        cancellation: Cancellation,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Uploads a blob from the descriptor FILE, going on after interruptions where the server is.

        ON_BYTES is told, in another thread, of bytes on their way.

        Raises:
            RemoteError: It was not taken.
        """
        name = f"{self._prefix}uploads/{uuid.uuid4()}/blobs/{digest.hash}/{digest.size}"
        sent = 0  # bytes given to the connection
        is_first = True

        def chunks(offset: int) -> "Iterator[WriteRequest]":
            nonlocal sent
            while True:
                data = os.pread(file, _CHUNK_SIZE_BYTES, offset)
                sent = offset
                is_last = offset + len(data) >= digest.size or not data
                yield self._stream_protos.WriteRequest(
                    resource_name=name, write_offset=offset, finish_write=is_last, data=data
                )
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
            call = self._streams.Write.future(chunks(offset), metadata=self.channel.metadata())
            try:
                with self.channel.streaming(call, lambda: sent, cancellation):
                    answer = call.result()
            except RemoteError as error:
                if error.status == "ALREADY_EXISTS":
                    return
                raise
            # a server that has the blob already says so before all was sent
            if answer.committed_size not in (digest.size, -1):
                raise RemoteError(
                    f"The server took {answer.committed_size} of {digest.size} bytes", Failure.TRANSIENT
                )

        self.channel.retried(attempt, cancellation, lambda: sent)

    def _committed(self, name: str, cancellation: Cancellation) -> int:
        """How much of an interrupted upload the server has."""
        request = self._stream_protos.QueryWriteStatusRequest(resource_name=name)
        try:
            answer = self.channel.call_once(self._streams.QueryWriteStatus, request, cancellation)
        except RemoteError as error:
            if error.failure in (Failure.TRANSIENT, Failure.TIMEOUT):
                raise
            return 0  # it does not know the upload, or nothing of uploads that go on
        return int(answer.committed_size)

    def _message(self, digest: Digest) -> "DigestMessage":
        return self._protos.Digest(hash=digest.hash, size_bytes=digest.size)


def _digest(message: "DigestMessage") -> Digest:
    return Digest(message.hash, message.size_bytes)
