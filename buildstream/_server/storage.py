"""The blobs of the server: present, used, added, within the quota."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition
from typing import cast

from grpc import StatusCode

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.tree import encode_digest_field
from .._store.cas import Cas
from .._store.objectuse import ObjectUse
from .errors import CallError
from .log import Log
from .metrics import Metrics
from .space import Space, disk_size

_WAIT_FOR_SPACE_S = 60.0
_BLOBS_OF_A_TREE = 64  # as how many blobs a tree counts
_MOST_BYTES = 7 << 20  # contents of a response that is made by another process
_BATCH = 256  # deletions between which others get their turn


class Storage:
    """The content store as the server uses it; safe to use from any thread.

    A blob that is asked for counts as used.  Clean-up deletes what was not
    used for longest, in a thread that `expire` is called by.

    Args:
        cas: The store.
        space: How much there may be.
        metrics: Counts what is found damaged and what is deleted.
        log: Told of the same.
        clock: Nanoseconds since the epoch.
        fresh_ns: How exact times of use are: a later use within this time is not noted.
    """

    def __init__(
        self,
        cas: Cas,
        space: Space,
        metrics: Metrics,
        log: Log,
        clock: Callable[[], int],
        *,
        fresh_ns: int,
    ) -> None:
        self.cas = cas
        self._space = space
        self._metrics = metrics
        self._log = log
        self.clock = clock
        self._fresh_ns = fresh_ns
        self._changed = Condition()  # guards the following
        self._used_bytes = 0  # by objects, and by what is announced
        self._generation = 0  # grows when blobs go
        self._clean_ups = 0  # that were done
        self._is_wanted = False  # whether a clean-up should begin
        self._is_closed = False
        self.count_objects()

    # --- Presence

    @property
    def generation(self) -> int:
        """A number that is another one after blobs were deleted or found damaged."""
        return self._generation

    @property
    def used_bytes(self) -> int:
        """Disk space that blobs take, and those that are being uploaded."""
        return self._used_bytes

    @property
    def limit_bytes(self) -> int:
        """Disk space that blobs may take at the moment."""
        return self._space.limit_bytes(self._used_bytes)

    def use(self, digest: Digest) -> bool:
        """Whether the blob is there; from now on it was used last.

        Raises:
            CASError: The disk fails.
        """
        self.cas.note_uses_since(self.clock() - self._fresh_ns)
        return self.cas.claim(digest)

    # --- Reading

    def read(self, digest: Digest) -> bytes:
        """The content of a blob, verified.

        Raises:
            CASError: It is missing or was found to be damaged.
        """
        self.use(digest)
        try:
            return self.cas.read_bytes(digest)
        except CASError as error:
            self._note_damage(digest, error)
            raise

    def open(self, digest: Digest) -> tuple[int, bool]:
        """A descriptor for reading a blob, and whether it is known to be right: else the reader hashes it.

        Raises:
            CASError: It is missing or was found to be damaged.
        """
        self.use(digest)
        return self.cas.open(digest)

    def open_verified(self, digest: Digest) -> int:
        """A descriptor for reading a blob that is right.

        Raises:
            CASError: It is missing or was found to be damaged.
        """
        self.use(digest)
        try:
            return os.open(self.cas.object_path(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except CASError as error:
            self._note_damage(digest, error)
            raise
        except FileNotFoundError:
            raise CASError(f"Blob {digest} was deleted", reason="missing-blob") from None

    def put_away(self, digest: Digest) -> None:
        """To be called when a blob turned out to be damaged; a look at the disk decides."""
        if not self.cas.recheck(digest):
            self._note_damage(digest, None)

    def _note_damage(self, digest: Digest, error: CASError | None) -> None:
        if error is not None and error.reason != "corrupt-blob":
            return
        with self._changed:
            self._generation += 1
        self._metrics.add("corrupt_blobs_total")
        self._log(f"error: Blob {digest} is damaged and was moved into '{self.cas.quarantine_directory}'")

    # --- Adding

    def add(self, digest: Digest, data: bytes) -> None:
        """Stores a small blob, unless it is there.

        Raises:
            CallError: The cache is full.
            CASError: DATA is something else, or can't be written.
        """
        if self.use(digest):
            return
        with self.announced(digest.size) as keep:
            self.cas.insert(digest, data)
            keep()
        self.use(digest)

    # --- Many at once, in other processes: see `ManyBlobs` of the store

    def find_all(self, message: bytes, count: int, instances: Iterable[str]) -> bytes | None:
        """The response to a FindMissingBlobsRequest for COUNT blobs; None if it has to be made here."""
        answer = self._serve("find", message, count, instances)
        return None if answer is None else answer[1]

    def read_all(self, message: bytes, count: int, instances: Iterable[str]) -> tuple[bytes, int] | None:
        """The response to a BatchReadBlobsRequest, and the size of contents; None as for `find_all`."""
        answer = self._serve("give", message, count, instances)
        return None if answer is None else (answer[1], cast("int", answer[0]))

    def add_all(self, message: bytes, count: int, instances: Iterable[str]) -> tuple[bytes, int] | None:
        """Stores the blobs of a BatchUpdateBlobsRequest.

        Gives the response and the size of contents; None if it has to be made here, whatever was stored.
        """
        # more than they take: what is too much is given back
        announced_bytes = len(message) + count * disk_size(1)
        try:
            self.take_space(announced_bytes)
        except CallError:
            return None  # perhaps there is room for what they really take
        made_bytes = 0
        try:
            answer = self._serve("take", message, count, instances)
            if answer is None:
                return None
            sizes, received_bytes, is_answered = cast("tuple[list[int], int, bool]", answer[0])
            made_bytes = sum(map(disk_size, sizes))
            return (answer[1], received_bytes) if is_answered else None
        finally:
            self._settle(disk_size(announced_bytes) - made_bytes)

    def use_trees(self, trees: Sequence[Digest]) -> bool:
        """Whether TREES are complete, as `use`; False may also be that it has to be found out here."""
        encoded = b"".join(map(encode_digest_field, trees))
        return self._serve("check", encoded, _BLOBS_OF_A_TREE * len(trees), ()) is not None

    def _serve(
        self, kind: str, message: bytes, count: int, instances: Iterable[str]
    ) -> tuple[object, bytes] | None:
        self.cas.note_uses_since(self.clock() - self._fresh_ns)
        return self.cas.many.serve(kind, message, count, instances=instances, most_bytes=_MOST_BYTES)

    def publish(self, descriptor: int, path: str, digest: Digest) -> None:
        """Makes a file that was written and hashed the blob DIGEST, for which space was taken.

        Raises:
            CASError: It can't be done.
        """
        is_known = self.use(digest)
        self.cas.publish_file(descriptor, path, digest)
        self.use(digest)
        if is_known:
            self.give_back(digest.size)

    @contextmanager
    def announced(self, size_bytes: int) -> Iterator[Callable[[], None]]:
        """Takes space for a blob; it is given back after the body, which calls what it gets to keep it.

        Raises:
            CallError: There is none.
        """
        self.take_space(size_bytes)
        kept = False

        def keep() -> None:
            nonlocal kept
            kept = True

        try:
            yield keep
        finally:
            if not kept:
                self.give_back(size_bytes)

    def take_space(self, size_bytes: int) -> None:
        """Takes space for a blob, if need be after waiting for a clean-up.

        Raises:
            CallError: There is none, even after a clean-up.
        """
        size = disk_size(size_bytes)
        with self._changed:
            for _ in range(3):
                limit = self._space.limit_bytes(self._used_bytes)
                if self._used_bytes + size <= limit:
                    self._used_bytes += size
                    if self._used_bytes > self._space.threshold_bytes(limit):
                        self._is_wanted = True
                        self._changed.notify_all()
                    return
                if size > limit or self._is_closed:
                    break
                self._is_wanted = True
                self._changed.notify_all()
                before = self._clean_ups
                if not self._changed.wait_for(
                    lambda before=before: self._clean_ups != before or self._is_closed,  # type: ignore[misc]
                    _WAIT_FOR_SPACE_S,
                ):
                    break
        raise CallError(StatusCode.RESOURCE_EXHAUSTED, f"The cache is full: {size_bytes} bytes do not fit in")

    def give_back(self, size_bytes: int) -> None:
        """Undoes `take_space`."""
        self._settle(disk_size(size_bytes))

    def _settle(self, left_bytes: int) -> None:
        """Gives back LEFT_BYTES of disk space."""
        with self._changed:
            self._used_bytes -= left_bytes
            self._changed.notify_all()

    def flush(self) -> None:
        """Makes what was added durable, before a record is written that refers to it."""
        self.cas.flush()

    # --- Clean-up

    def count_objects(self) -> None:
        """Finds out how much space the objects take; costs a system call for each."""
        self._used_bytes = sum(disk_size(use.size_bytes) for use in self.cas.uses())

    def wait_until_wanted(self, timeout_s: float) -> bool:
        """Waits until a clean-up is called for, or TIMEOUT_S; False when it is not, or not any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_wanted or self._is_closed, timeout_s)
            return self._is_wanted and not self._is_closed

    def expire(self) -> int:
        """Deletes what was not used for longest, until the low watermark is reached.

        What was used just now stays: its use may not have been noted.

        Returns:
            The time of the last use of the last that was deleted; 0 if nothing was.

        Raises:
            CASError: The disk fails.
        """
        gone: list[ObjectUse] = []
        freed = 0
        try:
            fresh_since_ns = self.clock() - self._fresh_ns
            uses = sorted(self.cas.uses())
            present = sum(disk_size(use.size_bytes) for use in uses)
            with self._changed:
                target = self._space.low_bytes(self._space.limit_bytes(self._used_bytes))
                excess = max(present, self._used_bytes) - target
            victims = _oldest(uses, excess, fresh_since_ns)
            for start in range(0, len(victims), _BATCH):
                removed = self.cas.remove_unused(victims[start : start + _BATCH])
                size = sum(disk_size(use.size_bytes) for use in removed)
                gone += removed
                freed += size
                with self._changed:
                    self._generation += 1
                    self._used_bytes -= size
        finally:
            with self._changed:
                self._is_wanted = False
                self._clean_ups += 1
                self._changed.notify_all()
        self._metrics.add("expired_blobs_total", len(gone))
        self._metrics.add("expired_bytes_total", freed)
        self._log(
            f"Clean-up deleted {len(gone)} blobs of {freed} bytes; "
            f"{self._used_bytes} of {self.limit_bytes} bytes are used"
        )
        return gone[-1].used_ns if gone else 0

    def close(self) -> None:
        """Wakes up all that wait for space."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _oldest(uses: Sequence[ObjectUse], size_bytes: int, fresh_since_ns: int) -> list[ObjectUse]:
    """The first of USES, which are sorted, that take SIZE_BYTES together; none that are fresh."""
    chosen: list[ObjectUse] = []
    for use in uses:
        if size_bytes <= 0 or use.used_ns >= fresh_since_ns:
            break
        size_bytes -= disk_size(use.size_bytes)
        chosen.append(use)
    return chosen
