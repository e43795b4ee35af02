"""Blobs put together into batches."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

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
    names = list(sizes)
    costs_bytes = list(accumulate(map(OVERHEAD_BYTES.__add__, sizes.values()), initial=0))  # of all before
    start = 0
    while start < len(names):
        fitting = bisect_right(costs_bytes, costs_bytes[start] + most_bytes) - 1
        end = min(max(fitting, start + 1), start + BATCH_BLOBS)
        yield names[start:end], costs_bytes[end] - costs_bytes[start] - OVERHEAD_BYTES * (end - start)
        start = end


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
