"""Small blobs out of one storage server, in batches that several transfers fill together.

A directory of a tree or the metadata of an artifact is some hundred bytes: asked for by each
transfer alone, a call is mostly overhead and waiting.  Here, whoever wants blobs puts them into one
queue.  As long as there is something in it and not too many calls are under way, a thread that
waits for its blobs takes the next batch out of it, whoever wanted that, reads it and stores it.
Only a transfer of very many blobs brings threads of its own, as it may be the only one.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field

from .._dataclass import dataclass
from .._model.digest import Digest
from .._store.batchwriter import Content
from .._store.blobworker import COMPRESSED
from .._store.cas import Cas
from .batches import take_batch
from .cas import CasClient, left_out
from .errors import RemoteError, error_from_status, status_name
from .retry import Cancellation
from .tally import Tally

_WIDTH = 6  # calls at a time, of all transfers together
_HELPERS = 2  # threads beside that of a transfer
_BLOBS_OF_A_HELPER = 2000  # for which one is worth it
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
    stored_blobs: int = 0
    stored_bytes: int = 0
    told_blobs: int = 0  # to the tally
    told_bytes: int = 0

    def cancel(self) -> None:
        """Wakes it up, so that it sees that it was given up."""
        self.wake.set()

    def tell(self) -> None:
        """Brings the tally up to date."""
        blobs, size_bytes = self.stored_blobs - self.told_blobs, self.stored_bytes - self.told_bytes
        self.told_blobs, self.told_bytes = self.stored_blobs, self.stored_bytes
        self.tally.count(size_bytes, blobs)


@dataclass(slots=True)
class _Outcome:
    """What became of a batch; for all that is in no list, the error counts."""

    stored: Sequence[Digest] = ()
    missing: list[Digest] = field(default_factory=list)
    corrupt: list[Digest] = field(default_factory=list)
    error: BaseException | None = None


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
        # blobs in the queue or being read, and who has asked for them first; and who else
        self._wanted: dict[Digest, _Transfer] = {}
        self._others: dict[Digest, list[_Transfer]] = {}
        self._executable: set[str] = set()  # hashes of those of them that are
        self._queue: deque[Digest] = deque()
        self._idle: dict[_Transfer, None] = {}  # those that wait, in order: they can do a call
        self._calls = 0
        self._looking = 0  # transfers that look what the store lacks
        self._seen: set[Digest] = set()  # what has come while one looked

    def fetch(
        self, wanted: Mapping[Digest, bool], cancellation: Cancellation, tally: Tally
    ) -> tuple[list[Digest], Lacking]:
        """Makes blobs that fit into a batch present; the values tell whether they are executable.

        Gives those that were not in the store before, and those of them that the server lacks.

        Raises:
            RemoteError: The server failed with one of them, whoever asked it.
            CASError: The disk refuses.
        """
        with self._looks():
            absent = self._cas.absent(wanted)
            tally.expect(sum(digest.size for digest in absent))
            transfer = self._enter(absent, wanted, tally)
        cancellation.add(transfer)
        helpers = self._start_helpers(transfer, cancellation)
        try:
            while self._work_or_wait(transfer, cancellation):
                cancellation.check()
                transfer.tell()
                tally.tell()
        finally:
            cancellation.remove(transfer)
            for helper in helpers:
                helper.join()
            self._withdraw(transfer)
            transfer.tell()
            self._cas.note_stored(transfer.stored_bytes)
        return absent, transfer.lacking

    def _start_helpers(self, transfer: _Transfer, cancellation: Cancellation) -> list[threading.Thread]:
        """Threads that read batches too, if TRANSFER waits for very many blobs."""

        def work() -> None:
            while batch := self._next_batch(transfer, cancellation):
                self._read(batch, cancellation)

        helpers = [
            threading.Thread(target=work, name="transfer", daemon=True)
            for _ in range(min(_HELPERS, transfer.left // _BLOBS_OF_A_HELPER))
        ]
        for helper in helpers:
            helper.start()
        return helpers

    def _next_batch(self, transfer: _Transfer, cancellation: Cancellation) -> list[Digest]:
        """A batch for a helper of TRANSFER, counted as a call; nothing if there is no more to help with."""
        with self._lock:
            is_over = transfer.error is not None or not transfer.left or cancellation.event.is_set()
            batch = [] if is_over or self._calls >= _WIDTH else self._take()
            self._calls += bool(batch)
        return batch

    @contextmanager
    def _looks(self) -> Iterator[None]:
        """While it lasts, what comes is kept in mind: it may have come after a look, and before `_enter`."""
        with self._lock:
            self._looking += 1
        try:
            yield
        finally:
            with self._lock:
                self._looking -= 1
                if not self._looking:
                    self._seen.clear()

    def _enter(self, absent: Sequence[Digest], wanted: Mapping[Digest, bool], tally: Tally) -> _Transfer:
        """A transfer that waits for the blobs ABSENT; those that nobody waits for yet go into the queue."""
        transfer = _Transfer(len(absent), tally)
        with self._lock:
            fresh = absent
            if not self._seen.isdisjoint(fresh):
                fresh = [digest for digest in fresh if digest not in self._seen]
                come = [digest for digest in absent if digest in self._seen]
                transfer.left -= len(come)
                transfer.stored_blobs += len(come)
                transfer.stored_bytes += sum(digest.size for digest in come)
            if not self._wanted.keys().isdisjoint(fresh):
                for digest in self._wanted.keys() & set(fresh):
                    self._others.setdefault(digest, []).append(transfer)
                fresh = [digest for digest in fresh if digest not in self._wanted]
            self._executable.update(digest.hash for digest in fresh if wanted[digest])
            self._wanted.update(dict.fromkeys(fresh, transfer))
            self._queue.extend(fresh)
        return transfer

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
        outcome = _Outcome()
        try:
            outcome = self._client.channel.retried(lambda: self._receive(batch, cancellation), cancellation)
        except BaseException as raised:  # noqa: BLE001 - raised again in the threads that want the rest
            outcome.error = raised
        self._settle(batch, outcome)

    def _receive(self, batch: Sequence[Digest], cancellation: Cancellation) -> _Outcome:
        """Asks for BATCH once.

        Raises:
            RemoteError: Nothing came, or nothing that can be read.
            CASError: There is no room.
        """
        message = self._client.read_message(batch, cancellation)
        with self._lock:
            executable = {digest.hash for digest in batch if digest.hash in self._executable}
        stored = self._cas.store_batch(message, batch, executable)
        if stored is None:
            return self._store_here(message, batch)
        outcome = _Outcome(stored.stored, stored.missing, stored.corrupt, stored.error)
        compressed = [digest for digest, code, _ in stored.refused if code == COMPRESSED]
        if compressed:
            rest = self._store_here(message, compressed)
            outcome.stored = [*outcome.stored, *rest.stored]
            outcome.missing += rest.missing
            outcome.corrupt += rest.corrupt
            outcome.error = outcome.error or rest.error
        for _, code, text in stored.refused:
            if code != COMPRESSED:
                outcome.error = outcome.error or error_from_status(status_name(code), text)
        if outcome.error is None:
            left = len(batch) - len(outcome.stored) - len(outcome.missing) - len(outcome.corrupt)
            outcome.error = left_out(left) if left else None
        return outcome

    def _store_here(self, message: bytes, batch: Sequence[Digest]) -> _Outcome:
        """Stores what is in MESSAGE in this thread; what comes before a failure is kept."""
        outcome = _Outcome()
        contents: list[Content] = []
        blobs = self._client.blobs_in(message, batch)
        try:
            for digest, data in blobs:
                if data is None:
                    outcome.missing.append(digest)
                else:
                    contents.append(Content(digest, data, digest.hash in self._executable))
        except RemoteError as error:
            outcome.error = error
        outcome.corrupt = self._cas.insert_all(contents)
        wrong = set(outcome.corrupt)
        outcome.stored = [content.digest for content in contents if content.digest not in wrong]
        return outcome

    def _settle(self, batch: Sequence[Digest], outcome: _Outcome) -> None:
        """Tells the transfers that wait for BATCH what became of it."""
        with self._lock:
            self._calls -= 1
            if self._looking:
                self._seen.update(outcome.stored)
            for digest in outcome.stored:
                for transfer in self._end(digest):
                    transfer.stored_blobs += 1
                    transfer.stored_bytes += digest[1]
            for digest in outcome.missing:
                for transfer in self._end(digest):
                    transfer.lacking.missing.append(digest)
            for digest in outcome.corrupt:
                for transfer in self._end(digest):
                    transfer.lacking.corrupt.append(digest)
            for digest in batch:  # what is still there has failed
                for transfer in self._end(digest):
                    transfer.error = outcome.error or AssertionError("every blob is accounted for")
                    transfer.wake.set()
            if self._executable:
                self._executable.difference_update(digest.hash for digest in batch)
            self._wake_one()

    def _end(self, digest: Digest) -> Sequence[_Transfer]:
        """Those who wanted the blob; it is not wanted any more."""
        first = self._wanted.pop(digest, None)
        if first is None:
            return ()
        transfers = (first, *self._others.pop(digest, ())) if self._others else (first,)
        for transfer in transfers:
            transfer.left -= 1
            if not transfer.left:
                transfer.wake.set()
        return transfers

    def _withdraw(self, transfer: _Transfer) -> None:
        """Forgets a transfer that has ended, perhaps before all has come."""
        with self._lock:
            self._idle.pop(transfer, None)
            if transfer.left:
                for digest, first in list(self._wanted.items()):
                    others = self._others.get(digest, [])
                    if transfer in others:
                        others.remove(transfer)
                    elif transfer is first and others:
                        self._wanted[digest] = others.pop(0)
                    elif transfer is first:
                        del self._wanted[digest]
            self._wake_one()

    def _wake_one(self) -> None:
        """Has somebody who waits read the next batch, if there is one."""
        if self._queue and self._idle:
            transfer = next(iter(self._idle))
            del self._idle[transfer]
            transfer.wake.set()
