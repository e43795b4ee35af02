"""What exchanging an artifact and exchanging a source have in common: names, content, remotes that fail."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from functools import partial
from itertools import chain
from typing import TypeVar

from .._dataclass import dataclass
from .._exceptions import ArtifactError
from .._messenger import Messenger
from .._model.digest import EMPTY_DIGEST, Digest
from .._model.message import ElementLabel, MessageType
from .._model.tree import encode_digest_field
from .._remote.download import Downloader
from .._remote.errors import Failure, RemoteError
from .._remote.remote import CacheRemotes, Remote
from .._remote.retry import Cancellation, Effects
from .._remote.sharedreads import Lacking
from .._remote.tally import Tally
from .._remote.upload import Uploader, tree_blobs
from .._store.blobtrees import Field, fields_of
from .._store.cas import Cas
from .transferreport import TransferReport

_Found = TypeVar("_Found")
_BLOBS_OF_A_TREE = 16  # as how many blobs a tree counts before anybody has looked into it


@dataclass(frozen=True, slots=True)
class Content:
    """What is uploaded.

    Attributes:
        single: Blobs.
        trees: Roots of trees.
        optional: Roots of trees that are left out if they are not here as a whole.
    """

    single: tuple[Digest, ...]
    trees: tuple[Digest, ...]
    optional: tuple[Digest, ...] = ()

    def encoded(self, cas: Cas) -> list[Field] | None:
        """Every blob, without any step for each here; None if that is not possible, or not worthwhile."""
        if self.optional and cas.elsewhere is not None:
            return None  # they may be complete, but not here
        if not cas.many.works_beside(_BLOBS_OF_A_TREE * len(self.trees)):
            return None
        trees, optional = (b"".join(map(encode_digest_field, roots)) for roots in (self.trees, self.optional))
        fields = cas.many.walk(trees, optional)
        if fields is None:
            return None
        single = [encode_digest_field(digest) for digest in self.single if digest != EMPTY_DIGEST]
        return list(dict.fromkeys([*fields, *single]))

    def blobs(self, cas: Cas) -> list[Digest]:
        """Every blob.

        Raises:
            CASError: A directory is missing or corrupt.
        """
        roots = [*self.trees, *filter(cas.contains_tree, self.optional)]
        return [*self.single, *chain.from_iterable(tree_blobs(cas, root) for root in roots)]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every exchange works with."""

    cas: Cas
    messenger: Messenger
    effects: Effects


