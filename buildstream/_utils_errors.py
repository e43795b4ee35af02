"""The errors that the functions of `buildstream.utils` raise."""

from ._exceptions import BstError
from .exceptions import ErrorDomain


class UtilError(BstError):
    """Raised by the functions of `buildstream.utils` when the system refuses what they were asked."""

    default_domain = ErrorDomain.UTIL

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message, reason=reason)


class ProgramNotFoundError(BstError):
    """Raised when a host tool is not installed."""

    default_domain = ErrorDomain.PROG_NOT_FOUND

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message, reason=reason)


class DirectoryExistsError(OSError):
    """Raised by `move_atomic` when the destination is a directory that is not empty."""
