"""Whether all that belongs to an asset or to the result of an action is there."""

from collections.abc import Hashable, Iterable
from threading import Lock

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.directorybytes import TreeDecodeError
from .._model.tree import decode_directory
from .storage import Storage

_REMEMBERED = 100_000


class Completeness:
    """Checks that blobs and trees are complete, which counts as a use of all their blobs.

    Args:
        storage: The blobs.
        valid_ns: How long what was found complete is taken to be so, unless
            blobs were deleted or found damaged since.
    """

    def __init__(self, storage: Storage, valid_ns: int) -> None:
        self._storage = storage
        self._valid_ns = valid_ns
        self._lock = Lock()
        self._seen: dict[Hashable, tuple[int, int]] = {}  # generation and time

    def missing(self, name: Hashable, blobs: Iterable[Digest], trees: Iterable[Digest]) -> Digest | None:
        """Something that is missing of BLOBS and TREES, which NAME stands for; None if they are complete.

        Costs two system calls for each blob and file, nothing if it was checked before.

        Raises:
            CASError: The disk fails.
        """
        generation, now_ns = self._storage.generation, self._storage.clock()
        with self._lock:
            seen = self._seen.get(name)
        if seen is not None and seen[0] == generation and now_ns - seen[1] < self._valid_ns:
            return None
        for blob in blobs:
            if not self._storage.use(blob):
                return blob
        roots = list(trees)
        if not self._storage.use_trees(roots):
            visited: set[Digest] = set()  # directories that several trees have
            for root in roots:
                missing = self._missing_of_tree(root, visited)
                if missing is not None:
                    return missing
        with self._lock:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[name] = (generation, now_ns)
        return None

    def forget(self, name: Hashable) -> None:
        """To be called when NAME stands for something else."""
        with self._lock:
            self._seen.pop(name, None)

    def missing_of_tree(self, root: Digest) -> Digest | None:
        """Something that is missing of a tree, or a directory that is none; None if it is complete."""
        return None if self._storage.use_trees([root]) else self._missing_of_tree(root, set())

    def _missing_of_tree(self, root: Digest, visited: set[Digest]) -> Digest | None:
        waiting = [root]
        while waiting:
            current = waiting.pop()
            if current in visited:
                continue
            visited.add(current)
            try:
                directory = decode_directory(self._storage.read(current))
            except TreeDecodeError:
                return current
            except CASError as error:
                if error.reason not in ("missing-blob", "corrupt-blob"):
                    raise
                return current
            for file in directory.files:
                if not self._storage.use(file.digest):
                    return file.digest
            waiting.extend(entry.digest for entry in directory.directories)
        return None
