"""Trees that were seen to be complete, remembered from one command to the next.

To look whether 50,000 blobs are there takes most of the time of a command that has nothing to do.  So a file
tells which trees were complete, and what the directories of objects looked like then (`listings`).

Why a tree that is remembered is complete: all its objects were there when somebody looked.  What had been
there before he began to look is there still, as the change times of the directories tell, or their names
where those have changed.  What had not was added since.  His session had begun by then, and no clean-up
deletes what was added, or claimed, after the oldest session that still lasts began.  When it ends, the
directories are looked at once more: nothing that is there then must be gone when the next command begins.

What this does not tell: that an object was written to, or replaced.  Content is verified when it is used, as
always.  A bad object goes into quarantine then, so that its name is gone; this session, and the next, look
again.  If ever an object turns out to be missing where it is used, all that is remembered is deleted.
"""

import os
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from struct import unpack
from threading import Lock
from typing import NamedTuple, cast

from .._model.digest import Digest
from .listings import NAME_BYTES, Listing, list_names, read_times
from .statrecords import boot, read_values, write_values

_FORMAT = b"bst-complete-2\n"
_HASH_BYTES = 32
_MOST_TREES = 100_000  # that are remembered, in 36 bytes each
_MOST_NAMES = 2_000_000  # in 8 bytes each
# how many names can be read while one file of a tree is looked at
_NAMES_A_BLOB = 10
_CHEAP = 1_000  # names that are read in any case


class _Record(NamedTuple):
    """What was found out up to some moment."""

    listing: Listing
    trees: dict[bytes, int]  # by hash, those that are complete, and how many blobs each has


