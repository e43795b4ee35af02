"""Sources between the local cache and remote ones (keys specification 2.8)."""

from collections.abc import Callable, Collection, Iterable

from .._load.resolved import ResolvedElement
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import ElementLabel
from .._remote.download import Downloader
from .._remote.errors import Failure, RemoteError
from .._remote.remote import CacheRemotes, Remote
from .._remote.sharedreads import Lacking
from .._store.cas import Cas
from .exchange import Content, Surroundings, exchange, look_ahead
from .remotecaches import RemoteCaches
from .sourcemessage import files_of_message, message_of_files

_URI_PREFIX = "urn:fdc:buildstream.build:2020:source:"


class SourceSharing:
    """Pulls and pushes trees of sources: those of all sources of an element, and those of single ones.

    A remote that fails is no reason to fail: what it does not give is fetched
    where it comes from.

    Args:
        cas: The store.
        remotes: The caches of every project.
        messenger: Is told what happens.
        label: How messages name an element.
    """

    def __init__(
        self,
        cas: Cas,
        remotes: RemoteCaches,
        messenger: Messenger,
        label: Callable[[ResolvedElement], ElementLabel],
    ) -> None:
        self._cas = cas
        self._remotes = remotes
        self._messenger = messenger
        self._label = label
        self._surroundings = Surroundings(cas, messenger, remotes.effects)

    def can_fetch(self, element: ResolvedElement) -> bool:
        """Whether there are remotes that may have the sources of ELEMENT."""
        return self._caches(element).can_fetch

    def can_push(self, element: ResolvedElement) -> bool:
        """Whether there are remotes to push the sources of ELEMENT to."""
        return self._caches(element).can_push

    def _caches(self, element: ResolvedElement) -> CacheRemotes:
        return self._remotes.sources(element.project)

    # pulling

    def pull_combined(self, element: ResolvedElement, key: str) -> Digest | None:
        """The tree of all sources of ELEMENT, in the store now; None if no remote can give it.

        Raises:
            CASError: The disk refuses.
        """
        remotes = self._caches(element)
        if not remotes.can_fetch:
            return None

        def fetch(digest: Digest, _: Remote, downloader: Downloader) -> Digest | Lacking:
            data = downloader.fetch_message(digest)
            if data is None:
                return Lacking(missing=[digest])
            files = files_of_message(data)
            if files is None:
                raise RemoteError(f"What is called '{key}' there is not such a source", Failure.CORRUPT)
            return self._fetch_tree(downloader, files)

        what = f"source {self._messenger.brief(key)}"
        with exchange(self._surroundings, remotes, what, lambda: self._label(element)) as operation:
            uris = [_URI_PREFIX + key]
            return operation.obtain(
                lambda remote: remote.assets.fetch_blob(uris, operation.cancellation), fetch
            )

    def pull_individual(self, element: ResolvedElement, kind: str, key: str) -> Digest | None:
        """The tree of one source of ELEMENT, in the store now; None if no remote can give it.

        Raises:
            CASError: The disk refuses.
        """
        remotes = self._caches(element)
        if not remotes.can_fetch:
            return None

        def fetch(digest: Digest, _: Remote, downloader: Downloader) -> Digest | Lacking:
            return self._fetch_tree(downloader, digest)

        what = f"source {self._messenger.brief(key)}"
        with exchange(self._surroundings, remotes, what, lambda: self._label(element)) as operation:
            uris = [f"{_URI_PREFIX}{kind}/{key}"]
            return operation.obtain(
                lambda remote: remote.assets.fetch_directory(uris, operation.cancellation),
                fetch,
                service="Remote source service",
            )

    def _fetch_tree(self, downloader: Downloader, root: Digest) -> Digest | Lacking:
        return downloader.fetch_trees([root], wanted=self._cas.not_elsewhere) or root

    # pushing

    def look_ahead(self, elements: Iterable[ResolvedElement]) -> None:
        """Asks at once what remotes lack of the sources of ELEMENTS; after `SourceCache.look_ahead`."""
        fields = list(self._cas.many.walked())
        if fields:
            storages = [remote for element in elements for remote in self._caches(element).push_storages]
            look_ahead(self._remotes.effects, storages, fields)

    def push_combined(
        self, element: ResolvedElement, key: str, files: Digest, given: Collection[Digest] = ()
    ) -> bool:
        """Gives the tree of all sources of ELEMENT to the remotes that take it; whether one did not have it.

        Args:
            element: Whose sources.
            key: Of all of them.
            files: The tree.
            given: Trees that every remote that takes some has got a moment ago.

        Raises:
            ArtifactError: A remote failed.
        """
        what, uris = f"source {self._messenger.brief(key)}", [_URI_PREFIX + key]
        with exchange(
            self._surroundings, self._caches(element), what, lambda: self._label(element)
        ) as operation:
            operation.expect(uris)
            message = self._cas.add_bytes(message_of_files(files))
            failed = operation.upload(
                Content((message,), () if files in given else (files,)),
                f"Pushing data from {what}",
                done=f"Pushed data from {what}",
            )
            is_new = operation.publish(
                message,
                failed,
                lambda remote: remote.assets.fetch_blob(uris, operation.cancellation),
                lambda remote: remote.assets.push_blob(
                    uris, message, operation.cancellation, directories=[files]
                ),
            )
        if operation.errors:
            raise operation.failure(f"Failed to push {what}")
        return is_new

    def push_individual(
        self, element: ResolvedElement, kind: str, key: str, tree: Digest
    ) -> tuple[bool, bool]:
        """Gives the tree of one source to the remotes that take it.

        Gives whether one did not know it, and whether all have its content now. A remote that fails is
        told of, and no error.
        """
        what, uris = f"source {self._messenger.brief(key)}", [f"{_URI_PREFIX}{kind}/{key}"]
        with exchange(
            self._surroundings, self._caches(element), what, lambda: self._label(element)
        ) as operation:
            failed = operation.upload(Content((), (tree,)), f"Pushing data for {what}", done=None)
            is_new = operation.publish(
                tree,
                failed,
                lambda remote: remote.assets.fetch_directory(uris, operation.cancellation),
                lambda remote: remote.assets.push_directory(uris, tree, operation.cancellation),
            )
        return is_new, not failed
