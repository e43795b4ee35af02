"""The work of the queues that exchange artifacts with remote caches."""

from collections.abc import Callable

from .._act.artifactsharing import ArtifactSharing
from .._dataclass import dataclass
from .._exceptions import ArtifactError
from .._plan.artifactview import ArtifactView
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord
from .queue import QueueStatus, SkipJob


@dataclass(frozen=True, slots=True)
class _Pulled:
    """What a job that pulls has found out."""

    artifact: ArtifactView | None


class PullWork:
    """Asks remotes for artifacts that are not in the local cache.

    Args:
        sharing: Does the pulling.
        pipeline: Learns what has to be built.
        is_optional: Whether an artifact that no remote can give is built instead, so that remotes
            that fail fail nothing.
        on_failed: Told of each failed build that has been pulled.
    """

    def __init__(
        self,
        sharing: ArtifactSharing,
        pipeline: Pipeline,
        *,
        is_optional: bool,
        on_failed: Callable[[ElementRecord], None] = lambda _: None,
    ) -> None:
        self._sharing = sharing
        self._pipeline = pipeline
        self._is_optional = is_optional
        self._on_failed = on_failed

    def status(self, record: ElementRecord) -> QueueStatus:
        if not record.is_pull_pending:
            return QueueStatus.SKIP
        self._sharing.expect(record)
        return QueueStatus.READY

    def settle(self) -> None:
        """Waits a moment for what remotes say, as long as there is nothing to do."""
        self._sharing.settle()

    def is_quick(self, record: ElementRecord) -> bool:
        """Whether the remotes have said already that they don't have it."""
        return self._sharing.is_known_missing(record, is_strict=self._pipeline.is_strict)

    def run(self, record: ElementRecord) -> object:
        try:
            artifact = self._sharing.pull(record, is_strict=self._pipeline.is_strict)
        except ArtifactError:
            if not self._is_optional:
                raise
            artifact = None
        if artifact is None:
            raise SkipJob("Pull", _Pulled(None))
        return _Pulled(artifact)

    def finish(self, record: ElementRecord, result: object) -> None:
        assert isinstance(result, _Pulled)
        record.is_pull_pending = False
        if result.artifact is not None or record.artifact is None:
            self._sharing.artifacts.note(record, result.artifact)
        if result.artifact is not None and not result.artifact.is_success:
            self._on_failed(record)
        if record.artifact is None:
            self._pipeline.update_strong_key(record)
        self._pipeline.schedule_build(record)

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        return None


class PushWork:
    """Gives artifacts to the remotes that take them.

    Args:
        sharing: Does the pushing.
        is_optional: Whether what is not there is left out, and remotes that fail fail nothing.
    """

    def __init__(self, sharing: ArtifactSharing, *, is_optional: bool) -> None:
        self._sharing = sharing
        self._is_optional = is_optional

    def status(self, record: ElementRecord) -> QueueStatus:
        if not self._sharing.can_push(record):
            return QueueStatus.SKIP
        if self._is_optional and self._problem(record) is not None:
            return QueueStatus.SKIP
        return QueueStatus.READY

    def run(self, record: ElementRecord) -> object:
        problem = self._problem(record)
        if problem is not None:
            raise ArtifactError(f"Push failed: {problem}")
        try:
            is_new = self._sharing.push(record)
        except ArtifactError:
            if not self._is_optional:
                raise
            is_new = False
        if not is_new:
            raise SkipJob("Push")
        return None

    def _problem(self, record: ElementRecord) -> str | None:
        """Why the artifact can't be pushed."""
        artifact, cas = record.artifact, self._sharing.artifacts.cas
        name = record.element.full_name
        if artifact is None:
            return f"{name} is not cached"
        if artifact.buildtree is not None and not cas.contains_tree(artifact.buildtree):
            return f"buildtree of {name} is not cached"
        if artifact.buildroot is not None and not cas.contains_tree(artifact.buildroot):
            return f"buildroot of {name} is not cached"
        return None

    def finish(self, record: ElementRecord, result: object) -> None:
        pass

    def blocker(self, record: ElementRecord) -> ElementRecord | None:
        return None
