"""Errors that end a call with a status, and the statuses of errors of the store."""

from grpc import StatusCode

from .._exceptions import CASError

_CODES_OF_REASONS = {
    "cache-too-full": StatusCode.RESOURCE_EXHAUSTED,
    "missing-blob": StatusCode.NOT_FOUND,
    # what is corrupt has been put away: it is missing, and can be uploaded again
    "corrupt-blob": StatusCode.NOT_FOUND,
}


class CallError(Exception):
    """Ends a call.

    Args:
        code: The status that the client gets.
        message: Says what is wrong, in one sentence.
    """

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> CallError:
    """The error for a request that can never be answered."""
    return CallError(StatusCode.INVALID_ARGUMENT, message)


def call_error_from(error: CASError) -> CallError:
    """The error that the client gets for one of the store; it names no path of the server."""
    code = _CODES_OF_REASONS.get(str(error.reason), StatusCode.INTERNAL)
    messages = {
        StatusCode.RESOURCE_EXHAUSTED: "The cache is full",
        StatusCode.NOT_FOUND: "The blob is not in the cache",
        StatusCode.INTERNAL: "The cache can't read or write its files",
    }
    return CallError(code, messages[code])
