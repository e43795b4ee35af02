"""The tree of errors that end a command or a job in an orderly way.

    BstError                    anything a user, a project, a plugin or a server can cause
    ├── LoadError               files of a project or the user configuration; has a LoadErrorReason
    ├── PluginError             plugin loading, fatal warnings, failing host commands of plugins
    ├── ImplError               a plugin lacks a mandatory method
    ├── PlatformError           unknown architecture and the like
    ├── SandboxError            the sandbox could not be started or used
    ├── ArtifactError           the artifact cache
    ├── PipelineError           elements that can't be processed as asked
    ├── StreamError             orchestration of a command: targets, selections, failed sessions
    ├── AppError                the front end
    └── CASError                the content store

The public classes SourceError, SourceMirrorError, ElementError,
SandboxCommandError, DirectoryError, UtilError and ProgramNotFoundError live in
the modules that plugins import them from and derive from these.
"""

from .exceptions import ErrorDomain, LoadErrorReason


class BstError(Exception):
    """An error with a domain and a reason that tools can rely on.

    Args:
        message: One sentence, prefixed by file, line and column where they are known.
        detail: Further lines, shown indented below the message.
        domain: The part of the program.
        reason: A stable identifier, or None.
        temporary: Whether the same job might succeed if it is tried again.
    """

    default_domain: ErrorDomain | None = None

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        domain: ErrorDomain | None = None,
        reason: object = None,
        temporary: bool = False,
    ) -> None:
        super().__init__(message)
        self.detail = detail
        self.domain = domain if domain is not None else self.default_domain
        self.reason = reason
        self.temporary = temporary
        # set by the core on build failures, so that a debug shell can be offered
        self.sandbox = False


class JobTerminated(Exception):
    """Raised inside a job that was told to end; nothing of it is kept."""


class LoadError(BstError):
    """Raised while loading a project, an element or a configuration file."""

    default_domain = ErrorDomain.LOAD

    def __init__(self, message: str, reason: LoadErrorReason, *, detail: str | None = None) -> None:
        super().__init__(message, detail=detail, reason=reason)


class PluginError(BstError):
    """Raised by plugin loading, fatal warnings and failing host commands."""

    default_domain = ErrorDomain.PLUGIN

    def __init__(
        self, message: str, *, reason: object = None, detail: str | None = None, temporary: bool = False
    ) -> None:
        super().__init__(message, detail=detail, reason=reason, temporary=temporary)


class ImplError(BstError):
    """Raised when a plugin does not implement a mandatory method."""

    default_domain = ErrorDomain.IMPL

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message, reason=reason)


class PlatformError(BstError):
    """Raised for an unknown architecture or operating system."""

    default_domain = ErrorDomain.PLATFORM

    def __init__(self, message: str, reason: object = None, detail: str | None = None) -> None:
        super().__init__(message, reason=reason, detail=detail)


class SandboxError(BstError):
    """Raised when a sandbox can't be started or used."""

    default_domain = ErrorDomain.SANDBOX

    def __init__(self, message: str, detail: str | None = None, reason: object = None) -> None:
        super().__init__(message, detail=detail, reason=reason)


class ArtifactError(BstError):
    """Raised for a problem with the artifact cache."""

    default_domain = ErrorDomain.ARTIFACT


class PipelineError(BstError):
    """Raised when the selected elements can't be processed as asked."""

    default_domain = ErrorDomain.PIPELINE


class StreamError(BstError):
    """Raised by the orchestration of a command; the message is empty after failed tasks."""

    default_domain = ErrorDomain.STREAM

    def __init__(self, message: str = "", *, detail: str | None = None, reason: object = None) -> None:
        super().__init__(message, detail=detail, reason=reason)


class AppError(BstError):
    """Raised by the front end."""

    default_domain = ErrorDomain.APP


class CASError(BstError):
    """Raised when the content store can't hold or deliver what is asked."""

    default_domain = ErrorDomain.CAS
