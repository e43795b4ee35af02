"""Small blobs out of one storage server, in batches that several transfers fill together.

A directory of a tree or the metadata of an artifact is some hundred bytes: asked for by each
transfer alone, a call is mostly overhead and waiting.  Here, whoever wants blobs puts them into one
queue.  As long as there is something in it and not too many calls are under way, a thread that
waits for its blobs takes the next batch out of it, whoever wanted that, reads it and stores it.
There are no threads beside those of the transfers.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field

from .._dataclass import dataclass
from .._model.digest import Digest
from .._store.batchwriter import Content
from .._store.cas import Cas
from .batches import take_batch
from .cas import CasClient
from .retry import Cancellation
from .tally import Tally

_WIDTH = 6  # calls at a time, of all transfers together
_TELL_S = 1.0  # how often a transfer that waits looks whether it is time for a report


@dataclass(slots=True)
class Lacking:
    """What a server could not give."""

    missing: list[Digest] = field(default_factory=list)
    corrupt: list[Digest] = field(default_factory=list)  # it sent something else, twice

    def __bool__(self) -> bool:
        return bool(self.missing or self.corrupt)


@dataclass(slots=True, eq=False)
class _Transfer:
    """Who waits for blobs."""

    left: int  # blobs that have not come yet
    tally: Tally
    wake: threading.Event = field(default_factory=threading.Event)
    lacking: Lacking = field(default_factory=Lacking)
    error: BaseException | None = None
    stored_bytes: int = 0

    def cancel(self) -> None:
        """Wakes it up, so that it sees that it was given up."""
        self.wake.set()


@dataclass(slots=True, eq=False)
class _Wanted:
    """A blob that was asked for and has not come yet."""

    is_executable: bool
    transfers: list[_Transfer] = field(default_factory=list)


class SharedReads:
    """The queue of one server and one store; safe to use from several threads.

    Args:
        client: The server.
        cas: The store.
    """

    def __init__(self, client: CasClient, cas: Cas) -> None:
        self._client = client
        self._cas = cas
        self._lock = threading.Lock()
        self._wanted: dict[Digest, _Wanted] = {}  # in the queue, or being read
        self._queue: deque[Digest] = deque()
        self._idle: dict[_Transfer, None] = {}  # those that wait, in order: they can do a call
        self._calls = 0

    def fetch(self, wanted: Mapping[Digest, bool], cancellation: Cancellation, tally: Tally) -> Lacking:
        """Makes blobs that fit into a batch present; the values tell whether they are executable.

        Raises:
            RemoteError: The server failed with one of them, whoever asked it.
            CASError: The disk refuses.
        """
        transfer = _Transfer(len(wanted), tally)
        with self._lock:
            for digest, is_executable in wanted.items():
                entry = self._wanted.get(digest)
                if entry is None:
                    entry = self._wanted[digest] = _Wanted(is_executable)
                    self._queue.append(digest)
                entry.transfers.append(transfer)
        cancellation.add(transfer)
        try:
            while self._work_or_wait(transfer, cancellation):
                cancellation.check()
                tally.tell()
        finally:
            cancellation.remove(transfer)
            self._withdraw(transfer)
            self._cas.note_stored(transfer.stored_bytes)
        return transfer.lacking

    def _work_or_wait(self, transfer: _Transfer, cancellation: Cancellation) -> bool:
        """Reads one batch, or waits for somebody else to do so; gives whether TRANSFER lacks something."""
        with self._lock:
            self._idle.pop(transfer, None)
            if transfer.error is not None:
                raise transfer.error
            if not transfer.left:
                return False
            batch = self._take() if self._calls < _WIDTH else []
            if batch:
                self._calls += 1
            else:
                transfer.wake.clear()
                self._idle[transfer] = None
        if batch:
            self._read(batch, cancellation)
        else:
            transfer.wake.wait(_TELL_S)
        return True

    def _take(self) -> list[Digest]:
        """The next batch of the queue; blobs that nobody wants any more are dropped."""
        return take_batch(self._queue, self._client.largest_in_batch, self._wanted.__contains__)

    def _read(self, batch: Sequence[Digest], cancellation: Cancellation) -> None:
        """Reads BATCH into the store and tells those who want it; never raises."""
        contents: list[Content] = []
        absent: list[Digest] = []
        corrupt: list[Digest] = []
        error: BaseException | None = None
        try:
            for digest, data in self._client.read_batch(batch, cancellation):
                entry = self._wanted.get(digest)
                if data is None:
                    absent.append(digest)
                else:
                    contents.append(Content(digest, data, entry is not None and entry.is_executable))
        except BaseException as raised:  # noqa: BLE001 - raised again in the threads that want the rest
            error = raised
        try:  # what has come before the failure is kept
            corrupt = self._cas.insert_all(contents)
        except BaseException as raised:  # noqa: BLE001 - as above
            error, contents = raised, []
        self._settle(batch, contents, absent, corrupt, error)

    def _settle(
        self,
        batch: Sequence[Digest],
        contents: Sequence[Content],
        absent: Sequence[Digest],
        corrupt: Sequence[Digest],
        error: BaseException | None,
    ) -> None:
        """Tells the transfers that wait for BATCH what became of it."""
        wrong = set(corrupt)
        with self._lock:
            self._calls -= 1
            for content in contents:
                digest = content.digest
                for transfer in self._end(digest):
                    if digest in wrong:
                        transfer.lacking.corrupt.append(digest)
                    else:
                        transfer.stored_bytes += digest.size
                        transfer.tally.count(digest.size, 1)
            for digest in absent:
                for transfer in self._end(digest):
                    transfer.lacking.missing.append(digest)
            for digest in batch:  # what is still there has failed
                for transfer in self._end(digest):
                    transfer.error = error or AssertionError("every blob of a batch is accounted for")
                    transfer.wake.set()
            self._wake_one()

    def _end(self, digest: Digest) -> Sequence[_Transfer]:
        """Those who wanted the blob; it is not wanted any more."""
        entry = self._wanted.pop(digest, None)
        if entry is None:
            return ()
        for transfer in entry.transfers:
            transfer.left -= 1
            if not transfer.left:
                transfer.wake.set()
        return entry.transfers

    def _withdraw(self, transfer: _Transfer) -> None:
        """Forgets a transfer that has ended, perhaps before all has come."""
        with self._lock:
            self._idle.pop(transfer, None)
            if transfer.left:
                for digest, entry in list(self._wanted.items()):
                    if transfer in entry.transfers:
                        entry.transfers.remove(transfer)
                        if not entry.transfers:
                            del self._wanted[digest]
            self._wake_one()

    def _wake_one(self) -> None:
        """Has somebody who waits read the next batch, if there is one."""
        if self._queue and self._idle:
            transfer = next(iter(self._idle))
            del self._idle[transfer]
            transfer.wake.set()
