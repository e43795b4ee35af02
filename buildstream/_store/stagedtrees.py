"""Directories that whole trees were imported into, kept for stagings that begin with the same trees.

Elements stage their dependencies in one canonical order, so that an element often begins
with all that another one has staged: each element of a chain with what its predecessor had.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from .._dataclass import dataclass
from .._model.digest import Digest
from .frozen import FrozenDirectory

_KEPT_AT_MOST = 8
_SHORTEST = 4  # fewer trees are imported as fast as they are found


@dataclass(frozen=True, slots=True)
class StagedTrees:
    """What an empty directory became by importing whole trees, of which none had a file of another."""

    imported: tuple[Digest, ...]  # in the order of the imports
    layers: tuple[Digest, ...]  # bottom to top
    content: FrozenDirectory


class StagedTreesCache:
    """The directories that were staged last.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, StagedTrees] = OrderedDict()  # by `_running_hashes`, oldest use first

    def longest(self, digests: Sequence[Digest]) -> StagedTrees | None:
        """What is known of the longest part of DIGESTS, from their beginning.  O(digests)."""
        hashes = [value for value in _running_hashes(digests) if value in self._kept]
        for value in reversed(hashes):
            with self._lock:
                found = self._kept.get(value)
                if found is not None and found.imported == tuple(digests[: len(found.imported)]):
                    self._kept.move_to_end(value)
                    return found
        return None

    def keep(self, staged: StagedTrees) -> None:
        """Remembers STAGED, in place of what was not used for longest."""
        if len(staged.imported) < _SHORTEST:
            return
        *_, value = _running_hashes(staged.imported)
        with self._lock:
            self._kept[value] = staged
            self._kept.move_to_end(value)
            if len(self._kept) > _KEPT_AT_MOST:
                self._kept.popitem(last=False)


def _running_hashes(digests: Sequence[Digest]) -> Iterator[int]:
    """A number for each part of DIGESTS that begins with the first, shortest first."""
    value = 0
    for digest in digests:
        value = hash((value, digest.hash))
        yield value
