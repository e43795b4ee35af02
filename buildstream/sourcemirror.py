"""The base of source mirror plugins: they say where else a source can be downloaded."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ._exceptions import BstError
from .exceptions import ErrorDomain
from .plugin import Plugin

if TYPE_CHECKING:
    from ._hosts import MirrorHost
    from .node import MappingNode


class SourceMirrorError(BstError):
    """Raised by source mirror plugins.

    Args:
        message: What happened.
        detail: Further lines.
        reason: An identifier for tests and tools.
        temporary: Accepted, but has no effect: translating a URL again gives nothing else.
    """

    default_domain = ErrorDomain.SOURCE

    def __init__(
        self, message: str, *, detail: str | None = None, reason: object = None, temporary: bool = False
    ) -> None:
        super().__init__(message, detail=detail, reason=reason)


class SourceMirror(Plugin):
    """Base of source mirror plugins.

    A plugin implements `configure()`, which calls `set_supported_aliases()`, and `translate_url()`.
    """

    BST_MIN_VERSION = "2.2"

    _type_name = "source-mirror"
    _host: "MirrorHost"

    def __init__(self, host: "MirrorHost", name: str) -> None:
        super().__init__(host, name)
        # Name-mangled: plugins have private names of their own.
        self.__aliases: frozenset[str] | None = None
        self.__is_configuring = False

    def preflight(self) -> None:
        """Does nothing; the core never calls it."""

    def get_unique_key(self) -> Any:
        """None; mirrors have no influence on cache keys."""
        return None

    # to be implemented by plugins

    def translate_url(
        self, *, alias: str, alias_url: str, source_url: str, extra_data: dict[str, Any] | None
    ) -> str:
        """The address in the mirror of what a source wants to download.

        Args:
            alias: The alias that the source used.
            alias_url: What the project says the alias stands for.
            source_url: The rest of the URL, without the alias.
            extra_data: Hints for the source, to be changed in place, or None.
                The known key is "http-auth" with the value "bearer".
        """
        raise self._unimplemented("translate_url")

    # for plugins to call

    def set_supported_aliases(self, aliases: Iterable[str]) -> None:
        """Says which aliases the mirror serves; only to be called in `configure()`."""
        assert self.__is_configuring, "set_supported_aliases() can only be called by configure()"
        self.__aliases = frozenset(aliases)

    # for the core

    def _configure(self, node: "MappingNode") -> None:
        """Calls `configure()`, which may set the supported aliases only then."""
        self.__is_configuring = True
        try:
            self.configure(node)
        finally:
            self.__is_configuring = False

    def _get_alias_uris(self, alias: str) -> "Sequence[str | SourceMirror]":
        """What to try for ALIAS, in order: prefixes of URLs, or the mirror itself; empty if not supported."""
        assert self.__aliases is not None, f"{self}: configure() did not call set_supported_aliases()"
        return (self,) if alias in self.__aliases else ()
