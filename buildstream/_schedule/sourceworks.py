"""The work of the queue that gives sources to remote caches."""

from collections.abc import Callable

from .._act.sourcecache import SourceCache
from .._act.sourcesharing import SourceSharing
from .._exceptions import ArtifactError
from .._load.resolved import ResolvedElement
from .._model.digest import Digest
from .._plan.record import ElementRecord
from .queue import QueueStatus, SkipJob


class SourcePushWork:
    """Gives sources to the remotes that take them, single ones first.

    Args:
        sources: The local source cache.
        sharing: Does the pushing.
        has_workspace: Whether an element has an open workspace: nobody else can use its sources.
        is_optional: Whether remotes that fail fail nothing, as in builds.
    """

    def __init__(
        self,
        sources: SourceCache,
        sharing: SourceSharing,
        has_workspace: Callable[[ResolvedElement], bool],
        *,
        is_optional: bool,
    ) -> None:
        self._sources = sources
        self._sharing = sharing
        self._has_workspace = has_workspace
        self._is_optional = is_optional

    def status(self, record: ElementRecord) -> QueueStatus:
        if (
            self._has_workspace(record.element)
            or record.keys.sources is None
            or not self._sharing.can_push(record.element)
            or self._sources.combined_tree(record) is None
        ):
            return QueueStatus.SKIP
        return QueueStatus.READY

    def run(self, record: ElementRecord) -> object:
        element, keys = record.element, record.keys.sources
        assert keys is not None, "status() has looked"
        tree = self._sources.combined_tree(record)
        if tree is None:
            raise SkipJob("Src-push")
        is_new = False
        given: set[Digest] = set()
        for kind, key, digest in self._sources.shared_trees(record):
            was_unknown, is_there = self._sharing.push_individual(element, kind, key, digest)
            is_new |= was_unknown
            if is_there:
                given.add(digest)
        try:
            is_new |= self._sharing.push_combined(element, keys.combined, tree, given)
        except ArtifactError:
            if not self._is_optional:
                raise
        if not is_new:
            raise SkipJob("Src-push")
        return None

    def finish(self, record: ElementRecord, result: object) -> None:
        pass

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        return None
