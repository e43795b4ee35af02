"""Whole trees out of one storage server, for which nothing is done here for each small file.

Directories are decoded, files looked for, hashed and written by other processes (see `blobtrees` of the
store); digests stay as they are on the wire.  What does not go this way, such as large files, or goes wrong,
is left to the ordinary transfer, which has a reason for everything.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice

from .._dataclass import dataclass
from .._model.digest import Digest
from .._model.tree import encode_digest_field
from .._store.blobtrees import Field, Scanned, fields_of
from .._store.cas import Cas
from .batches import BATCH_BYTES, field_batches
from .cas import CasClient
from .download import DEEPEST, LARGEST_DIRECTORY_BYTES, MOST_DISTINCT_ENTRIES, Downloader, check_extent
from .parallel import run_parts
from .retry import Cancellation
from .tally import Tally

_WIDTH = 3  # calls at a time in one transfer
_SCANNED_TOGETHER = 500  # directories
_REMEMBERED = 200_000  # blobs of transfers that are over
_LOOK_S = 0.5  # how often somebody who waits looks whether the operation was given up
_BLOBS_OF_A_TREE = 16  # as how many blobs a tree counts, as long as nobody has seen it


@dataclass(slots=True, eq=False)
class TreesRead:
    """What a transfer has brought.

    Attributes:
        blobs: How many were not here before, by the tree that was the first to have them.
        size_bytes: Of these.
    """

    blobs: dict[Digest, int] = field(default_factory=dict)
    size_bytes: dict[Digest, int] = field(default_factory=dict)

    def add(self, root: Digest, blobs: int, size_bytes: int) -> None:
        """Counts BLOBS of SIZE_BYTES for a tree."""
        self.blobs[root] = self.blobs.get(root, 0) + blobs
        self.size_bytes[root] = self.size_bytes.get(root, 0) + size_bytes


class TreeReads:
    """The trees of one server on their way into one store; safe to use from several threads.

    Args:
        client: The server.
        cas: The store.
    """

    def __init__(self, client: CasClient, cas: Cas) -> None:
        self._client = client
        self._cas = cas
        self._lock = threading.Lock()
        # blobs that a transfer reads, or has read lately, and its end
        self._read_by: dict[Field, threading.Event] = {}

    def fetch(
        self, roots: Iterable[Digest], downloader: Downloader, cancellation: Cancellation, tally: Tally
    ) -> TreesRead | None:
        """Makes the trees ROOTS present, the directories of which are there already.

        Returns:
            None if that was not possible in this way: DOWNLOADER then finds out what is wrong.

        Raises:
            RemoteError: The server fails, or a tree is not one that can be staged.
            CASError: The disk refuses.
        """
        trees = list(dict.fromkeys(roots))
        if not self._cas.many.works_beside(len(trees) * _BLOBS_OF_A_TREE):
            return None
        return _Transfer(self, downloader, cancellation, tally).fetch(trees)

    # --- What transfers share

    def claim(self, fields: Mapping[Field, int], done: threading.Event) -> dict[Field, threading.Event]:
        """Those of FIELDS that others read, and when they are done; the caller reads the rest until DONE."""
        with self._lock:
            if len(self._read_by) > _REMEMBERED:
                self._read_by = {name: end for name, end in self._read_by.items() if not end.is_set()}
            others = {name: self._read_by[name] for name in self._read_by.keys() & fields.keys()}
            # in one step each: there may be many
            self._read_by.update(dict.fromkeys(fields, done))
            self._read_by.update(others)
        return others

    def disclaim(self, fields: Iterable[Field], done: threading.Event) -> None:
        """Tells that FIELDS were not read after all."""
        with self._lock:
            for name in fields:
                if self._read_by.get(name) is done:
                    del self._read_by[name]

    def unread(self, fields: Iterable[Field]) -> list[Field]:
        """Those of FIELDS that others have not read after all."""
        with self._lock:
            return [name for name in fields if name not in self._read_by]

    def read(
        self, batch: Sequence[Field], size_bytes: int, cancellation: Cancellation, *, executable: bool
    ) -> list[Digest]:
        """Reads a batch into the store; gives those that did not come, for whatever reason.

        Raises:
            RemoteError: The call failed.
            CASError: There is no room.
        """
        wanted = b"".join(batch)

        def attempt() -> list[Digest] | None:
            message = self._client.read_encoded(wanted, cancellation)
            return self._cas.many.keep(message, wanted, size_bytes, len(batch), executable=executable)

        left = self._client.channel.retried(attempt, cancellation)
        return [Digest(*name) for name in fields_of(wanted)] if left is None else left

    @property
    def largest_in_batch(self) -> int:
        """The size in bytes of the largest blob that comes in a batch."""
        return min(self._client.largest_in_batch, BATCH_BYTES)

    def scan(self, level: Sequence[Field]) -> Iterator[tuple[Sequence[Field], Scanned | None]]:
        """What the directories of LEVEL hold, piece by piece."""
        for start in range(0, len(level), _SCANNED_TOGETHER):
            piece = level[start : start + _SCANNED_TOGETHER]
            yield piece, self._cas.many.scan(b"".join(piece))


class _Transfer:
    """One transfer; see `TreeReads.fetch`."""

    def __init__(
        self, reads: TreeReads, downloader: Downloader, cancellation: Cancellation, tally: Tally
    ) -> None:
        self._reads = reads
        self._downloader = downloader
        self._cancellation = cancellation
        self._tally = tally

    def fetch(self, roots: Sequence[Digest]) -> TreesRead | None:
        """See `TreeReads.fetch`."""
        result = TreesRead()
        level = list(map(encode_digest_field, roots))
        owners = dict(zip(level, roots, strict=True))  # of directories
        children: dict[Field, list[Field]] = {}
        counts: dict[Field, int] = {}
        files: dict[Field, int] = {}  # sizes in bytes
        executables: set[Field] = set()
        for _ in range(DEEPEST):
            absent: dict[Field, int] = {}
            for piece, scanned in self._reads.scan(level):
                if scanned is None or len(files) + len(children) > MOST_DISTINCT_ENTRIES:
                    return None
                children.update(zip(piece, scanned.children, strict=True))
                counts.update(zip(piece, scanned.counts, strict=True))
                self._note_files(piece, scanned, files, owners, result)
                executables.update(scanned.executables)
                absent.update(zip(scanned.absent, scanned.absent_sizes, strict=True))
            below: dict[Field, Digest] = {}
            for name in level:
                below.update((child, owners[name]) for child in children[name] if child not in owners)
            if max(absent.values(), default=0) > LARGEST_DIRECTORY_BYTES:
                return None
            for name, size_bytes in absent.items():
                if name in below:
                    result.add(below[name], 1, size_bytes)
            if not self._bring(absent, executable=False):
                return None
            if not below:
                break
            owners.update(below)
            level = list(below)
        else:
            return None
        check_extent(list(map(encode_digest_field, roots)), children, counts)
        programs = {name: files.pop(name) for name in executables}
        if not self._bring(files, executable=False) or not self._bring(programs, executable=True):
            return None
        return result

    def _note_files(
        self,
        piece: Sequence[Field],
        scanned: Scanned,
        files: dict[Field, int],
        owners: Mapping[Field, Digest],
        result: TreesRead,
    ) -> None:
        """Adds the files of the directories PIECE to FILES, and counts those that are new for their trees."""
        found = zip(scanned.files, scanned.sizes, strict=True)
        for name, count in zip(piece, scanned.new, strict=True):
            fresh = {file: size for file, size in islice(found, count) if file not in files}
            result.add(owners[name], len(fresh), sum(fresh.values()))
            files.update(fresh)

    def _bring(self, sizes: Mapping[Field, int], *, executable: bool) -> bool:
        """Makes blobs present, which are absent; False if not all could be had."""
        if not sizes:
            return True
        done = threading.Event()
        others = self._reads.claim(sizes, done)
        own = {name: size for name, size in sizes.items() if name not in others} if others else sizes
        is_read = False
        try:
            left = self._read(own, executable=executable)
            is_read = not left or not self._downloader.fetch_blobs(dict.fromkeys(left, executable))
        finally:
            if not is_read:
                self._reads.disclaim(own, done)
            done.set()
        for end in set(others.values()):
            while not end.wait(_LOOK_S):
                self._cancellation.check()
        again = self._reads.unread(others)
        if again:
            names = fields_of(b"".join(again))
            return is_read and not self._downloader.fetch_blobs({Digest(*name): executable for name in names})
        return is_read

    def _read(self, sizes: Mapping[Field, int], *, executable: bool) -> list[Digest]:
        """Reads blobs in batches; gives those that did not come, or are too large."""
        most_bytes = self._reads.largest_in_batch
        large = [name for name, size_bytes in sizes.items() if size_bytes > most_bytes]
        left = [Digest(*name) for name in fields_of(b"".join(large))]
        small = {name: sizes[name] for name in sizes.keys() - set(large)} if large else sizes
        self._tally.expect(sum(small.values()))

        def read(batch: Sequence[Field], size_bytes: int) -> None:
            failed = self._reads.read(batch, size_bytes, self._cancellation, executable=executable)
            left.extend(failed)
            missing_bytes = sum(digest.size for digest in failed)
            self._tally.expect(-missing_bytes)  # whoever gets them expects them again
            self._tally.add(size_bytes - missing_bytes, len(batch) - len(failed))

        parts = [
            lambda batch=batch, size_bytes=size_bytes: read(batch, size_bytes)
            for batch, size_bytes in field_batches(small, most_bytes)
        ]
        run_parts(parts, _WIDTH, self._cancellation)
        return left
