"""The content storage of one remote: which blobs it has, reading and writing them in batches and streams.

Every call is retried and has a deadline (see `channel`); what comes is
handed on unverified but for its size, and verified by whoever stores it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .._model.digest import Digest
from .._model.tree import encode_digest_field
from .._model.wire import text_field
from .._store.blobtrees import Field, fields_of, split_fields
from .._zstd import compressed
from .capabilities import StorageCapabilities
from .channel import Channel
from .compression import WORTH_COMPRESSING_BYTES, decompressed
from .errors import NOT_FOUND, OK, Failure, RemoteError, damaged_answer, error_from_status, status_name
from .missingahead import MOST_FIELDS, MissingAhead
from .parallel import run_parts
from .retry import Cancellation
from .streams import StreamClient

if TYPE_CHECKING:
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage

_DIGESTS_PER_REQUEST = 10_000  # some 80 bytes each
_LOOK_AHEAD_WIDTH = 4  # calls at a time
_OVERHEAD_BYTES = 100  # of a blob in a batch: digest, status, framing
_ALREADY_EXISTS = 6
_ZSTD = 1  # of the compressors
_SERVICE = "build.bazel.remote.execution.v2.ContentAddressableStorage"
_ACCEPTS_ZSTD = b"\x1a\x01\x01"  # field acceptable_compressors of a BatchReadBlobsRequest


class Blob(NamedTuple):
    """A blob that came in a batch, its content not verified."""

    digest: Digest
    data: bytes | None  # None: the server does not have it


class CasClient:
    """The calls of a storage server; safe to use from several threads.

    Args:
        channel: The connection.
        capabilities: What the server can do.
        compresses: Whether blobs are compressed on their way where the server can do that; by default
            if it is on another machine.
    """

    def __init__(
        self, channel: Channel, capabilities: StorageCapabilities, *, compresses: bool | None = None
    ) -> None:
        self.channel = channel
        self.capabilities = capabilities
        # as they are on the wire: for many small blobs, messages cost more than what they are about
        self._batch_read = channel.stub_channel.unary_unary(f"/{_SERVICE}/BatchReadBlobs")
        self._find_missing = channel.stub_channel.unary_unary(f"/{_SERVICE}/FindMissingBlobs")
        self._batch_update = channel.stub_channel.unary_unary(f"/{_SERVICE}/BatchUpdateBlobs")
        # what requests begin with: the field instance_name is the first of all
        self.prefix = text_field(1, channel.instance_name)
        is_compressing = not channel.is_local if compresses is None else compresses
        self._reads_zstd = is_compressing and capabilities.reads_zstd
        self._updates_zstd = is_compressing and capabilities.updates_zstd
        self.ahead = MissingAhead(channel.effects.now_s)
        self.streams = StreamClient(channel, compresses=is_compressing and capabilities.streams_zstd)

    @property
    def _protos(self) -> Any:
        """Messages as classes, which many transfers do without."""
        from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2

        return remote_execution_pb2

    @property
    def largest_in_batch(self) -> int:
        """The size in bytes of the largest blob that may be sent in a batch."""
        return self.capabilities.batch_limit_bytes - _OVERHEAD_BYTES

    @property
    def compresses(self) -> bool:
        """Whether blobs are compressed in batches that are sent."""
        return self._updates_zstd

    def find_missing(self, digests: Iterable[Digest], cancellation: Cancellation) -> set[Digest]:
        """Which of DIGESTS the server does not have: as few calls as the size of a request allows.

        Raises:
            RemoteError: It does not tell.
        """
        asked = dict.fromkeys(digests)
        fields = self.find_missing_fields(list(map(encode_digest_field, asked)), cancellation)
        return {Digest(*name) for name in fields_of(b"".join(fields))}

    def find_missing_fields(self, asked: Sequence[Field], cancellation: Cancellation) -> list[Field]:
        """As `find_missing`, for different encoded digests; in their order."""
        known, unknown = self.ahead.split(asked)
        missing = set(known)
        for start in range(0, len(unknown), _DIGESTS_PER_REQUEST):
            missing.update(self._ask(unknown[start : start + _DIGESTS_PER_REQUEST], cancellation))
        return [field for field in asked if field in missing]

    def look_ahead(self, fields: Iterable[Field], cancellation: Cancellation) -> None:
        """Finds out at once what is soon to be asked about FIELDS, encoded digests, or as many as are kept.

        Raises:
            RemoteError: The server does not tell.
        """
        asked = list(islice(dict.fromkeys(fields), MOST_FIELDS))

        def ask(part: Sequence[Field]) -> None:
            self.ahead.note(part, self._ask(part, cancellation))

        parts = [
            partial(ask, asked[start : start + _DIGESTS_PER_REQUEST])
            for start in range(0, len(asked), _DIGESTS_PER_REQUEST)
        ]
        run_parts(parts, _LOOK_AHEAD_WIDTH, cancellation)

    def _ask(self, asked: Sequence[Field], cancellation: Cancellation) -> Iterable[Field]:
        """Those of ASKED that the server lacks; one call."""
        answer = self.channel.call(self._find_missing, self.prefix + b"".join(asked), cancellation)
        try:
            return split_fields(answer)  # field and digests are encoded as in the request
        except ValueError:  # in another way that is right
            return self._missing_in(answer)

    def _missing_in(self, message: bytes) -> list[Field]:
        response = self._decoded(self._protos.FindMissingBlobsResponse, message)
        return [encode_digest_field(_digest(found)) for found in response.missing_blob_digests]

    def _decoded(self, kind: Any, message: bytes) -> Any:
        from google.protobuf.message import DecodeError

        try:
            return kind.FromString(message)
        except DecodeError as error:
            raise damaged_answer(error) from error

    # batches

    def read_message(self, digests: Sequence[Digest], cancellation: Cancellation) -> bytes:
        """The encoded response to a question for DIGESTS, asked once; together they must fit into a batch.

        Raises:
            RemoteError: The call failed.
        """
        return self.read_encoded(b"".join(map(encode_digest_field, digests)), cancellation)

    def read_encoded(self, digests: bytes, cancellation: Cancellation) -> bytes:
        """As `read_message`, for encoded digests."""
        request = self.prefix + digests + (_ACCEPTS_ZSTD if self._reads_zstd else b"")
        return cast("bytes", self.channel.call_once(self._batch_read, request, cancellation))

    def blobs_in(self, message: bytes, digests: Iterable[Digest]) -> Iterator[Blob]:
        """Those of the blobs DIGESTS that are in MESSAGE, each once.

        Raises:
            RemoteError: At once with status INTERNAL, as MESSAGE is damaged; while it gives blobs, as the
                server failed with some of them, or left them out.
        """
        answer = self._decoded(self._protos.BatchReadBlobsResponse, message)
        return self._blobs_of(answer.responses, set(digests))

    def _blobs_of(self, responses: Iterable[Any], wanted: set[Digest]) -> Iterator[Blob]:
        failure: RemoteError | None = None
        for response in responses:
            digest = _digest(response.digest)
            if digest not in wanted:
                continue  # nobody asked for it
            wanted.discard(digest)
            code = response.status.code
            if code == OK:
                if response.compressor == _ZSTD:
                    yield Blob(digest, decompressed(response.data, digest.size))
                else:
                    yield Blob(digest, response.data)
            elif code == NOT_FOUND:
                yield Blob(digest, None)
            else:
                failure = error_from_status(status_name(code), response.status.message)
        if failure is None and wanted:
            failure = left_out(len(wanted))
        if failure is not None:
            raise failure

    def write_batch(self, blobs: Sequence[tuple[Digest, bytes]], cancellation: Cancellation) -> None:
        """Uploads BLOBS in one call; together they must fit into a batch.

        Raises:
            RemoteError: Not all were taken.
        """
        request = self._protos.BatchUpdateBlobsRequest.FromString(self.prefix)
        for digest, data in blobs:
            part = request.requests.add(digest=self._message(digest), data=data)
            if self._updates_zstd and len(data) >= WORTH_COMPRESSING_BYTES:
                smaller = compressed(data)
                if len(smaller) < len(data):
                    part.data, part.compressor = smaller, _ZSTD

        self.write_message(request.SerializeToString(), lambda: [digest for digest, _ in blobs], cancellation)

    def write_message(
        self,
        message: bytes,
        digests: Callable[[], Iterable[Digest]],
        cancellation: Cancellation,
        expected: bytes | None = None,
    ) -> None:
        """Uploads the blobs that DIGESTS gives, and MESSAGE, an encoded BatchUpdateBlobsRequest, holds.

        EXPECTED is the response of which it is known that all were taken.

        Raises:
            RemoteError: Not all were taken.
        """

        def attempt() -> None:
            encoded = self.channel.call_once(self._batch_update, message, cancellation)
            if encoded == expected:
                return
            answer = self._decoded(self._protos.BatchUpdateBlobsResponse, encoded)
            codes = {_digest(response.digest): response.status for response in answer.responses}
            for digest in digests():
                status = codes.get(digest)
                if status is None:
                    raise RemoteError(f"The server did not confirm blob {digest}", Failure.TRANSIENT)
                if status.code not in (OK, _ALREADY_EXISTS):
                    raise error_from_status(status_name(status.code), status.message)

        self.channel.retried(attempt, cancellation)

    def _message(self, digest: Digest) -> "DigestMessage":
        message: DigestMessage = self._protos.Digest(hash=digest.hash, size_bytes=digest.size)
        return message


def _digest(message: "DigestMessage") -> Digest:
    return Digest(message.hash, message.size_bytes)


def left_out(count: int) -> RemoteError:
    """The error for COUNT blobs that were asked for, and of which nothing was said."""
    return RemoteError(f"The server left out {count} blobs of a batch", Failure.TRANSIENT)
