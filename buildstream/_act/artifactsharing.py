"""Which artifacts of a pipeline are exchanged with which remotes, and under which keys."""

from collections.abc import Callable, Iterable

from .._exceptions import ArtifactError
from .._load.elementhost import artifact_name
from .._load.resolved import ResolvedElement
from .._messenger import Messenger
from .._model.digest import Digest, digest_from_bytes
from .._model.message import MessageType
from .._model.tree import encode_digest_field
from .._plan.artifactview import ArtifactView
from .._plan.record import UNKNOWN_KEY, ElementRecord
from .._remote.remote import Remote
from .artifactexchange import ArtifactExchange, ArtifactSubject
from .artifacts import ArtifactCache
from .exchange import look_ahead
from .remotecaches import RemoteCaches


class ArtifactSharing:
    """Pulls and pushes the artifacts of elements.

    Args:
        artifacts: The local cache.
        remotes: The caches of every project.
        messenger: Is told what happens.
        has_workspace: Whether an element has an open workspace: nothing is pulled for it.
        pulls_buildtrees: Whether build trees are wanted as well.
    """

    def __init__(
        self,
        artifacts: ArtifactCache,
        remotes: RemoteCaches,
        messenger: Messenger,
        has_workspace: Callable[[ResolvedElement], bool],
        *,
        pulls_buildtrees: bool,
    ) -> None:
        self.artifacts = artifacts
        self.remotes = remotes
        self.pulls_buildtrees = pulls_buildtrees
        self._messenger = messenger
        self._has_workspace = has_workspace
        self._exchange = ArtifactExchange(artifacts, messenger, remotes.effects)

    def query(self, record: ElementRecord, *, is_strict: bool) -> None:
        """Finds out what the local cache holds for RECORD, and whether remotes are to be asked too."""
        self.artifacts.query(
            record,
            is_strict=is_strict,
            may_pull=not self._has_workspace(record.element) and self.can_pull(record),
            with_buildtrees=self.pulls_buildtrees,
        )

    def can_pull(self, record: ElementRecord) -> bool:
        """Whether there are remotes to pull the artifact from."""
        return self.remotes.artifacts_of(record.element).can_fetch

    def can_push(self, record: ElementRecord) -> bool:
        """Whether there are remotes to push the artifact to."""
        return self.remotes.artifacts_of(record.element).can_push

    def find(self, record: ElementRecord) -> bool:
        """Whether a remote knows the artifact."""
        subject = self._subject(record, record.strong_key or UNKNOWN_KEY)
        return self._exchange.find(self.remotes.artifacts_of(record.element), subject)

    # pulling

    def expect(self, record: ElementRecord) -> None:
        """Tells that the artifact of RECORD is going to be pulled, so that remotes can be asked ahead."""
        key = record.keys.strict or record.keys.weak
        if key is not None:
            self._exchange.expect(
                self.remotes.artifacts_of(record.element), artifact_name(record.element, key)
            )

    def settle(self) -> None:
        """Waits a moment for answers, as long as none of what is expected can be pulled."""
        self._exchange.settle()

    def is_known_missing(self, record: ElementRecord, *, is_strict: bool) -> bool:
        """Whether it is known already that no remote has the artifact of RECORD by its strict key."""
        key = record.keys.strict
        if not is_strict or key is None:
            return False
        remotes = self.remotes.artifacts_of(record.element)
        return self._exchange.is_known_missing(remotes, artifact_name(record.element, key))

    def pull(self, record: ElementRecord, *, is_strict: bool) -> ArtifactView | None:
        """The artifact of RECORD by its strict key, else by its weak one if that will do; None without one.

        Raises:
            ArtifactError: No remote gave it, and at least one failed.
            CASError: The disk refuses.
        """
        keys = record.keys
        failure: ArtifactError | None = None
        if keys.strict is not None:
            try:
                artifact = self._pull(record, keys.strict)
            except ArtifactError as error:
                artifact, failure = None, error
            if artifact is not None:
                return artifact
        if not is_strict and keys.weak is not None:
            artifact = self.artifacts.load_complete(artifact_name(record.element, keys.weak))
            artifact = artifact or self._pull(record, keys.weak)
            if artifact is not None:
                return artifact
        if failure is not None:
            raise failure
        return None

    def _pull(self, record: ElementRecord, key: str) -> ArtifactView | None:
        return self._exchange.pull(
            self.remotes.artifacts_of(record.element),
            self._subject(record, key),
            with_buildtrees=self.pulls_buildtrees,
        )

    # pushing

    def look_ahead(self, records: Iterable[ElementRecord]) -> None:
        """Looks through the artifacts of RECORDS, which are going to be queried and pushed, all together."""
        trees: list[Digest] = []
        single: list[Digest] = []
        storages: list[Remote] = []
        for record in records:
            strict = record.keys.strict
            name = "" if strict is None else artifact_name(record.element, strict)
            data = self.artifacts.records.read(name) if name else None
            artifact = self.artifacts.decode(data) if data is not None else None
            if data is None or artifact is None:
                continue
            single += (digest_from_bytes(data), *artifact.metadata)
            trees += [] if artifact.files is None else [artifact.files]
            remotes = self.remotes.artifacts_of(record.element)
            storages += remotes.push_storages
            self._exchange.expect_push(remotes, artifact_name(record.element, artifact.strong_key))
        many = self.artifacts.cas.many
        many.walk_ahead(trees)
        fields = list(many.walked())
        if fields:
            fields += map(encode_digest_field, single)
            look_ahead(self.remotes.effects, storages, fields)

    def push(self, record: ElementRecord) -> bool:
        """Pushes the artifact of RECORD, which is cached; gives whether some remote did not have it.

        Raises:
            ArtifactError: A remote failed.
        """
        assert record.artifact is not None, "what is pushed is cached"
        if record.artifact.is_tainted:
            self._messenger.send(MessageType.WARN, "Not pushing tainted artifact.", element=record.label)
            return False
        remotes = self.remotes.artifacts_of(record.element)
        return self._exchange.push(
            remotes, self._subject(record, record.artifact.strong_key), record.artifact
        )

    def _subject(self, record: ElementRecord, key: str) -> ArtifactSubject:
        name = artifact_name(record.element, key)
        return ArtifactSubject(name, self._messenger.brief(key), lambda: record.label)
