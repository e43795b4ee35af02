"""The work of the queues: tracking and fetching sources, and building."""

from collections.abc import Callable

from .._act.build import Builder, BuildResult
from .._act.sourcecache import SourceCache
from .._act.tracking import Tracker
from .._plan.pipeline import Pipeline
from .._plan.record import ArtifactState, ElementRecord, SourceState
from .._plan.states import is_buildable
from .queue import QueueStatus, SkipJob


class TrackWork:
    """Gives the sources of elements newer refs.

    Args:
        tracker: Does the tracking.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def status(self, record: ElementRecord) -> QueueStatus:
        return QueueStatus.READY if record.element.sources else QueueStatus.SKIP

    def run(self, record: ElementRecord) -> object:
        if not self._tracker.track(record.element):
            raise SkipJob("Element sources are not trackable")
        return None

    def finish(self, record: ElementRecord, result: object) -> None:
        pass

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        return None


class FetchWork:
    """Makes the sources of elements present in the store.

    Args:
        sources: The source cache.
        skips_cached: Whether elements with a cached artifact need no sources, as in builds.
    """

    def __init__(self, sources: SourceCache, *, skips_cached: bool) -> None:
        self._sources = sources
        self._skips_cached = skips_cached

    def status(self, record: ElementRecord) -> QueueStatus:
        if self._skips_cached and record.is_cached:
            return QueueStatus.SKIP
        if record.source_state is SourceState.STAGED:
            return QueueStatus.SKIP
        return QueueStatus.READY

    def is_quick(self, record: ElementRecord) -> bool:
        """Whether there is nothing to wait for."""
        return self._sources.needs_nothing(record.element)

    def run(self, record: ElementRecord) -> object:
        self._sources.fetch(record)
        return None

    def finish(self, record: ElementRecord, result: object) -> None:
        record.source_state = SourceState.STAGED

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        return None


class OriginalsWork:
    """Makes the originals of sources present, for workspaces.

    Args:
        sources: The source cache.
    """

    def __init__(self, sources: SourceCache) -> None:
        self._sources = sources

    def status(self, record: ElementRecord) -> QueueStatus:
        is_cached = self._sources.originals.is_cached
        missing = not all(is_cached(source) for source in record.element.sources)
        return QueueStatus.READY if missing else QueueStatus.SKIP

    def run(self, record: ElementRecord) -> object:
        self._sources.fetch_originals(record.element)
        return None

    def finish(self, record: ElementRecord, result: object) -> None:
        pass

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        return None


class BuildWork:
    """Builds elements whose dependencies are cached.

    Args:
        builder: Does the building.
        pipeline: Tells whether an element can be built.
        on_artifact: Called in the main thread for each element whose build left an artifact.
    """

    def __init__(
        self, builder: Builder, pipeline: Pipeline, on_artifact: Callable[[ElementRecord], None]
    ) -> None:
        self._builder = builder
        self._pipeline = pipeline
        self._on_artifact = on_artifact

    def status(self, record: ElementRecord) -> QueueStatus:
        if record.is_cached:
            return QueueStatus.SKIP
        if not is_buildable(record, self._pipeline):
            return QueueStatus.PENDING
        self._pipeline.update_strong_key(record)
        return QueueStatus.READY

    def run(self, record: ElementRecord) -> object:
        return self._builder.build(record)

    def finish(self, record: ElementRecord, result: object) -> None:
        if isinstance(result, BuildResult) and result.artifact is not None:
            record.artifact = result.artifact
            is_success = result.artifact.is_success
            record.artifact_state = ArtifactState.CACHED if is_success else ArtifactState.FAILED
            self._on_artifact(record)

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        """A build dependency, or runtime dependency of one, that is not cached.

        The last one, as it will be built last: what is looked at again after each build of
        a dependency costs the square of their number.
        """
        seen = set()
        for child in reversed(record.element.build_dependencies):
            stack = [self._pipeline.record(child)]
            while stack:
                top = stack.pop()
                if top in seen or self._pipeline.is_ready(top):
                    continue
                seen.add(top)
                if not top.is_cached:
                    return top
                stack.extend(self._pipeline.record(c) for c in top.element.runtime_dependencies)
        return None
