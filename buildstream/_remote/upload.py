"""From the store to a storage server: only what the server lacks, found out with one question a transfer."""

import os
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import encode_digest_field, tree_digests
from .._store.blobtrees import Field, fields_of, sizes_of
from .._store.cas import Cas
from .batches import BATCH_BYTES, batches, field_batches, is_streamed
from .cas import CasClient
from .errors import RemoteError
from .parallel import run_parts
from .retry import Cancellation
from .streams import DamagedError
from .tally import Tally

_WIDTH = 4  # calls at a time in one transfer
# what servers say of content that has another digest, and of other things
_MAY_BE_THE_CONTENT = (
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
    "DATA_LOSS",
    "INTERNAL",
    "UNKNOWN",
    "ABORTED",
)


class Uploader:
    """One transfer into a storage server.

    Args:
        client: The server.
        cas: The store.
        cancellation: Ends the transfer from another thread.
        tally: Counts what goes.
        suspects: Blobs that the server has, but gave wrong: they are uploaded again.
    """

    def __init__(
        self,
        client: CasClient,
        cas: Cas,
        cancellation: Cancellation,
        tally: Tally,
        suspects: Collection[Digest] = (),
    ) -> None:
        self._client = client
        self._cas = cas
        self._cancellation = cancellation
        self._tally = tally
        self._suspects = suspects

    def push(self, digests: Iterable[Digest]) -> list[Digest]:
        """Uploads those of the blobs DIGESTS that the server lacks, and gives which these were.

        Each is verified before it leaves.

        Raises:
            RemoteError: The server does not take them.
            CASError: A blob is missing or corrupt in the store.
        """
        asked = [digest for digest in dict.fromkeys(digests) if digest != EMPTY_DIGEST]
        missing = self._client.find_missing(asked, self._cancellation)
        if self._suspects:
            missing.update(digest for digest in asked if digest in self._suspects)
        wanted = [digest for digest in asked if digest in missing]
        self._tally.expect(sum(digest.size for digest in wanted))
        limit = self._client.largest_in_batch
        large = [digest for digest in wanted if is_streamed(digest, limit)]
        small = [digest for digest in wanted if not is_streamed(digest, limit)]
        parts = [lambda digest=digest: self._stream(digest) for digest in large]
        parts += [lambda batch=batch: self._batch(batch) for batch in batches(small, limit)]
        run_parts(parts, _WIDTH, self._cancellation)
        self._client.ahead.note_given(map(encode_digest_field, wanted))
        return wanted

    def push_fields(self, asked: Sequence[Field]) -> int:
        """As `push`, for different encoded digests, which stay as they are; gives how many were missing.

        Little is done here for each: see `blobtrees` of the store.
        """
        wanted = self._client.find_missing_fields(asked, self._cancellation)
        if self._suspects:
            also = set(map(encode_digest_field, self._suspects)).difference(wanted)
            wanted += [field for field in asked if field in also]
        limit = self._client.largest_in_batch
        sizes = dict(zip(wanted, sizes_of(wanted), strict=True))
        self._tally.expect(sum(sizes.values()))
        large: list[Digest] = []
        if max(sizes.values(), default=0) > min(BATCH_BYTES, limit):
            fields = [field for field, size_bytes in sizes.items() if size_bytes > min(BATCH_BYTES, limit)]
            large = [Digest(*name) for name in fields_of(b"".join(fields))]
            for field in fields:
                del sizes[field]
        parts = [partial(self._stream, digest) for digest in large]
        parts += [partial(self._batch_of_fields, *batch) for batch in field_batches(sizes, limit)]
        run_parts(parts, _WIDTH, self._cancellation)
        self._client.ahead.note_given(wanted)
        return len(wanted)

    def _batch_of_fields(self, batch: Sequence[Field], size_bytes: int) -> None:
        encoded = b"".join(batch)
        loaded = self._cas.many.send(self._client.prefix, encoded, compresses=self._client.compresses)
        if loaded is None or loaded[2]:
            self._batch([Digest(*name) for name in fields_of(encoded)])
            return
        message, expected, _ = loaded
        self._client.write_message(message, lambda: _digests_of(encoded), self._cancellation, expected)
        self._tally.add(size_bytes, len(batch))

    def _batch(self, batch: Sequence[Digest]) -> None:
        compresses = self._client.compresses
        loaded = self._cas.load_batch(self._client.prefix, batch, compresses=compresses)
        rest = batch
        if loaded is not None:
            message, rest = loaded  # what it left out is read here: it is healed, or an error
            left = set(rest)
            sent = [digest for digest in batch if digest not in left]
            if sent:
                self._client.write_message(message, lambda: sent, self._cancellation)
        if rest:
            blobs = [(digest, self._cas.read_bytes(digest)) for digest in rest]
            self._client.write_batch(blobs, self._cancellation)
        self._tally.add(sum(digest.size for digest in batch), len(batch))

    def _stream(self, digest: Digest) -> None:
        descriptor, is_known = self._cas.open(digest)
        try:
            self._send(digest, descriptor, is_known=is_known)
        except DamagedError:
            self._send_intact(digest)
        except RemoteError as error:
            # the file has not been read here: perhaps it is that which the server does not like
            if not is_known or error.status not in _MAY_BE_THE_CONTENT or self._cas.recheck(digest):
                raise
            self._send_intact(digest)
        self._tally.add(0, 1)

    def _send_intact(self, digest: Digest) -> None:
        """As `_send`; finds out that a file is damaged and puts it aside: it is healed, or an error."""
        path = self._cas.object_path(digest)
        self._send(digest, os.open(path, os.O_RDONLY | os.O_CLOEXEC), is_known=True)

    def _send(self, digest: Digest, descriptor: int, *, is_known: bool) -> None:
        write = self._client.streams.write
        try:
            write(digest, descriptor, self._cancellation, self._tally.add, is_known=is_known)
        finally:
            os.close(descriptor)


def _digests_of(encoded: bytes) -> list[Digest]:
    return [Digest(*name) for name in fields_of(encoded)]


def tree_blobs(cas: Cas, root: Digest) -> list[Digest]:
    """Digests of all directories and files of a tree in the store, each once.

    Raises:
        CASError: A directory is missing or corrupt.
    """
    return list(tree_digests(root, cas.read_directory))
