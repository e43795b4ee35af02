"""The index of one remote: which blob or directory a URI stands for (Remote Asset API)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._model.digest import Digest
from .channel import Channel
from .errors import NOT_FOUND, OK, Failure, RemoteError, status_name
from .lookahead import LookAhead
from .retry import Cancellation

if TYPE_CHECKING:
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage


class AssetClient:
    """The calls of an index server; safe to use from several threads.

    Args:
        channel: The connection.
    """

    def __init__(self, channel: Channel) -> None:
        from .._protos.build.bazel.remote.asset.v1 import remote_asset_pb2
        from .._protos.build.bazel.remote.asset.v1.remote_asset_pb2_grpc import FetchStub, PushStub

        self._channel = channel
        self._protos = remote_asset_pb2
        self._fetch = FetchStub(channel.stub_channel)
        self._push = PushStub(channel.stub_channel)
        self._ahead = LookAhead(self._start_fetch_blob, self._blob_of_call)

    def check(self, cancellation: Cancellation, *, push: bool) -> None:
        """Finds out whether the server offers the service, by a request that names nothing.

        Raises:
            RemoteError: It does not, or can't be reached; the text says which.
        """
        name = self._channel.instance_name
        request: object = self._protos.FetchBlobRequest(instance_name=name)
        self._probe(self._fetch.FetchBlob, request, "Fetch", cancellation)
        if push:
            request = self._protos.PushBlobRequest(instance_name=name)
            self._probe(self._push.PushBlob, request, "Push", cancellation)

    def _probe(self, method: object, request: object, service: str, cancellation: Cancellation) -> None:
        try:
            self._channel.call(method, request, cancellation)
        except RemoteError as error:
            if error.status == "INVALID_ARGUMENT":
                return
            if error.status == "UNIMPLEMENTED":
                raise RemoteError(
                    f"Configured remote does not implement the Remote Asset {service} service. "
                    "Please check remote configuration.",
                    Failure.REFUSED,
                ) from error
            if not error.status:
                raise  # it was never asked
            raise RemoteError(
                f"Remote initialisation failed with status {error}", error.failure, status=error.status
            ) from error

    # asking

    def fetch_blob(self, uris: Sequence[str], cancellation: Cancellation) -> Digest | None:
        """The blob that the first known of URIS stands for, None if the server knows none.

        Raises:
            RemoteError: It does not tell.
        """
        known = self._ahead.take(uris[0], cancellation) if len(uris) == 1 else None
        if known is not None:
            return known[0]
        request = self._protos.FetchBlobRequest(instance_name=self._channel.instance_name, uris=uris)
        answer = self._ask("FetchBlob", self._fetch.FetchBlob, request, cancellation)
        return None if answer is None else _checked(answer.blob_digest)

    def expect_blobs(self, uris: Iterable[str]) -> None:
        """Tells that each of URIS will be asked for by itself, so that the answers may be here by then."""
        self._ahead.expect(uris)

    def settle(self, limit_s: float) -> None:
        """Waits, LIMIT_S at most, until one of the expected answers is a blob, or all are here."""
        self._ahead.settle(limit_s)

    def is_known_missing(self, uri: str) -> bool:
        """Whether `fetch_blob` of URI will give None, without a call."""
        return self._ahead.is_missing(uri)

    def known_blob(self, uri: str) -> Digest | None:
        """What `fetch_blob` of URI will give without a call; None if it is not known, or missing."""
        return self._ahead.peek(uri)

    def _start_fetch_blob(self, uri: str) -> Any:
        request = self._protos.FetchBlobRequest(instance_name=self._channel.instance_name, uris=[uri])
        return self._channel.start(self._fetch.FetchBlob, request)

    def _blob_of_call(self, call: Any) -> Digest | None:
        if self._channel.is_not_found(call):
            return None
        try:
            answer = _known("FetchBlob", self._channel.result_of(call))
        except RemoteError as error:
            if error.failure is Failure.MISSING:
                return None
            raise
        return None if answer is None else _checked(answer.blob_digest)

    def fetch_directory(self, uris: Sequence[str], cancellation: Cancellation) -> Digest | None:
        """The directory that the first known of URIS stands for, None if the server knows none.

        Raises:
            RemoteError: It does not tell.
        """
        request = self._protos.FetchDirectoryRequest(instance_name=self._channel.instance_name, uris=uris)
        answer = self._ask("FetchDirectory", self._fetch.FetchDirectory, request, cancellation)
        return None if answer is None else _checked(answer.root_directory_digest)

    def _ask(self, name: str, method: object, request: object, cancellation: Cancellation) -> Any:
        try:
            answer = self._channel.call(method, request, cancellation)
        except RemoteError as error:
            if error.failure is Failure.MISSING:
                return None
            raise _prefixed(name, error) from error
        return _known(name, answer)

    # telling

    def push_blob(
        self,
        uris: Sequence[str],
        digest: Digest,
        cancellation: Cancellation,
        *,
        blobs: Sequence[Digest] = (),
        directories: Sequence[Digest] = (),
    ) -> None:
        """Makes URIS stand for a blob, which BLOBS and DIRECTORIES belong to.

        Raises:
            RemoteError: The server does not do it.
        """
        request = self._protos.PushBlobRequest(instance_name=self._channel.instance_name, uris=uris)
        _fill(request.blob_digest, digest)
        for blob in blobs:
            _fill(request.references_blobs.add(), blob)
        for directory in directories:
            _fill(request.references_directories.add(), directory)
        self._tell("PushBlob", self._push.PushBlob, request, cancellation)

    def push_directory(self, uris: Sequence[str], digest: Digest, cancellation: Cancellation) -> None:
        """Makes URIS stand for a directory.

        Raises:
            RemoteError: The server does not do it.
        """
        request = self._protos.PushDirectoryRequest(instance_name=self._channel.instance_name, uris=uris)
        _fill(request.root_directory_digest, digest)
        self._tell("PushDirectory", self._push.PushDirectory, request, cancellation)

    def _tell(self, name: str, method: object, request: object, cancellation: Cancellation) -> None:
        try:
            self._channel.call(method, request, cancellation)
        except RemoteError as error:
            raise _prefixed(name, error) from error


def _known(name: str, answer: Any) -> Any:
    """ANSWER, or None if it says that nothing is known."""
    code = answer.status.code
    if code == NOT_FOUND:
        return None
    if code != OK:
        raise RemoteError(f"{name} failed with response status {status_name(code)}", Failure.REFUSED)
    return answer


def _prefixed(name: str, error: RemoteError) -> RemoteError:
    return RemoteError(f"{name} failed with status {error}", error.failure, status=error.status)


def _fill(message: "DigestMessage", digest: Digest) -> None:
    message.hash, message.size_bytes = digest.hash, digest.size


def _checked(message: "DigestMessage") -> Digest:
    digest = Digest(message.hash, message.size_bytes)
    if not digest.is_well_formed():
        raise RemoteError("The server gave a digest that is no SHA-256", Failure.CORRUPT)
    return digest
