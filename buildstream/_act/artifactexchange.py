"""Artifacts between the local cache and remote ones (keys specification 2.6 and 2.7)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .._exceptions import ArtifactError
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import ElementLabel, MessageType
from .._plan.artifactview import ArtifactView
from .._remote.download import Downloader, Lacking
from .._remote.errors import Failure, RemoteError
from .._remote.remote import CacheRemotes, Remote
from .._remote.retry import Cancellation, Effects
from .._remote.upload import Uploader, tree_blobs
from .artifacts import ArtifactCache
from .transferreport import TransferReport

_URI_PREFIX = "urn:fdc:buildstream.build:2020:artifact:"


@dataclass(frozen=True, slots=True)
class ArtifactSubject:
    """Whose artifact is exchanged."""

    ref: str  # <project>/<normal name>/<key>
    brief: str  # the key as messages show it
    label: Callable[[], ElementLabel | None]


@dataclass(slots=True)
class _Operation:
    """One artifact on its way."""

    remotes: CacheRemotes
    subject: ArtifactSubject
    report: TransferReport
    cancellation: Cancellation
    errors: list[RemoteError] = field(default_factory=list)  # of remotes that failed

    def note_failure(self, text: str, error: RemoteError) -> None:
        """Warns of a remote that failed; once, as it is left alone after that."""
        kind = MessageType.STATUS if error.failure is Failure.LEFT_ALONE else MessageType.WARN
        self.report.send(kind, f"{text}: {error}")
        self.errors.append(error)


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
        self._messenger = messenger
        self._effects = effects

    # pulling

    def find(self, remotes: CacheRemotes, subject: ArtifactSubject) -> bool:
        """Whether an index knows the artifact of SUBJECT; one that fails does not count."""
        with self._operation(remotes, subject) as operation:
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
        with self._operation(remotes, subject) as operation:
            digest = self._look_up(operation)
            artifact = None
            if digest is not None:
                artifact = self._fetch_from_any(operation, digest, with_buildtrees=with_buildtrees)
        if artifact is None and operation.errors:
            raise _failure(operation, f"Failed to pull artifact {subject.brief}")
        return artifact

    def _look_up(self, operation: _Operation) -> Digest | None:
        """The message of the artifact, as the first index that knows it says."""
        subject, report = operation.subject, operation.report
        for remote in operation.remotes.indexes:
            report.send(MessageType.STATUS, f"Pulling artifact {subject.brief} <- {remote.url}")
            try:
                digest = remote.assets.fetch_blob([_URI_PREFIX + subject.ref], operation.cancellation)
            except RemoteError as error:
                operation.note_failure(f"Could not pull from remote {remote.url}", error)
                continue
            if digest is not None:
                return digest
            report.send(
                MessageType.INFO, f"Remote ({remote.url}) does not have artifact {subject.brief} cached"
            )
        return None

    def _fetch_from_any(
        self, operation: _Operation, digest: Digest, *, with_buildtrees: bool
    ) -> ArtifactView | None:
        subject, report = operation.subject, operation.report
        for remote in operation.remotes.storages:
            try:
                with report.counted(f"Pulling data for artifact {subject.brief} <- {remote.url}") as tally:
                    downloader = Downloader(remote.cas, self._cas, operation.cancellation, tally)
                    fetched = self._fetch(downloader, digest, subject, with_buildtrees=with_buildtrees)
            except RemoteError as error:
                operation.note_failure(f"Could not pull from remote {remote.url}", error)
                continue
            if isinstance(fetched, Lacking):
                note_lacking(report, remote, fetched)
                continue
            data, artifact = fetched
            self._artifacts.store_pulled(subject.ref, data, artifact)
            report.send(MessageType.INFO, f"Pulled artifact {subject.brief} <- {remote.url}")
            return artifact
        return None

    def _fetch(
        self, downloader: Downloader, digest: Digest, subject: ArtifactSubject, *, with_buildtrees: bool
    ) -> tuple[bytes, ArtifactView] | Lacking:
        """The message and what it says, with everything that it refers to in the store."""
        data = downloader.fetch_message(digest)
        if data is None:
            return Lacking(missing=[digest])
        artifact = self._artifacts.decode(data)
        if artifact is None or not _names_fit(subject.ref, artifact):
            raise RemoteError(
                f"What is called '{subject.ref}' there is not such an artifact", Failure.CORRUPT
            )
        trees = [] if artifact.files is None else [artifact.files]
        if with_buildtrees:
            trees += _optional_trees(artifact)
        lacking = downloader.fetch_trees(trees)
        if not lacking:
            lacking = downloader.fetch_blobs(dict.fromkeys(_metadata(artifact), False))
        return lacking or (data, artifact)

    # pushing

    def push(self, remotes: CacheRemotes, subject: ArtifactSubject, artifact: ArtifactView) -> bool:
        """Uploads ARTIFACT to all remotes that take it; gives whether one of them did not have it.

        Raises:
            ArtifactError: A remote failed; all the others have been given it.
        """
        data = self._artifacts.records.read(subject.ref)
        if data is None:
            raise ArtifactError(f"Push failed: {subject.ref} is not in the local cache any more")
        with self._operation(remotes, subject) as operation:
            message = self._cas.add_bytes(data)
            failed = self._push_content(operation, [*self._content(artifact), message, *_metadata(artifact)])
            is_new = False
            if len(failed) < len(remotes.push_storages):
                for remote in remotes.push_indexes:
                    if remote not in failed:
                        is_new |= self._push_name(operation, remote, artifact, message)
        if operation.errors:
            raise _failure(operation, f"Failed to push artifact {subject.brief}")
        return is_new

    def _push_content(self, operation: _Operation, blobs: list[Digest]) -> list[Remote]:
        """Uploads to every storage; gives those that failed."""
        brief, report = operation.subject.brief, operation.report
        failed = []
        for remote in operation.remotes.push_storages:
            try:
                with report.counted(f"Pushing data from artifact {brief} -> {remote.url}") as tally:
                    uploader = Uploader(remote.cas, self._cas, operation.cancellation, tally, remote.suspects)
                    uploader.push(blobs)
            except RemoteError as error:
                operation.note_failure(f"Failed to push artifact blobs to {remote.url}", error)
                failed.append(remote)
                continue
            remote.suspects.difference_update(blobs)
            report.send(MessageType.INFO, f"Pushed data from artifact {brief} -> {remote.url}")
        return failed

    def _push_name(
        self, operation: _Operation, remote: Remote, artifact: ArtifactView, message: Digest
    ) -> bool:
        """Makes the names stand for the message; gives whether they did not before."""
        subject, report, cancellation = operation.subject, operation.report, operation.cancellation
        report.send(MessageType.STATUS, f"Pushing artifact {subject.brief} -> {remote.url}")
        prefix = subject.ref.rpartition("/")[0]
        keys = dict.fromkeys((artifact.strong_key, artifact.weak_key))
        uris = [f"{_URI_PREFIX}{prefix}/{key}" for key in keys]
        try:
            if remote.assets.fetch_blob(uris, cancellation) == message:
                report.send(
                    MessageType.INFO, f"Remote ({remote.url}) already has artifact {subject.brief} cached"
                )
                return False
            low, high, public, *logs = _metadata(artifact)
            trees = [] if artifact.files is None else [artifact.files]
            remote.assets.push_blob(
                uris,
                message,
                cancellation,
                blobs=[low, high, *logs, public],
                directories=[*trees, *_optional_trees(artifact)],
            )
        except RemoteError as error:
            operation.note_failure(f"Failed to push artifact {subject.brief} -> {remote.url}", error)
            return False
        report.send(MessageType.INFO, f"Pushed artifact {subject.brief} -> {remote.url}")
        return True

    def _content(self, artifact: ArtifactView) -> Iterator[Digest]:
        """Every blob of the trees; of optional trees only if they are there as a whole."""
        if artifact.files is not None:
            yield from tree_blobs(self._cas, artifact.files)
        for tree in _optional_trees(artifact):
            if self._cas.contains_tree(tree):
                yield from tree_blobs(self._cas, tree)

    @contextmanager
    def _operation(self, remotes: CacheRemotes, subject: ArtifactSubject) -> Iterator[_Operation]:
        report = TransferReport(self._messenger, self._effects, subject.label)
        with report.operation() as cancellation:
            yield _Operation(remotes, subject, report, cancellation)


def _failure(operation: _Operation, text: str) -> ArtifactError:
    errors = operation.errors
    return ArtifactError(
        text,
        detail="\n".join(map(str, errors)),
        reason=errors[0].reason,
        temporary=any(error.temporary for error in errors),
    )


def note_lacking(report: TransferReport, remote: Remote, lacking: Lacking) -> None:
    """Tells what REMOTE could not give, and remembers what it gave wrong."""
    remote.suspects.update(lacking.corrupt)
    for digest in lacking.missing[:1]:
        report.send(MessageType.INFO, f"Remote cas ({remote.url}) does not have blob {digest.hash} cached")
    for digest in lacking.corrupt[:1]:
        report.send(
            MessageType.WARN,
            f"Remote cas ({remote.url}) gave something else for blob {digest.hash}",
            detail="It was not stored. The next push of this artifact replaces it there.",
        )


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