@dataclass(slots=True)
class Exchange:
    """One artifact or source on its way from or to remotes.

    Attributes:
        cas: The store.
        remotes: To be asked, in their order.
        what: As messages name it: "artifact 0123abcd".
        report: Is told what happens.
        cancellation: Ends it from another thread.
        errors: Of the remotes that failed.
    """

    cas: Cas
    remotes: CacheRemotes
    what: str
    report: TransferReport
    cancellation: Cancellation
    errors: list[RemoteError] = field(default_factory=list)

    def note_failure(self, text: str, error: RemoteError) -> None:
        """Warns of a remote that failed; once, as it is left alone after that."""
        kind = MessageType.STATUS if error.failure is Failure.LEFT_ALONE else MessageType.WARN
        self.report.send(kind, f"{text}: {error}")
        self.errors.append(error)

    def failure(self, text: str) -> ArtifactError:
        """The error that ends it, when remotes have failed."""
        return ArtifactError(
            text,
            detail="\n".join(map(str, self.errors)),
            reason=self.errors[0].reason,
            temporary=any(error.temporary for error in self.errors),
        )

    # from remotes

    @staticmethod
    def tell_missing(report: TransferReport, remotes: CacheRemotes, what: str) -> None:
        """Tells what `obtain` does where it is known already that no index knows the name."""
        for remote in remotes.indexes:
            report.send(MessageType.STATUS, f"Pulling {what} <- {remote.url}")
            report.send(MessageType.INFO, _missing_text("Remote", remote, what))

    def obtain(
        self,
        ask: Callable[[Remote], Digest | None],
        fetch: Callable[[Digest, Remote, Downloader], _Found | Lacking],
        *,
        service: str = "Remote",
    ) -> _Found | None:
        """What FETCH gives for what an index knows, with the first storage that has everything of it.

        If no storage has, the next index is asked: it may know something else by the name. None if none does.
        """
        tried: set[Digest] = set()
        for digest in self._answers(ask, service):
            if digest not in tried:
                tried.add(digest)
                found = self._fetch(partial(fetch, digest))
                if found is not None:
                    return found
        return None

    def _answers(self, ask: Callable[[Remote], Digest | None], service: str) -> Iterator[Digest]:
        """What the indexes that know the name say."""
        for remote in self.remotes.indexes:
            self.report.send(MessageType.STATUS, f"Pulling {self.what} <- {remote.url}")
            try:
                digest = ask(remote)
            except RemoteError as error:
                self.note_failure(f"Could not pull from remote {remote.url}", error)
                continue
            if digest is not None:
                yield digest
            else:
                self.report.send(MessageType.INFO, _missing_text(service, remote, self.what))

    def downloader(self, remote: Remote, tally: Tally) -> Downloader:
        """A transfer out of the storage REMOTE."""
        return Downloader(remote.cas, self.cas, self.cancellation, tally, remote.reads_into(self.cas))

    def _fetch(self, fetch: Callable[[Remote, Downloader], _Found | Lacking]) -> _Found | None:
        """What FETCH gives with the first storage that has everything; None if no storage has."""
        for remote in self.remotes.storages:
            try:
                with self.report.counted(f"Pulling data for {self.what} <- {remote.url}") as tally:
                    found = fetch(remote, self.downloader(remote, tally))
            except RemoteError as error:
                self.note_failure(f"Could not pull from remote {remote.url}", error)
                continue
            if not isinstance(found, Lacking):
                self.report.send(MessageType.INFO, f"Pulled {self.what} <- {remote.url}")
                return found
            self._note_lacking(remote, found)
        return None

    def _note_lacking(self, remote: Remote, lacking: Lacking) -> None:
        """Tells what REMOTE could not give, and remembers what it gave wrong."""
        remote.suspects.update(lacking.corrupt)
        for digest in lacking.missing[:1]:
            self.report.send(
                MessageType.INFO, f"Remote cas ({remote.url}) does not have blob {digest.hash} cached"
            )
        for digest in lacking.corrupt[:1]:
            self.report.send(
                MessageType.WARN,
                f"Remote cas ({remote.url}) gave something else for blob {digest.hash}",
                detail="It was not stored. The next push of the same content replaces it there.",
            )

    # to remotes

    def expect(self, uris: Sequence[str]) -> None:
        """Asks the indexes that take names what URIS stand for: the answers come while contents are sent.

        `AssetClient.fetch_blob` of each alone gives them, as `publish` may do.
        """
        for remote in self.remotes.push_indexes:
            remote.assets.expect_blobs(uris)

    def upload(self, content: Content, text: str, *, done: str | None) -> list[Remote]:
        """Gives CONTENT to every storage that takes some; returns those that failed.

        TEXT announces it, DONE tells of its end.

        Raises:
            CASError: A directory is missing or corrupt.
        """
        fields = content.encoded(self.cas)
        blobs = content.blobs(self.cas) if fields is None else []
        failed = []
        for remote in self.remotes.push_storages:
            try:
                with self.report.counted(f"{text} -> {remote.url}") as tally:
                    uploader = Uploader(remote.cas, self.cas, self.cancellation, tally, remote.suspects)
                    give(uploader, remote, fields, blobs)
            except RemoteError as error:
                self.note_failure(f"Failed to push {self.what.split()[0]} blobs to {remote.url}", error)
                failed.append(remote)
                continue
            if done is not None:
                self.report.send(MessageType.INFO, f"{done} -> {remote.url}")
        return failed

    def publish(
        self,
        digest: Digest,
        failed: Sequence[Remote],
        ask: Callable[[Remote], Digest | None],
        tell: Callable[[Remote], None],
    ) -> bool:
        """Makes the names stand for DIGEST in every index that takes some; whether one did not know.

        Args:
            digest: Of what was uploaded.
            failed: Remotes that did not take the content: they get no name for it either.
            ask: What the names stand for in a remote.
            tell: Makes them stand for DIGEST.
        """
        if len(failed) == len(self.remotes.push_storages):
            return False
        is_new = False
        for remote in self.remotes.push_indexes:
            if remote in failed:
                continue
            self.report.send(MessageType.STATUS, f"Pushing {self.what} -> {remote.url}")
            try:
                if ask(remote) == digest:
                    self.report.send(
                        MessageType.INFO, f"Remote ({remote.url}) already has {self.what} cached"
                    )
                    continue
                tell(remote)
            except RemoteError as error:
                self.note_failure(f"Failed to push {self.what} -> {remote.url}", error)
                continue
            is_new = True
            self.report.send(MessageType.INFO, f"Pushed {self.what} -> {remote.url}")
        return is_new


def look_ahead(effects: Effects, storages: Iterable[Remote], fields: Sequence[Field]) -> None:
    """Asks STORAGES at once which of FIELDS they lack, as all of these are going to be pushed.

    Who does not tell is asked again when it is needed, which has a reason for everything.
    """
    cancellation = Cancellation()
    with effects.supervise(cancellation):
        for remote in dict.fromkeys(storages):
            with suppress(RemoteError):
                remote.cas.look_ahead(fields, cancellation)


def give(uploader: Uploader, remote: Remote, fields: list[Field] | None, blobs: Sequence[Digest]) -> None:
    """Uploads FIELDS, or BLOBS if these are None, to REMOTE, which is no suspect of having them wrong then.

    Raises:
        RemoteError: The server fails.
        CASError: A blob is missing or corrupt.
    """
    if fields is None:
        uploader.push(blobs)
    else:
        uploader.push_fields(fields)
    if remote.suspects:
        sent = blobs if fields is None else fields_of(b"".join(fields))
        remote.suspects.difference_update(Digest(*name) for name in sent)


def _missing_text(service: str, remote: Remote, what: str) -> str:
    return f"{service} ({remote.url}) does not have {what} cached"


@contextmanager
def exchange(
    surroundings: Surroundings,
    remotes: CacheRemotes,
    what: str,
    element: Callable[[], ElementLabel | None],
) -> Iterator[Exchange]:
    """The block of one exchange, which the job of this thread can end."""
    report = TransferReport(surroundings.messenger, surroundings.effects, element)
    with report.operation() as cancellation:
        yield Exchange(surroundings.cas, remotes, what, report, cancellation)
