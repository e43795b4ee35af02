"""What other processes do for a store: whole trees and large messages, no step for each blob here."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from .._model.digest import Digest
from .._model.tree import encode_digest_field
from .directories import DirectoryStore
from .objects import ObjectStore
from .sessions import StoreLock

if TYPE_CHECKING:
    from .blobtrees import Field, Scanned

_BLOBS_OF_A_TREE = 16  # as how many blobs a tree counts before anybody has looked into it
_WALKED_TOGETHER = 8  # trees
_WALKERS = 4  # threads that wait for processes
_MOST_WALKED = 500_000  # blobs that are kept in mind


class ManyBlobs:
    """A store, as transfers of many blobs use it; see `blobtrees`, which tells what encoded digests are.

    Safe to use from several threads.

    Args:
        objects: The blobs.
        trees: Told which trees are complete.
        lock: Under which blobs are deleted.
    """

    def __init__(self, objects: ObjectStore, trees: DirectoryStore, lock: StoreLock) -> None:
        self._objects = objects
        self._trees = trees
        self._lock = lock
        self._walked: dict[Field, list[Field]] = {}  # see `walk_ahead`
        self._walked_count = 0

    def works_beside(self, count: int) -> bool:
        """Whether other processes do what is to be done with COUNT more blobs."""
        workers = self._objects.blob_workers
        return workers is not None and not self._objects.has_seen_corruption and workers.are_worthwhile(count)

    def prepare(self, count: int) -> None:
        """Starts the processes, if COUNT more blobs are worth it, as they are going to be needed."""
        workers = self._objects.blob_workers
        if workers is not None and self.works_beside(count):
            workers.start()

    def scan(self, directories: bytes) -> "Scanned | None":
        """What the directories, encoded digests, hold that is not in the store; None if it can't be told."""
        workers = self._objects.blob_workers
        return None if workers is None else workers.scan(directories)

    def walk(self, roots: bytes, optional: bytes) -> "list[Field] | None":
        """The encoded digests of what is in trees; None if it can't be told.

        Of the trees OPTIONAL only those that are complete.
        """
        walked = None if optional else self._walked.pop(roots, None)
        if walked is not None:
            self._walked_count -= len(walked)
            return walked
        workers = self._objects.blob_workers
        return None if workers is None else workers.walk(roots, optional)

    def walk_ahead(self, roots: Sequence[Digest]) -> None:
        """Finds out at once what `Cas.contains_tree` and `walk` are soon to be asked about many trees.

        Looks at the names of files alone, as after `Cas.verify_on_use`.
        """
        from concurrent.futures import ThreadPoolExecutor

        workers = self._objects.blob_workers
        if workers is None or not self.works_beside(_BLOBS_OF_A_TREE * len(roots)):
            return
        encoded = [encode_digest_field(root) for root in dict.fromkeys(roots)]
        pieces = [
            encoded[start : start + _WALKED_TOGETHER] for start in range(0, len(encoded), _WALKED_TOGETHER)
        ]
        threads = ThreadPoolExecutor(_WALKERS)
        try:
            for piece, trees in zip(pieces, threads.map(workers.whole, map(b"".join, pieces)), strict=True):
                for root, tree in zip(piece, trees or (), strict=False):
                    if tree is not None and root not in self._walked and self._walked_count < _MOST_WALKED:
                        self._walked[root] = tree
                        self._walked_count += len(tree)
                        self._trees.note_names(root)
        finally:
            threads.shutdown(cancel_futures=True)  # after an interrupt not all that is left is waited for

    def walked(self) -> "Iterator[Field]":
        """The encoded digests of what `walk_ahead` has found, and nobody has asked for yet."""
        for fields in list(self._walked.values()):
            yield from fields

    def keep(
        self, message: bytes, wanted: bytes, size_bytes: int, count: int, *, executable: bool
    ) -> list[Digest] | None:
        """As `Cas.store_batch`; WANTED are COUNT encoded digests, of SIZE_BYTES together.

        Gives those that were not stored, for whatever reason; None if it is not known of any.

        Raises:
            CASError: `cache-too-full`.
        """
        return self._objects.keep(message, wanted, size_bytes, count, executable=executable)

    def send(
        self, prefix: bytes, wanted: bytes, *, compresses: bool
    ) -> tuple[bytes, bytes, list[Digest]] | None:
        """As `Cas.load_batch`; WANTED are encoded digests. The second is what a server answers to it."""
        workers = self._objects.blob_workers
        return None if workers is None else workers.send(prefix, wanted, compresses=compresses)

    def serve(
        self, kind: str, message: bytes, count: int, *, instances: Iterable[str], most_bytes: int
    ) -> tuple[object, bytes] | None:
        """What another process answers to a request that a server got; see `blobserving`.

        Args:
            kind: What is asked: find, take or give.
            message: The encoded request.
            count: Of the blobs in it, more or less.
            instances: The names of the server.
            most_bytes: Contents of a blob, and of a response.

        Returns:
            What it tells, and the response; None if it is not that plain, or failed, or there are no other
            processes.
        """
        from .blobserving import Terms

        names = [name.encode() for name in instances]
        terms = Terms(names, self._objects.protected_since_ns, self._lock.path, most_bytes)
        return self._objects.serve(kind, message, terms, count)
