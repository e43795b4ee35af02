"""Originals, the things that plugins download: fetched and tracked, address by address (plugin-api 11.5)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._exceptions import BstError, PluginError
from .._load.pluginfaults import plugin_code
from .._load.refs import load_ref_of_clone
from .._load.resolved import ResolvedSource
from .._load.sourcehost import SourceHost
from .._messenger import Messenger
from ..source import AliasSubstitution, Source, SourceFetcher
from ..types import SourceRef

if TYPE_CHECKING:
    from .._load.services import Services


class Originals:
    """Fetches and tracks originals, address by address.

    Args:
        services: For plugin objects made for one attempt to download.
        messenger: Silences fetchers where that is due.
    """

    def __init__(self, services: "Services", messenger: Messenger) -> None:
        self._services = services
        self._messenger = messenger

    @staticmethod
    def is_cached(source: ResolvedSource) -> bool:
        """Whether what SOURCE would download is there.

        Raises:
            SourceError: The plugin raised it.
            PluginError: `source-bug`; the plugin raised something else.
        """
        from ..source import SourceError

        try:
            return bool(source.plugin.is_cached())
        except SourceError:
            raise
        except Exception as error:  # plugin code: whatever it raises is its bug, and no reason to crash
            raise PluginError(
                f"Source plugin '{source.kind}' failed to check its cached state: {error}",
                reason="source-bug",
            ) from error

    def fetch(self, source: ResolvedSource, previous: str | None) -> None:
        """Downloads what the ref of SOURCE says, from the first address that has it.

        Args:
            previous: Directory with the earlier sources, for a plugin that asks for it.

        Raises:
            BstError: What the last address that was tried ended with.
        """
        arguments = {}
        if source.plugin.BST_REQUIRES_PREVIOUS_SOURCES_FETCH:
            arguments["previous_sources_dir"] = previous
        with plugin_code(source.plugin, "get_source_fetchers"), self._messenger.silence():
            fetchers = source.plugin.get_source_fetchers()
        with plugin_code(source.plugin, "fetch"):
            if fetchers:
                self._run_fetchers(source, fetchers)
            else:
                self._fetch_from_first(source, arguments)

    def _fetch_from_first(self, source: ResolvedSource, arguments: "dict[str, str | None]") -> None:
        error: BstError | None = None
        for attempt in self._attempts(source, tracking=False):
            try:
                plugin = attempt()
                plugin.fetch(**arguments)
                source.plugin._note_fetched(plugin)
                return
            except BstError as failure:
                error = failure
        if error is not None:
            raise error

    def track(self, source: ResolvedSource, previous: str | None) -> SourceRef:
        """The newest ref of SOURCE; None if it has nothing to track.

        The address that the project itself names is asked first, the default mirror last.

        Args:
            previous: Directory with the earlier sources, for a plugin that asks for it.

        Raises:
            BstError: What the last address that was tried ended with.
        """
        arguments = {}
        if source.plugin.BST_REQUIRES_PREVIOUS_SOURCES_TRACK:
            arguments["previous_sources_dir"] = previous
        error: BstError | None = None
        with plugin_code(source.plugin, "track"):
            for plugin in reversed(self._attempts(source, tracking=True)):
                try:
                    return plugin().track(**arguments)
                except BstError as failure:
                    error = failure
        if error is not None:
            raise error
        return None

    def _attempts(self, source: ResolvedSource, *, tracking: bool) -> "list[_Attempt]":
        """What makes the plugin object of each attempt, in the order of fetching."""
        host = _host_of(source)
        alias = host.primary_alias
        return [
            _Attempt(self._services, source, alias, substitution)
            for substitution in host.substitutions(alias, tracking=tracking)
        ]

    def _run_fetchers(self, source: ResolvedSource, fetchers: Iterable[SourceFetcher]) -> None:
        host = _host_of(source)
        iterator = iter(fetchers)
        while True:
            # a generator: the next fetcher may depend on what the one before it has fetched
            with self._messenger.silence():
                fetcher = next(iterator, None)
            if fetcher is None:
                return
            error: BstError | None = None
            for substitution in host.substitutions(fetcher._get_alias(), tracking=False):
                try:
                    fetcher.fetch(substitution)
                    error = None
                    break
                except BstError as failure:
                    error = failure
            if error is not None:
                raise error


class _Attempt:
    """Gives the plugin object for one address: the source's own, or a clone with the address forced on it."""

    def __init__(
        self,
        services: "Services",
        source: ResolvedSource,
        alias: str | None,
        substitution: AliasSubstitution | None,
    ) -> None:
        self._services = services
        self._source = source
        self._alias = alias
        self._substitution = substitution

    def __call__(self) -> Source:
        if self._substitution is None or self._alias is None:
            return self._source.plugin
        source, host = self._source, _host_of(self._source)
        clone_host = SourceHost(
            host.project,
            host.full_name,
            host.provenance,
            self._services,
            kind=host.kind,
            element_name=host.element_name,
            source_provenance=host.source_provenance,
            is_first_pass=host.is_first_pass,
            forced=(self._alias, self._substitution),
        )
        clone_host.bind(host.element)
        clone = type(source.plugin)(clone_host, source.plugin.name)
        clone_host.attach(clone)
        clone.configure(source.config.clone())
        clone_host.finish_configuring()
        clone.preflight()
        load_ref_of_clone(source.plugin, clone)
        return clone


def _host_of(source: ResolvedSource) -> SourceHost:
    host = source.plugin._host
    assert isinstance(host, SourceHost)
    return host
