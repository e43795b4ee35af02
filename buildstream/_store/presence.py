"""Which of many blobs are absent, without a look at the disk for each."""

import os
from collections.abc import Callable, Iterable

from .._model.digest import EMPTY_DIGEST, Digest

# A directory of objects is listed once somebody has asked for as many of its objects as to list it costs:
# some 5 microseconds are saved for each, and an entry costs 0.3; it takes 20 bytes and more.
_ASKED_AT_LEAST = 8
_BYTES_PER_QUESTION = 400


class AbsenceIndex:
    """Tells what is surely absent, by directories of objects that were listed.

    What another process has stored since counts as absent: to fetch it again does no harm.  Safe to use from
    several threads.

    Args:
        objects: Path of the directory of objects.
        contains: Looks at the disk; asked for everything that is not surely absent.
        stored: Which of some blobs this process has stored, or seen.
    """

    def __init__(
        self,
        objects: str,
        contains: Callable[[Digest], bool],
        stored: Callable[[Iterable[Digest]], set[Digest]],
    ) -> None:
        self._objects = objects
        self._contains = contains
        self._stored = stored
        self._asked: dict[str, int] = {}  # questions for directories that are not listed
        self._listed: dict[str, frozenset[str]] = {}  # the objects of directories, without `.x`

    def absent(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of DIGESTS that are not in the store, or came into it by another process lately."""
        asked = [digest for digest in digests if digest != EMPTY_DIGEST]
        unlisted: list[Digest] = []
        listed = self._listed
        for digest in asked:
            name = digest.hash
            names = listed.get(name[:2])
            if names is None:
                names = self._list(name[:2])
            if names is not None and name[2:] not in names:
                unlisted.append(digest)
        absent = set(unlisted) - self._stored(unlisted)
        return [digest for digest in asked if digest in absent or not self._contains(digest)]

    def are_listed(self, digests: Iterable[Digest]) -> bool:
        """Whether there are objects by these names, whatever their content may be."""
        unlisted: list[Digest] = []
        listed = self._listed
        for digest in digests:
            name = digest.hash
            names = listed.get(name[:2])
            if names is None:
                names = self._list(name[:2])
            if names is None:
                if not self._contains(digest):
                    return False
            elif name[2:] not in names and digest != EMPTY_DIGEST:
                unlisted.append(digest)
        return self._stored(unlisted).issuperset(unlisted)

    def _list(self, prefix: str) -> frozenset[str] | None:
        """The objects of a directory; None as long as it is not worth listing it."""
        asked = self._asked.get(prefix, 0) + 1  # more or less: others may ask at the same time
        self._asked[prefix] = asked
        if asked <= _ASKED_AT_LEAST:
            return None
        directory = f"{self._objects}/{prefix}"
        try:
            if asked * _BYTES_PER_QUESTION < os.stat(directory).st_size:
                return None
            names = frozenset(name.removesuffix(".x") for name in os.listdir(directory))
        except OSError:
            names = frozenset()
        self._listed[prefix] = names
        return names

    def forget(self) -> None:
        """Lists directories anew, after blobs were stored or deleted that nobody remembers."""
        self._asked, self._listed = {}, {}
