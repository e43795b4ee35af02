"""Tracking: finding newer refs of the sources of an element, and writing them down (plugin-api 11.9)."""

from collections.abc import Iterator
from contextlib import contextmanager

from .._load.refsaving import RefChange, RefWriter, apply_ref
from .._load.resolved import ResolvedElement, ResolvedSource
from ..types import SourceRef
from .sourcecache import SourceCache


class Tracker:
    """Tracks elements; several threads may do so at once, each another element.

    Args:
        sources: Fetches the earlier sources of plugins that need them.
    """

    def __init__(self, sources: SourceCache) -> None:
        self._sources = sources
        self._writer = RefWriter()

    def track(self, element: ResolvedElement) -> bool:
        """Gives the sources of ELEMENT, in their order, the newest refs, and saves those that are new.

        Returns:
            Whether there was anything to track.

        Raises:
            BstError: A source can't be tracked, or its ref can't be saved.
        """
        is_trackable = False
        changes: list[RefChange] = []
        try:
            for source in element.sources:
                old = source.plugin.get_ref()  # before: some plugins take over what they find at once
                new = self._newest(element, source)
                if new is None:
                    continue
                is_trackable = True
                if new != old:
                    source.plugin.info(f"Found new revision: {new}")
                    # at once: later sources may be made from this one
                    changes += apply_ref(element, source, new)
        finally:
            # also if a later source fails: another try would not see that this one has changed
            self._writer.write(changes)
        return is_trackable

    def _newest(self, element: ResolvedElement, source: ResolvedSource) -> SourceRef:
        with self._earlier_sources(element, source) as previous:
            return self._sources.originals.track(source, previous)

    @contextmanager
    def _earlier_sources(self, element: ResolvedElement, source: ResolvedSource) -> Iterator[str | None]:
        if not source.plugin.BST_REQUIRES_PREVIOUS_SOURCES_TRACK:
            yield None
            return
        with self._sources.earlier_sources(element, source) as directory:
            yield directory
