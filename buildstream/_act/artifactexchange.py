"""Artifacts between the local cache and remote ones (keys specification 2.6 and 2.7)."""

from collections.abc import Callable, Iterator

from .._dataclass import dataclass
from .._exceptions import ArtifactError
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import ElementLabel
from .._plan.artifactview import ArtifactView
from .._remote.download import Downloader
from .._remote.errors import Failure, RemoteError
from .._remote.remote import CacheRemotes, Remote
from .._remote.retry import Effects
from .._remote.sharedreads import Lacking
from .._remote.upload import tree_blobs
from .artifacts import ArtifactCache
from .exchange import Surroundings, exchange

_URI_PREFIX = "urn:fdc:buildstream.build:2020:artifact:"


@dataclass(frozen=True, slots=True)
class ArtifactSubject:
    """Whose artifact is exchanged."""

    ref: str  # <project>/<normal name>/<key>
    brief: str  # the key as messages show it
    label: Callable[[], ElementLabel | None]

    @property
    def what(self) -> str:
        """As messages name the artifact."""
        return f"artifact {self.brief}"


class ArtifactExchange:
    """Pulls and pushes artifacts.

    Args:
        artifacts: The local cache.
        messenger: Is told what happens.
        effects: The clock, and who can end a transfer.
    """

    def __init__(self, artifacts: ArtifactCache, messenger: Messenger, effects: Effects) -> None:
        self._artifacts = artifacts
        self._cas = artifacts.cas
        self._surroundings = Surroundings(self._cas, messenger, effects)

    # pulling

    def expect(self, remotes: CacheRemotes, ref: str) -> None:
        """Asks all indexes for the artifact called REF ahead of `pull`."""
        for remote in remotes.indexes:
            remote.assets.expect_blobs([_URI_PREFIX + ref])

    def is_known_missing(self, remotes: CacheRemotes, ref: str) -> bool:
        """Whether all indexes have said already that they don't know the artifact called REF."""
        return all(remote.assets.is_known_missing(_URI_PREFIX + ref) for remote in remotes.indexes)

    def find(self, remotes: CacheRemotes, subject: ArtifactSubject) -> bool:
        """Whether an index knows the artifact of SUBJECT; one that fails does not count."""
        with exchange(self._surroundings, remotes, subject.what, subject.label) as operation:
            for remote in remotes.indexes:
                try:
                    if remote.assets.fetch_blob([_URI_PREFIX + subject.ref], operation.cancellation):
                        return True
                except RemoteError as error:
                    operation.note_failure(f"Could not ask remote {remote.url}", error)
        return False

    def pull(
        self, remotes: CacheRemotes, subject: ArtifactSubject, *, with_buildtrees: bool
    ) -> ArtifactView | None:
        """The artifact of SUBJECT, in the local cache now; None if no remote can give it.

        Raises:
            ArtifactError: None did, and at least one failed.
            CASError: The disk refuses.
        """
        uri = _URI_PREFIX + subject.ref

        def fetch(downloader: Downloader) -> ArtifactView | Lacking:
            assert digest is not None, "only what is known is fetched"
            return self._fetch(downloader, digest, subject.ref, with_buildtrees=with_buildtrees)

        with exchange(self._surroundings, remotes, subject.what, subject.label) as operation:
            digest = operation.look_up(lambda remote: remote.assets.fetch_blob([uri], operation.cancellation))
            artifact = None if digest is None else operation.fetch(fetch)
        if artifact is None and operation.errors:
            raise operation.failure(f"Failed to pull {subject.what}")
        return artifact

    def _fetch(
        self, downloader: Downloader, digest: Digest, ref: str, *, with_buildtrees: bool
    ) -> ArtifactView | Lacking:
        """The artifact, once all that it refers to is in the store and its records are written."""
        data = downloader.fetch_message(digest)
        if data is None:
            return Lacking(missing=[digest])
        artifact = self._artifacts.decode(data)
        if artifact is None or not _names_fit(ref, artifact):
            raise RemoteError(f"What is called '{ref}' there is not such an artifact", Failure.CORRUPT)
        trees = [] if artifact.files is None else [artifact.files]
        if with_buildtrees:
            trees += _optional_trees(artifact)
        lacking = downloader.fetch_trees(trees, _metadata(artifact))
        if lacking:
            return lacking
        self._artifacts.store_pulled(ref, data, artifact)
        return artifact

    # pushing

    def push(self, remotes: CacheRemotes, subject: ArtifactSubject, artifact: ArtifactView) -> bool:
        """Uploads ARTIFACT to all remotes that take it; gives whether one of them did not have it.

        Raises:
            ArtifactError: A remote failed; all the others have been given it.
        """
        data = self._artifacts.records.read(subject.ref)
        if data is None:
            raise ArtifactError(f"Push failed: {subject.ref} is not in the local cache any more")
        prefix = subject.ref.rpartition("/")[0]
        keys = dict.fromkeys((artifact.strong_key, artifact.weak_key))
        uris = [f"{_URI_PREFIX}{prefix}/{key}" for key in keys]
        low, high, public, *logs = _metadata(artifact)
        trees = [] if artifact.files is None else [artifact.files]

        def tell(remote: Remote) -> None:
            remote.assets.push_blob(
                uris,
                message,
                operation.cancellation,
                blobs=[low, high, *logs, public],
                directories=[*trees, *_optional_trees(artifact)],
            )

        with exchange(self._surroundings, remotes, subject.what, subject.label) as operation:
            message = self._cas.add_bytes(data)
            failed = operation.upload(
                [*self._content(artifact), message, *_metadata(artifact)],
                f"Pushing data from {subject.what}",
                done=f"Pushed data from {subject.what}",
            )
            is_new = operation.publish(
                message,
                failed,
                lambda remote: remote.assets.fetch_blob(uris, operation.cancellation),
                tell,
            )
        if operation.errors:
            raise operation.failure(f"Failed to push {subject.what}")
        return is_new

    def _content(self, artifact: ArtifactView) -> Iterator[Digest]:
        """Every blob of the trees; of optional trees only if they are there as a whole."""
        if artifact.files is not None:
            yield from tree_blobs(self._cas, artifact.files)
        for tree in _optional_trees(artifact):
            if self._cas.contains_tree(tree):
                yield from tree_blobs(self._cas, tree)


def _optional_trees(artifact: ArtifactView) -> list[Digest]:
    trees = [artifact.buildtree, artifact.sources, artifact.buildroot]
    if artifact.build_sandbox is not None:
        trees += artifact.build_sandbox.subsandboxes
    return [tree for tree in trees if tree is not None]


def _metadata(artifact: ArtifactView) -> list[Digest]:
    return [
        artifact.low_diversity_meta,
        artifact.high_diversity_meta,
        artifact.public_data,
        *(digest for _, digest in artifact.logs),
    ]


def _names_fit(ref: str, artifact: ArtifactView) -> bool:
    """Whether the artifact may be called REF, and its keys are keys: they become names of files."""
    keys = (artifact.strong_key, artifact.strict_key, artifact.weak_key)
    return ref.rpartition("/")[2] in keys and all(Digest(key, 0).is_well_formed() for key in keys)
