"""What can go wrong with a remote service, and what that means for the next attempt."""

from enum import Enum
from typing import Any

from .._exceptions import BstError
from .._model.digest import Digest
from ..exceptions import ErrorDomain


class Failure(Enum):
    """Why a call gave nothing."""

    TRANSIENT = "transient"  # may go away by itself: trying again makes sense
    TIMEOUT = "timeout"  # no answer in time: trying again is expensive
    REFUSED = "refused"  # credentials, a service that is not offered, a request that is not understood
    FULL = "full"  # the server has no room
    MISSING = "missing"  # the server does not have what was asked for
    CORRUPT = "corrupt"  # what came is not what was asked for
    LEFT_ALONE = "left alone"  # the remote failed a moment ago and is not asked


_TRANSIENT = ("UNAVAILABLE", "ABORTED", "INTERNAL", "UNKNOWN", "CANCELLED")
_FAILURES = {
    "DEADLINE_EXCEEDED": Failure.TIMEOUT,
    "RESOURCE_EXHAUSTED": Failure.FULL,
    "NOT_FOUND": Failure.MISSING,
    "DATA_LOSS": Failure.CORRUPT,
    **dict.fromkeys(_TRANSIENT, Failure.TRANSIENT),
}
_LONGEST_DETAILS = 500  # characters of what a server says


class RemoteError(BstError):
    """Raised when a remote service does not do what it is asked to.

    Args:
        message: One sentence.
        failure: What it means.
        status: Name of the status of the call, "" if there was none.
    """

    default_domain = ErrorDomain.REMOTE

    def __init__(
        self, message: str, failure: Failure, *, status: str = "", detail: str | None = None
    ) -> None:
        is_temporary = failure not in (Failure.REFUSED, Failure.FULL)
        reason = "cache-too-full" if failure is Failure.FULL else None
        super().__init__(message, detail=detail, reason=reason, temporary=is_temporary)
        self.failure = failure
        self.status = status


def error_from_call(error: Any) -> RemoteError:
    """The RemoteError for a grpc.RpcError."""
    code = error.code() if callable(getattr(error, "code", None)) else None
    name = code.name if code is not None else "UNKNOWN"
    return error_from_status(name, error.details() if code is not None else str(error))


def error_from_status(name: str, details: str | None) -> RemoteError:
    """The RemoteError for a status by its name, such as UNAVAILABLE."""
    text = " ".join((details or "").split())[:_LONGEST_DETAILS]
    return RemoteError(f"{name}: {text}" if text else name, _FAILURES.get(name, Failure.REFUSED), status=name)


def damaged_answer(error: Exception) -> RemoteError:
    """The RemoteError for an answer that can't be decoded, for ERROR; trying again may help."""
    return error_from_status("INTERNAL", f"What came is damaged: {error}")


def checked_digest(digest: Digest) -> Digest:
    """DIGEST, which a server gave.

    Raises:
        RemoteError: It can't be one.
    """
    if not digest.is_well_formed():
        raise RemoteError("The server gave a digest that is no SHA-256", Failure.CORRUPT)
    return digest


def some_message(answer: Any) -> Any:
    """ANSWER, which the library gives to a call that has succeeded.

    Raises:
        RemoteError: There is none: bytes that were damaged on their way may have been the end of a call.
    """
    if answer is None:
        raise damaged_answer(ValueError("no message"))
    return answer


_STATUS_NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
OK = 0
NOT_FOUND = 5


def status_name(code: int) -> str:
    """The name of a status that comes as a number inside a response."""
    return _STATUS_NAMES[code] if 0 <= code < len(_STATUS_NAMES) else str(code)
