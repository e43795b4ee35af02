"""Sources: is everything there, fetch what is not, and stage it into the store (keys specification 2.8)."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._exceptions import CASError, PluginError
from .._keys.elementkeys import source_key
from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement, ResolvedSource
from .._messenger import Messenger
from .._model.digest import EMPTY_DIGEST, Digest
from .._plan.record import ElementRecord, SourceState
from .._store.cas import Cas
from .._store.cas_directory import CasDirectory
from .._store.records import Records
from .._utils_atomic import temporary_directory
from ..source import Source
from .originals import Originals
from .sourcemessage import files_of_message, message_of_files

if TYPE_CHECKING:
    from .._load.services import Services
    from .sourcesharing import SourceSharing


class SourceCache:
    """The local source cache.

    Args:
        cas: Where staged sources are.
        combined_records: The trees of all sources of an element, by the key of the list.
        individual_records: The trees of single sources, by kind and key.
        temporary: Directory for scratch trees, in the file system of the store.
        services: For plugin objects made for one attempt to download.
        messenger: Silences fetchers where that is due.
    """

    def __init__(
        self,
        cas: Cas,
        combined_records: Records,
        individual_records: Records,
        *,
        temporary: str,
        services: "Services",
        messenger: Messenger,
    ) -> None:
        self._cas = cas
        self._combined_records = combined_records
        self._individual_records = individual_records
        self._temporary = temporary
        self.originals = Originals(services, messenger)
        self.sharing: SourceSharing | None = None  # set where remotes are asked before originals are fetched
        self._empty: set[str] = set()  # combined keys whose record, used in this session, is of an empty tree

    # what is there

    def query(self, record: ElementRecord) -> None:
        """Finds out and notes which of the sources of RECORD are there."""
        if record.keys.sources is None:
            record.source_state = SourceState.UNKNOWN
        elif self.combined_tree(record) is not None:
            record.source_state = SourceState.STAGED
        elif all(self.originals.is_cached(source) for source in record.element.sources):
            record.source_state = SourceState.FETCHED
        else:
            record.source_state = SourceState.MISSING

    def combined_tree(self, record: ElementRecord) -> Digest | None:
        """The tree of all sources staged together, None if it is not in the store."""
        assert record.keys.sources is not None
        key = record.keys.sources.combined
        if key in self._empty:  # elements without sources have one key
            return EMPTY_DIGEST
        digest = self._complete(self._combined_records.read(key))
        if digest == EMPTY_DIGEST:
            self._empty.add(key)
        return digest

    def look_ahead(self, records: Iterable[ElementRecord]) -> None:
        """Looks through the sources of RECORDS, which are going to be queried and pushed, all together."""
        keys = [record.keys.sources.combined for record in records if record.keys.sources is not None]
        found = map(self._combined_records.read, dict.fromkeys(keys))
        trees = [files_of_message(data) for data in found if data is not None]
        self._cas.many.walk_ahead([tree for tree in trees if tree is not None])

    def needs_nothing(self, element: ResolvedElement) -> bool:
        """Whether to fetch the sources of ELEMENT takes no time, as it has none and no remote is asked."""
        return not element.sources and (self.sharing is None or not self.sharing.can_fetch(element))

    def shared_trees(self, record: ElementRecord) -> Iterator[tuple[str, str, Digest]]:
        """Kind, key and tree of the sources of RECORD that are staged alone and in the store."""
        assert record.keys.sources is not None
        for source, key in zip(record.element.sources, record.keys.sources.individual, strict=True):
            digest = None if _needs_previous(source.plugin) else self._individual_tree(source, key)
            if digest is not None:
                yield source.kind, key, digest

    def _individual_tree(self, source: ResolvedSource, key: str) -> Digest | None:
        return self._complete(self._individual_records.read(f"{source.kind}/{key}"))

    def _complete(self, data: bytes | None) -> Digest | None:
        digest = None if data is None else files_of_message(data)
        if digest is None or not self._cas.contains_tree(digest):
            return None
        return digest

    # fetching

    def fetch(self, record: ElementRecord) -> None:
        """Makes the combined tree of RECORD's sources present in the store.

        Runs in a job; nothing is done if it is there already.
        """
        if self.combined_tree(record) is not None:
            return
        assert record.keys.sources is not None
        element = record.element
        digest = None
        if self.sharing is not None:
            digest = self.sharing.pull_combined(element, record.keys.sources.combined)
        if digest is None:
            tree = CasDirectory(self._cas)
            for source, key in zip(element.sources, record.keys.sources.individual, strict=True):
                self._stage_next(element, source, key, tree)
            digest = tree._digest()
        self._share(digest)
        self._cas.flush()
        self._combined_records.write(record.keys.sources.combined, message_of_files(digest))

    def store_local_files(self, record: ElementRecord) -> None:
        """Stores what sources of RECORD take from this machine, as it was when the keys were made.

        Raises:
            SourceError: It has changed since.
        """
        for source in record.element.sources:
            source.plugin._store_local_files()

    def fetch_originals(self, element: ResolvedElement) -> None:
        """Makes the originals of all sources of ELEMENT present: what a workspace is made of.

        Runs in a job; nothing is done for those that are there.

        Raises:
            BstError: Something can't be fetched.
        """
        for source in element.sources:
            if self.originals.is_cached(source):
                continue
            if source.plugin.BST_REQUIRES_PREVIOUS_SOURCES_FETCH:
                with self.earlier_sources(element, source) as previous:
                    self.originals.fetch(source, previous)
            else:
                self.originals.fetch(source, None)

    @contextmanager
    def earlier_sources(self, element: ResolvedElement, source: ResolvedSource) -> Iterator[str]:
        """A writable copy of what the sources before SOURCE leave in its directory; they are fetched.

        Raises:
            PluginError: `unresolved-previous-sources`; one of them has no ref.
        """
        tree = CasDirectory(self._cas)
        for earlier in element.sources[: source.index]:
            if not earlier.plugin.is_resolved():
                raise PluginError(
                    f"{source.plugin}: Requires the sources before it, but {earlier.plugin} has no ref",
                    reason="unresolved-previous-sources",
                )
            self._stage_next(element, earlier, source_key(earlier.plugin), tree)
        with self._checked_out(tree, source) as path:
            yield path

    def _stage_next(
        self, element: ResolvedElement, source: ResolvedSource, key: str, tree: CasDirectory
    ) -> None:
        """Adds SOURCE of ELEMENT, fetched if need be, to TREE, which holds the sources before it."""
        if _needs_previous(source.plugin):
            self._stage_on_top(source, tree)
        else:
            digest = self._ensure_individual(element, source, key)
            tree._import_tree(digest, path=destination_of(source))

    def _ensure_individual(self, element: ResolvedElement, source: ResolvedSource, key: str) -> Digest:
        """The tree of SOURCE staged alone, pulled, or fetched and staged, if need be."""
        digest = self._individual_tree(source, key)
        if digest is not None:
            return digest
        if not self.originals.is_cached(source):
            if self.sharing is not None:
                digest = self.sharing.pull_individual(element, source.kind, key)
            if digest is None:
                self.originals.fetch(source, None)
        if digest is None:
            digest = self._stage_alone(source)
        self._share(digest)
        self._cas.flush()
        self._individual_records.write(f"{source.kind}/{key}", message_of_files(digest))
        return digest

    def _share(self, tree: Digest) -> None:
        """Puts TREE elsewhere too, if there is such a place."""
        if self._cas.elsewhere is not None:
            self._cas.elsewhere.take("sources", [], [tree])

    def _stage_alone(self, source: ResolvedSource) -> Digest:
        plugin = source.plugin
        _validate(plugin)
        if plugin.BST_STAGE_VIRTUAL_DIRECTORY:
            directory = CasDirectory(self._cas)
            with plugin_code(plugin, "stage_directory"):
                plugin.stage_directory(directory)
            return directory._digest()
        with temporary_directory(self._temporary) as path:
            with plugin_code(plugin, "stage"):
                plugin.stage(path)
            try:
                digest = self._cas.import_directory(path, consume=True)
                self._cas.let_go(path)
                return digest
            except CASError as error:
                # names that are not UTF-8, and the like: the user does not know the scratch directory
                text = str(error).replace(f"{path}{os.sep}", "")
                raise CASError(f"{plugin}: {text}", detail=error.detail, reason=error.reason) from error

    def _stage_on_top(self, source: ResolvedSource, tree: CasDirectory) -> None:
        """Stages a source that sees the sources before it, into the subtree that is its directory."""
        plugin = source.plugin
        if not self.originals.is_cached(source):
            if plugin.BST_REQUIRES_PREVIOUS_SOURCES_FETCH:
                with self._checked_out(tree, source) as previous:
                    self.originals.fetch(source, previous)
            else:
                self.originals.fetch(source, None)
        _validate(plugin)
        destination = destination_of(source)
        subtree = tree.open_directory(destination, create=True) if destination else tree
        if plugin.BST_STAGE_VIRTUAL_DIRECTORY:
            with plugin_code(plugin, "stage_directory"):
                plugin.stage_directory(subtree)
            return
        with self._checked_out(tree, source) as path:
            with plugin_code(plugin, "stage"):
                plugin.stage(path)
            digest = self._cas.import_directory(path)
        tree._attach_pending(destination, lambda: digest)

    @contextmanager
    def _checked_out(self, tree: CasDirectory, source: ResolvedSource) -> Iterator[str]:
        """A writable copy of what the earlier sources left in the directory of SOURCE."""
        from .._store.checkout import export_directory

        destination = destination_of(source)
        with temporary_directory(self._temporary) as path:
            subtree = tree.open_directory(destination, create=True) if destination else tree
            export_directory(self._cas, subtree._digest(), path)
            yield path


def _validate(plugin: Source) -> None:
    with plugin_code(plugin, "validate_cache"):
        plugin.validate_cache()


def _needs_previous(source: Source) -> bool:
    return source.BST_REQUIRES_PREVIOUS_SOURCES_FETCH or source.BST_REQUIRES_PREVIOUS_SOURCES_STAGE


def destination_of(source: ResolvedSource) -> str:
    """Where SOURCE is staged in the combined tree: a normalised relative path."""
    return os.path.normpath("/" + (source.directory or "")).lstrip("/")
