"""The index of one remote: which blob or directory a URI stands for (Remote Asset API).

Messages are put together and taken apart by hand: the library for that takes longer to import than it takes
to find out that a remote has nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from .._dataclass import dataclass
from .._model.digest import Digest
from .._model.tree import encode_digest_field
from .._model.wire import fields, text_field
from .channel import Channel
from .errors import (
    NOT_FOUND,
    OK,
    Failure,
    RemoteError,
    checked_digest,
    damaged_answer,
    status_name,
)
from .lookahead import Known, LookAhead
from .retry import Cancellation

_FETCH = "/build.bazel.remote.asset.v1.Fetch"
_PUSH = "/build.bazel.remote.asset.v1.Push"


@dataclass(frozen=True, slots=True)
class _Answer:
    """A FetchBlobResponse or FetchDirectoryResponse."""

    code: int  # of the status in it
    uri: str  # that was found
    digest: Digest


class AssetClient:
    """The calls of an index server; safe to use from several threads.

    Args:
        channel: The connection.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        method = channel.stub_channel.unary_unary
        self._fetch_blob = method(f"{_FETCH}/FetchBlob")
        self._fetch_directory = method(f"{_FETCH}/FetchDirectory")
        self._push_blob = method(f"{_PUSH}/PushBlob")
        self._push_directory = method(f"{_PUSH}/PushDirectory")
        self._instance = text_field(1, channel.instance_name)  # what all requests begin with
        self._ahead = LookAhead(self._start_fetch_blob, self._known_of_call)

    def check(self, cancellation: Cancellation, *, push: bool) -> None:
        """Finds out whether the server offers the service, by a request that names nothing.

        Raises:
            RemoteError: It does not, or can't be reached; the text says which.
        """
        self._probe(self._fetch_blob, "Fetch", cancellation)
        if push:
            self._probe(self._push_blob, "Push", cancellation)

    def _probe(self, method: object, service: str, cancellation: Cancellation) -> None:
        try:
            self._channel.call(method, self._instance, cancellation)
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
        answer = self._ask("FetchBlob", self._fetch_blob, self._question(uris), cancellation)
        return None if answer is None else checked_digest(answer.digest)

    def expect_blobs(self, uris: Iterable[str]) -> None:
        """Tells that each of URIS will be asked for by itself, so that the answers may be here by then."""
        self._ahead.expect(uris)

    def settle(self, limit_s: float) -> None:
        """Waits, LIMIT_S at most, until one of the expected answers is a blob, or all are here."""
        self._ahead.settle(limit_s)

    def is_known_missing(self, uri: str) -> bool:
        """Whether `fetch_blob` of URI will give None, without a call."""
        return self._ahead.is_missing(uri)

    def forget(self, uri: str) -> None:
        """Tells that what is known of URI was used: whoever needs it again asks."""
        self._ahead.forget(uri)

    def known_blob(self, uri: str) -> Digest | None:
        """What `fetch_blob` of URI will give without a call; None if it is not known, or missing."""
        return self._ahead.peek(uri)

    def _start_fetch_blob(self, uris: Sequence[str]) -> Any:
        return self._channel.start(self._fetch_blob, self._question(uris))

    def _question(self, uris: Sequence[str]) -> bytes:
        """A FetchBlobRequest or FetchDirectoryRequest."""
        return self._instance + b"".join([text_field(4, uri) for uri in uris])

    def _known_of_call(self, uris: Sequence[str], call: Any) -> Known | None:
        if self._channel.is_not_found(call):
            return None
        try:
            answer = _known("FetchBlob", _decoded(self._channel.result_of(call)))
        except RemoteError as error:
            if error.failure is Failure.MISSING:
                return None
            raise
        if answer is None:
            return None
        uri = uris[0] if len(uris) == 1 else answer.uri
        if uri not in uris:
            raise RemoteError("The server does not say which of several names it knows", Failure.REFUSED)
        return uri, checked_digest(answer.digest)

    def fetch_directory(self, uris: Sequence[str], cancellation: Cancellation) -> Digest | None:
        """The directory that the first known of URIS stands for, None if the server knows none.

        Raises:
            RemoteError: It does not tell.
        """
        answer = self._ask("FetchDirectory", self._fetch_directory, self._question(uris), cancellation)
        return None if answer is None else checked_digest(answer.digest)

    def _ask(self, name: str, method: object, request: bytes, cancellation: Cancellation) -> _Answer | None:
        try:
            answer = self._channel.retried(
                lambda: _decoded(self._channel.call_once(method, request, cancellation)), cancellation
            )
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
        request = [self._statement(uris, digest)]
        request += [b"\x32" + encode_digest_field(blob)[1:] for blob in blobs]
        request += [b"\x3a" + encode_digest_field(directory)[1:] for directory in directories]
        self._tell("PushBlob", self._push_blob, b"".join(request), cancellation)

    def push_directory(self, uris: Sequence[str], digest: Digest, cancellation: Cancellation) -> None:
        """Makes URIS stand for a directory.

        Raises:
            RemoteError: The server does not do it.
        """
        self._tell("PushDirectory", self._push_directory, self._statement(uris, digest), cancellation)

    def _statement(self, uris: Sequence[str], digest: Digest) -> bytes:
        """A PushBlobRequest or PushDirectoryRequest."""
        names = b"".join([text_field(2, uri) for uri in uris])
        return self._instance + names + b"\x2a" + encode_digest_field(digest)[1:]

    def _tell(self, name: str, method: object, request: bytes, cancellation: Cancellation) -> None:
        try:
            self._channel.call(method, request, cancellation)
        except RemoteError as error:
            raise _prefixed(name, error) from error


def _known(name: str, answer: _Answer) -> _Answer | None:
    """ANSWER, or None if it says that nothing is known."""
    if answer.code == NOT_FOUND:
        return None
    if answer.code != OK:
        raise RemoteError(f"{name} failed with response status {status_name(answer.code)}", Failure.REFUSED)
    return answer


def _decoded(message: bytes) -> _Answer:
    """The answer in MESSAGE.

    Raises:
        RemoteError: It is damaged; trying again may help.
    """
    code, uri, name, size = OK, "", "", 0
    try:
        for number, value in fields(message):
            if isinstance(value, int):
                continue
            if number == 1:
                code = _number(value, 1)
            elif number == 2:
                uri = value.decode()
            elif number == 5:
                size = _number(value, 2)
                name = b"".join(
                    text for tag, text in fields(value) if tag == 1 and isinstance(text, bytes)
                ).decode()
    except (ValueError, IndexError) as error:
        raise damaged_answer(error) from error
    return _Answer(code, uri, Digest(name, size if size < 1 << 63 else -1))


def _number(message: bytes, wanted: int) -> int:
    """The integer field WANTED of MESSAGE; 0 if there is none."""
    return next(
        (value for number, value in fields(message) if number == wanted and isinstance(value, int)), 0
    )


def _prefixed(name: str, error: RemoteError) -> RemoteError:
    return RemoteError(f"{name} failed with status {error}", error.failure, status=error.status)
