"""The storage service: a CAS server that holds all that the local cache does, and what it lacks."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .._exceptions import BstError
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import MessageType
from .._remote.download import Downloader
from .._remote.errors import Failure, RemoteError
from .._remote.remote import Remote
from .._remote.retry import Cancellation
from .._remote.tally import Tally
from .._remote.upload import Uploader
from .._remotespec import RemoteSpec, RemoteType
from .._store.cas import Cas
from .exchange import Content, give
from .remotecaches import RemoteCaches

_Found = TypeVar("_Found")


class StorageService:
    """What `Cas.elsewhere` asks (see there); the server is connected to when it is first needed.

    A server that can't be used, or fails, is told of once, and its contents are missing then: what can be
    built or pulled goes on.

    Args:
        spec: Where it is.
        cas: The store.
        remotes: Connects.
        messenger: Is told of failures.
    """

    def __init__(self, spec: RemoteSpec, cas: Cas, remotes: RemoteCaches, messenger: Messenger) -> None:
        self._spec = replace(spec, type=RemoteType.STORAGE)
        self._cas = cas
        self._remotes = remotes
        self._messenger = messenger
        self._lock = threading.Lock()
        self._held: set[Digest] = set()  # trees that were seen to be there

    # what is there

    def holds(self, blobs: Sequence[Digest]) -> bool:
        """See `Elsewhere`."""
        return not self.absent(dict.fromkeys(blobs, False))

    def absent(self, blobs: Mapping[Digest, bool]) -> Mapping[Digest, bool]:
        """See `Elsewhere`."""

        def find(remote: Remote, cancellation: Cancellation) -> Mapping[Digest, bool]:
            missing = remote.cas.find_missing(blobs, cancellation)
            missing.update(digest for digest in remote.suspects if digest in blobs)
            return {digest: value for digest, value in blobs.items() if digest in missing}

        return self._asked("ask", find, blobs)

    def holds_tree(self, root: Digest) -> bool:
        """See `Elsewhere`."""
        if root in self._held:
            return True
        files: dict[Digest, bool] = {}

        def walk(remote: Remote, cancellation: Cancellation) -> bool:
            def note(found: Mapping[Digest, bool]) -> Mapping[Digest, bool]:
                files.update(found)
                return {}

            return not self._downloader(remote, cancellation).fetch_trees([root], wanted=note)

        if not self._asked("fetch from", walk, default=False):
            return False
        if not self.holds(self._cas.absent(files)):
            return False
        self._held.add(root)
        return True

    # from there

    def bring(self, blobs: Sequence[Digest]) -> bool:
        """See `Elsewhere`."""

        def fetch(remote: Remote, cancellation: Cancellation) -> bool:
            lacking = self._downloader(remote, cancellation).fetch_blobs(dict.fromkeys(blobs, False))
            remote.suspects.update(lacking.corrupt)
            return not lacking

        return self._asked("fetch from", fetch, default=False)

    def bring_tree(self, root: Digest) -> None:
        """See `Elsewhere`."""

        def fetch(remote: Remote, cancellation: Cancellation) -> None:
            lacking = self._downloader(remote, cancellation).fetch_trees([root])
            remote.suspects.update(lacking.corrupt)

        self._asked("fetch from", fetch, default=None)

    # to there

    def take(self, what: str, blobs: Sequence[Digest], trees: Sequence[Digest]) -> None:
        """See `Elsewhere`."""
        content = Content(tuple(blobs), tuple(trees))

        def push(remote: Remote, cancellation: Cancellation) -> None:
            uploader = Uploader(remote.cas, self._cas, cancellation, self._tally(), remote.suspects)
            fields = content.encoded(self._cas)
            give(uploader, remote, fields, content.blobs(self._cas) if fields is None else [])
            self._held.update(trees)

        self._asked(f"store {what} in", push, default=None)

    # asking

    def _asked(self, action: str, ask: Callable[[Remote, Cancellation], _Found], default: _Found) -> _Found:
        """What ASK gives; DEFAULT without a server, or after a message that ACTION failed, as it raised."""
        with self._lock:  # connecting happens once
            storages = self._remotes.usable_storages([self._spec])
        for remote in storages:
            cancellation = Cancellation()
            try:
                with self._remotes.effects.supervise(cancellation):
                    return ask(remote, cancellation)
            except BstError as error:
                if cancellation.event.is_set():
                    break  # the job is ended
                is_known = isinstance(error, RemoteError) and error.failure is Failure.LEFT_ALONE
                self._messenger.send(
                    MessageType.STATUS if is_known else MessageType.WARN,
                    f"Failed to {action} the storage service {remote.url}: {error}",
                    detail=error.detail,
                )
        return default

    def _downloader(self, remote: Remote, cancellation: Cancellation) -> Downloader:
        return Downloader(remote.cas, self._cas, cancellation, self._tally(), remote.reads_into(self._cas))

    def _tally(self) -> Tally:
        return Tally(self._remotes.effects.now_s, lambda _: None)
