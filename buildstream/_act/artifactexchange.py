"""Artifacts between the local cache and remote ones (keys specification 2.6 and 2.7)."""

from collections.abc import Callable, Mapping
from itertools import chain

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
from .exchange import Content, Exchange, Surroundings, exchange
from .pullgroups import Fetched, PullGroups
from .transferreport import TransferReport

_SETTLE_S = 0.25
_BLOBS_OF_AN_ARTIFACT = 32  # as how many it counts before anybody has looked into it
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
        self._groups = PullGroups(_known_digest)
        self._expecting: dict[Remote, None] = {}  # indexes that were asked ahead

    # pulling

    def expect(self, remotes: CacheRemotes, ref: str) -> None:
        """Asks all indexes for the artifact called REF ahead of `pull`."""
        for remote in remotes.indexes:
            remote.assets.expect_blobs([_URI_PREFIX + ref])
            self._expecting[remote] = None
        if remotes.storages and self._cas.elsewhere is None:
            self._groups.expect(remotes, ref)

    def settle(self) -> None:
        """Waits a moment for what was asked ahead, as long as there is nothing to pull."""
        for remote in self._expecting:
            remote.assets.settle(_SETTLE_S)

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

        first: Digest | None = None  # what the first index that knows the name has said

        def fetch(digest: Digest, remote: Remote, downloader: Downloader) -> ArtifactView | Lacking:
            nonlocal first
            first = first or digest
            fetched = None
            if digest is first and remote is remotes.storages[0] and self._cas.elsewhere is None:
                fetched = self._groups.take(
                    remote,
                    subject.ref,
                    digest,
                    lambda digests: self._fetch_together(
                        operation, remote, digests, with_buildtrees=with_buildtrees
                    ),
                    operation.cancellation.check,
                )
            if fetched is None:
                return self._fetch(downloader, digest, subject.ref, with_buildtrees=with_buildtrees)
            downloader.note_fetched(fetched.size_bytes, fetched.blobs)
            self._artifacts.store_pulled(subject.ref, fetched.data, fetched.artifact)
            return fetched.artifact

        if self.is_known_missing(remotes, subject.ref):
            # of a thousand elements most may be: what an exchange needs takes longer than to say so
            report = TransferReport(self._surroundings.messenger, self._surroundings.effects, subject.label)
            Exchange.tell_missing(report, remotes, subject.what)
            for remote in remotes.indexes:
                remote.assets.forget(uri)
            self._groups.forget(subject.ref)
            return None
        with exchange(self._surroundings, remotes, subject.what, subject.label) as operation:
            artifact = operation.obtain(
                lambda remote: remote.assets.fetch_blob([uri], operation.cancellation), fetch
            )
            if first is None:
                self._groups.forget(subject.ref)
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
        trees = _trees(artifact, with_buildtrees)
        lacking = downloader.fetch_trees(trees, artifact.metadata, wanted=self._cas.not_elsewhere)
        if lacking:
            return lacking
        self._artifacts.store_pulled(ref, data, artifact)
        return artifact

    def _fetch_together(
        self, operation: Exchange, remote: Remote, digests: Mapping[str, Digest], *, with_buildtrees: bool
    ) -> dict[str, Fetched]:
        """Those of the artifacts with messages DIGESTS that are complete then, by ref.

        Raises:
            RemoteError: REMOTE fails.
            CASError: The disk refuses.
        """
        try:
            return self._fetch_group(operation, remote, digests, with_buildtrees=with_buildtrees)
        except RemoteError as error:
            if error.failure in (Failure.TRANSIENT, Failure.TIMEOUT):
                # it is left alone now, so that the jobs of the group do not learn why
                operation.note_failure(f"Could not pull from remote {remote.url}", error)
            raise

    def _fetch_group(
        self, operation: Exchange, remote: Remote, digests: Mapping[str, Digest], *, with_buildtrees: bool
    ) -> dict[str, Fetched]:
        self._cas.many.prepare(_BLOBS_OF_AN_ARTIFACT * len(digests))
        text = f"Pulling data for {len(digests)} artifacts <- {remote.url}"
        stored_bytes = self._cas.stored_bytes
        with operation.report.counted(text) as tally:
            downloader = operation.downloader(remote, tally)
            messages: dict[str, tuple[bytes, ArtifactView]] = {}
            downloader.fetch_messages(digests.values())
            for ref, digest in digests.items():
                data = downloader.fetch_message(digest)
                artifact = None if data is None else self._artifacts.decode(data)
                if data is not None and artifact is not None and _names_fit(ref, artifact):
                    messages[ref] = (data, artifact)
            trees = {ref: _trees(artifact, with_buildtrees) for ref, (_, artifact) in messages.items()}
            metadata = [digest for _, artifact in messages.values() for digest in artifact.metadata]
            roots = list(dict.fromkeys(chain.from_iterable(trees.values())))
            if downloader.fetch_directories(roots, metadata):
                return {}
            read = remote.trees_into(self._cas).fetch(roots, downloader, operation.cancellation, tally)
            if read is None and downloader.fetch_trees(roots):
                return {}
        found = {}
        fetched = downloader.fetched
        for ref, (data, artifact) in messages.items():
            names = [digests[ref], *artifact.metadata, *trees[ref]]
            if read is None:
                for tree in trees[ref]:
                    names += tree_blobs(self._cas, tree)
            own = fetched.intersection(names)
            fetched -= own
            blobs, size_bytes = len(own), sum(digest.size for digest in own)
            if read is not None:
                blobs += sum(read.blobs.pop(tree, 0) for tree in trees[ref])
                size_bytes += sum(read.size_bytes.pop(tree, 0) for tree in trees[ref])
            found[ref] = Fetched(data, artifact, blobs, size_bytes)
        self._cas.note_stored(stored_bytes - self._cas.stored_bytes)  # each job counts its own
        return found

    # pushing

    def expect_push(self, remotes: CacheRemotes, ref: str) -> None:
        """Tells that the artifact called REF is going to be pushed."""
        for remote in remotes.push_indexes:
            remote.assets.expect_blobs([_URI_PREFIX + ref])

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
        low, high, public, *logs = artifact.metadata
        trees = [] if artifact.files is None else [artifact.files]

        def tell(remote: Remote) -> None:
            remote.assets.push_blob(
                uris,
                message,
                operation.cancellation,
                blobs=[low, high, *logs, public],
                directories=[*trees, *artifact.optional_trees],
            )

        with exchange(self._surroundings, remotes, subject.what, subject.label) as operation:
            operation.expect(uris[:1])
            message = self._cas.add_bytes(data)
            failed = operation.upload(
                Content((message, *artifact.metadata), tuple(trees), artifact.optional_trees),
                f"Pushing data from {subject.what}",
                done=f"Pushed data from {subject.what}",
            )
            is_new = operation.publish(
                message,
                failed,
                lambda remote: remote.assets.fetch_blob(uris[:1], operation.cancellation),
                tell,
            )
        if operation.errors:
            raise operation.failure(f"Failed to push {subject.what}")
        return is_new


def _known_digest(remotes: CacheRemotes, ref: str) -> Digest | None:
    """What the first index that has answered so far has for the artifact called REF."""
    for remote in remotes.indexes:
        digest = remote.assets.known_blob(_URI_PREFIX + ref)
        if digest is not None:
            return digest
    return None


def _trees(artifact: ArtifactView, with_buildtrees: bool) -> list[Digest]:
    trees = [] if artifact.files is None else [artifact.files]
    return [*trees, *artifact.optional_trees] if with_buildtrees else trees


def _names_fit(ref: str, artifact: ArtifactView) -> bool:
    """Whether the artifact may be called REF, and its keys are keys: they become names of files."""
    keys = (artifact.strong_key, artifact.strict_key, artifact.weak_key)
    return ref.rpartition("/")[2] in keys and all(Digest(key, 0).is_well_formed() for key in keys)
