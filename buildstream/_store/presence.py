"""Which of many blobs are absent, without a look at the disk for each."""

import os
import threading
from collections.abc import Callable, Iterable

from .._model.digest import EMPTY_DIGEST, Digest
from .layout import StoreLayout

# A directory of objects is listed once somebody has asked for as many of its objects as to list it costs:
# some 5 microseconds are saved for each, and an entry costs 0.3; it takes 20 bytes and more.
_ASKED_AT_LEAST = 8
_BYTES_PER_QUESTION = 400


class _Prefix:
    """What is known of one directory of objects."""

    __slots__ = ("asked", "names")

    def __init__(self) -> None:
        self.asked = 0
        self.names: frozenset[str] | None = None


class AbsenceIndex:
    """Tells what is surely absent, by directories of objects that were listed.

    What another process has stored since counts as absent: to fetch it again does no harm.  Safe to use from
    several threads.

    Args:
        layout: Where objects are.
        contains: Looks at the disk; asked for everything that is not surely absent.
        was_stored: Whether this process has stored the blob, or seen it.
    """

    def __init__(
        self, layout: StoreLayout, contains: Callable[[Digest], bool], was_stored: Callable[[Digest], bool]
    ) -> None:
        self._layout = layout
        self._contains = contains
        self._was_stored = was_stored
        self._lock = threading.Lock()
        self._prefixes: dict[str, _Prefix] = {}

    def absent(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS that are not in the store, or came into it by another process lately."""
        found: list[Digest] = []
        for digest in digests:
            if digest == EMPTY_DIGEST:
                continue
            names = self._names(digest.hash[:2])
            is_listed = names is None or digest.hash[2:] in names or self._was_stored(digest)
            if not is_listed or not self._contains(digest):
                found.append(digest)
        return found

    def _names(self, prefix: str) -> frozenset[str] | None:
        """The objects of a directory, without `.x`; None as long as it is not worth listing it."""
        known = self._prefixes.get(prefix)
        if known is None:
            with self._lock:
                known = self._prefixes.setdefault(prefix, _Prefix())
        known.asked += 1
        if known.names is None and known.asked > _ASKED_AT_LEAST:
            directory = f"{self._layout.objects}/{prefix}"
            try:
                if known.asked * _BYTES_PER_QUESTION >= os.stat(directory).st_size:
                    known.names = frozenset(name.removesuffix(".x") for name in os.listdir(directory))
            except OSError:
                known.names = frozenset()
        return known.names

    def forget(self) -> None:
        """Lists directories anew, after blobs were stored or deleted that nobody remembers."""
        with self._lock:
            self._prefixes.clear()
