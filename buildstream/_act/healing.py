"""Blobs that are missing or damaged in the local cache, fetched again from a remote one."""

import threading

from .._exceptions import BstError
from .._messenger import Messenger
from .._model.digest import Digest
from .._model.message import MessageType
from .._remote.download import Downloader
from .._remote.remote import Remote
from .._remote.retry import Cancellation
from .._remote.tally import Tally
from .._store.cas import Cas
from .remotecaches import RemoteCaches


class Healer:
    """What `Cas.heal` asks; safe to use from several threads.

    Args:
        cas: The store.
        remotes: Whose storages are asked: those that the command is connected to, else those of the
            user configuration.
        messenger: Is told of each blob that was fetched.
    """

    def __init__(self, cas: Cas, remotes: RemoteCaches, messenger: Messenger) -> None:
        self._cas = cas
        self._remotes = remotes
        self._messenger = messenger
        self._lock = threading.Lock()

    def heal(self, digest: Digest) -> bool:
        """Fetches a blob from the first storage that has it; gives whether one had it. Never raises.

        The storage service comes first, and without a message: what is there is often not here.
        """
        if self._cas.elsewhere is not None and self._cas.elsewhere.bring([digest]):
            return True
        try:
            with self._lock:  # connecting happens once
                storages = self._remotes.known_storages()
        except BstError:
            return False
        return any(self._fetch(remote, digest) for remote in storages)

    def _fetch(self, remote: Remote, digest: Digest) -> bool:
        effects = self._remotes.effects
        cancellation = Cancellation()
        tally = Tally(effects.now_s, lambda _: None)
        downloader = Downloader(remote.cas, self._cas, cancellation, tally, remote.reads_into(self._cas))
        try:
            with effects.supervise(cancellation):
                if downloader.fetch_blobs({digest: False}):
                    return False
        except BstError:  # the next storage, or whoever asked says what is missing
            return False
        self._messenger.send(
            MessageType.WARN,
            f"Blob {digest.hash} was missing or damaged here, it was fetched again <- {remote.url}",
        )
        return True
