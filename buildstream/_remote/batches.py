"""Blobs put together into batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from .._model.digest import Digest
from .._store.blobtrees import Field

BATCH_BYTES = 1 << 20  # contents of one call: what an interruption can cost
BATCH_BLOBS = 2000  # in one call
OVERHEAD_BYTES = 100  # of each


def batches(digests: Iterable[Digest], limit_bytes: int) -> Iterator[list[Digest]]:
    """DIGESTS in the order they have, as lists of about a mebibyte; none is larger than a batch may be."""
    most_bytes = min(limit_bytes, BATCH_BYTES)
    batch: list[Digest] = []
    size_bytes = 0
    for digest in digests:
        cost_bytes = digest.size + OVERHEAD_BYTES
        if batch and (size_bytes + cost_bytes > most_bytes or len(batch) >= BATCH_BLOBS):
            yield batch
            batch, size_bytes = [], 0
        batch.append(digest)
        size_bytes += cost_bytes
    if batch:
        yield batch


def field_batches(sizes: Mapping[Field, int], limit_bytes: int) -> Iterator[tuple[list[Field], int]]:
    """As `batches`, for encoded digests with their sizes in bytes; beside each its size in bytes."""
    most_bytes = min(limit_bytes, BATCH_BYTES)
    batch: list[Field] = []
    cost_bytes = 0
    for name, size_bytes in sizes.items():
        cost_bytes += size_bytes + OVERHEAD_BYTES
        if batch and (cost_bytes > most_bytes or len(batch) >= BATCH_BLOBS):
            yield batch, cost_bytes - size_bytes - OVERHEAD_BYTES * (len(batch) + 1)
            batch, cost_bytes = [], size_bytes + OVERHEAD_BYTES
        batch.append(name)
    if batch:
        yield batch, cost_bytes - OVERHEAD_BYTES * len(batch)


def take_batch(queue: deque[Digest], limit_bytes: int, is_wanted: Callable[[Digest], bool]) -> list[Digest]:
    """The next batch, as those of `batches`, taken out of QUEUE with what is not wanted or comes twice."""
    most_bytes = min(limit_bytes, BATCH_BYTES)
    batch: dict[Digest, None] = {}
    size_bytes = 0
    while queue:
        digest = queue[0]
        if is_wanted(digest) and digest not in batch:
            size_bytes += digest.size + OVERHEAD_BYTES
            if batch and (size_bytes > most_bytes or len(batch) >= BATCH_BLOBS):
                break
            batch[digest] = None
        queue.popleft()
    return list(batch)


def is_streamed(digest: Digest, largest_in_batch: int) -> bool:
    """Whether a blob is transferred as a stream, which can be resumed, and not in a batch."""
    return digest.size > min(largest_in_batch, BATCH_BYTES)