class CompleteTrees:
    """What is remembered about the trees of one store.  Safe to use from several threads.

    To read it costs a look at 256 directories.  They are listed only if that takes no longer than to look
    at the trees that were asked about: so a small project costs nothing that grows with a large store.

    Args:
        objects: The directory of the objects.
        records: Directory for the file.
        clock_ns: The time, in nanoseconds since the epoch.
    """

    def __init__(self, objects: str, records: str, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._objects = objects
        self._path = os.path.join(records, "complete-trees")
        self._clock_ns = clock_ns
        self._lock = Lock()
        self._base: Listing | None = None  # what was there before anybody looked
        self._trees: dict[bytes, int] = {}  # complete as long as all of that is there
        self._claimed: dict[bytes, int] = {}  # complete as long as this session lasts
        self._earlier: _Record | None = None  # of another command, if directories have changed since
        self._blob_count = 0  # of the trees that were asked about
        self._listing_cost = 0  # of all that has changed, in names
        self._has_news = False
        self._is_void = False

    def is_known(self, digest: Digest) -> bool:
        """Whether the tree was complete, and nothing of it has gone since."""
        name = _name_of(digest)
        with self._lock:
            if self._is_void or name is None:
                return False
            self._begin()
            if self._earlier is not None and name in self._earlier.trees:
                self._list_if_worthwhile(self._earlier.trees[name])
            if name not in self._trees:
                return False
            self._blob_count += self._trees[name]
            self._trees[name] = self._trees.pop(name)  # used last
            return True

    def note(self, digest: Digest, blob_count: int, *, is_claimed: bool = False) -> None:
        """Notes that all BLOB_COUNT blobs of the tree are there; or that they stay there for this session."""
        name = _name_of(digest)
        with self._lock:
            if self._is_void or name is None:
                return
            self._begin()
            (self._claimed if is_claimed else self._trees)[name] = blob_count
            self._has_news = True
            self._list_if_worthwhile(blob_count)
            self._blob_count += blob_count

    def forget(self) -> None:
        """Forgets all for this session: objects have been deleted, or turned out corrupt."""
        with self._lock:
            self._is_void = True
            self._trees, self._claimed, self._earlier = {}, {}, None

    def delete(self) -> None:
        """Forgets all for later commands too."""
        self.forget()
        with suppress(OSError):
            os.unlink(self._path)

    def save(self) -> None:
        """Remembers for later commands what was noted, if there is something new; no error if that fails.

        To be called before the session ends.
        """
        with self._lock:
            if self._base is not None and self._has_news and not self._is_void:
                self._has_news = False
                self._save(self._base)

    def _begin(self) -> None:
        """Finds out which trees are known, if none of the directories has changed."""
        if self._base is not None:
            return
        self._base = read_times(self._objects, self._clock_ns())
        record = _load(self._path)
        known = self._base if record is None else record.listing
        if record is not None and self._base.still_has(record.listing):
            self._base, self._trees = record
        elif record is not None and record.listing.has_names:
            self._earlier = record
        self._listing_cost = known.cost(self._objects, self._base.times)

    def _list_if_worthwhile(self, blob_count: int) -> None:
        """Lists the names that are there, if with BLOB_COUNT more it would take longer to look at blobs."""
        base, earlier = self._base, self._earlier
        assert base is not None, "it has begun"
        is_worthwhile = self._listing_cost <= _NAMES_A_BLOB * (self._blob_count + blob_count)
        if base.has_names or not is_worthwhile or self._listing_cost > _MOST_NAMES:
            return
        listing = list_names(self._objects, self._clock_ns(), base if earlier is None else earlier.listing)
        if not listing.still_has(base):
            self._trees.clear()
        if earlier is not None and listing.still_has(earlier.listing):
            self._trees = {**earlier.trees, **self._trees}
        self._base, self._earlier = listing, None
        self._has_news = True
        if not listing.has_names:  # not to be tried again
            self._listing_cost = _MOST_NAMES + 1

    def _save(self, base: Listing) -> None:
        listing = read_times(self._objects, self._clock_ns())
        if base.has_names:
            cost = base.cost(self._objects, listing.times)
            if cost > max(_NAMES_A_BLOB * self._blob_count, _CHEAP):
                return
            listing = list_names(self._objects, self._clock_ns(), base)
        if not listing.still_has(base):
            return
        trees = {**self._trees, **self._claimed}
        other = _load(self._path)  # perhaps another command has written it meanwhile
        if other is not None and listing.still_has(other.listing):
            listing = listing if listing.has_names else other.listing
            trees = {**other.trees, **trees}
        elif other is not None and other.listing.has_names and not listing.has_names:
            return  # its names are worth more than these few trees
        if trees:
            _write(self._path, _Record(listing, trees))


def _name_of(digest: Digest) -> bytes | None:
    """The hash in bytes; None if it is no hash."""
    return bytes.fromhex(digest.hash) if digest.is_well_formed() else None


def _load(path: str) -> _Record | None:
    """What was remembered; None if that can't be read, or is of another boot of the machine.

    For what may be lost when the machine crashes counts for one boot only.
    """
    values = read_values(path, _FORMAT)
    if not isinstance(values, tuple) or len(values) != 5 or values[0] != boot():
        return None
    times, names, hashes, counts = cast("tuple[bytes, tuple[bytes | None, ...], bytes, bytes]", values[1:])
    trees = dict(zip(unpack("32s" * (len(hashes) // _HASH_BYTES), hashes), array("I", counts), strict=True))
    return _Record(Listing(array("q", times), names, None not in names), trees)


def _write(path: str, record: _Record) -> None:
    listing, trees = record
    names = list(trees)[-_MOST_TREES:]
    counts = array("I", (min(trees[name], _MOST_NAMES) for name in names))
    is_small = sum(len(beginnings or b"") for beginnings in listing.names) <= NAME_BYTES * _MOST_NAMES
    beginnings = listing.names if is_small else Listing(listing.times).names
    values = (boot(), listing.times.tobytes(), beginnings, b"".join(names), counts.tobytes())
    write_values(path, _FORMAT, values)
