"""From a storage server into the store: blobs, and trees with all that is below them.

Every blob is hashed before it gets its name in the store.  What has arrived
stays there, so that a transfer that was broken off continues where it was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from .._exceptions import CASError
from .._model.digest import Digest
from .._store.cas import Cas
from .batches import is_streamed
from .cas import CasClient
from .errors import Failure, RemoteError
from .parallel import run_parts
from .retry import Cancellation
from .sharedreads import Lacking, SharedReads
from .tally import Tally

_WIDTH = 4  # streams at a time in one transfer
LARGEST_DIRECTORY_BYTES = 32 << 20  # encoded; some 300,000 entries
_LARGEST_MESSAGE_BYTES = 16 << 20  # of what is read whole, such as the message of an artifact
_MOST_ENTRIES = 50_000_000  # of a tree, each place where it shows counted
MOST_DISTINCT_ENTRIES = 5_000_000  # of all trees of a transfer
DEEPEST = 1000  # directories inside each other

_Name = TypeVar("_Name", Digest, bytes)  # by which trees are known


class Downloader:
    """One transfer out of a storage server.

    Args:
        client: The server.
        cas: The store.
        cancellation: Ends the transfer from another thread.
        tally: Counts what comes.
        reads: What other transfers between the two use too, if there are others.
    """

    def __init__(
        self,
        client: CasClient,
        cas: Cas,
        cancellation: Cancellation,
        tally: Tally,
        reads: SharedReads | None = None,
    ) -> None:
        self._client = client
        self._cas = cas
        self._reads = reads or SharedReads(client, cas)
        self._cancellation = cancellation
        self._tally = tally
        self.fetched: set[Digest] = set()  # blobs that were not here before

    def note_fetched(self, size_bytes: int, blobs: int) -> None:
        """Counts blobs that were fetched by another transfer for this one."""
        self._tally.expect(size_bytes)
        self._tally.add(size_bytes, blobs)
        self._cas.note_stored(size_bytes)

    def fetch_messages(self, digests: Iterable[Digest]) -> None:
        """Has many messages at hand for `fetch_message`, as far as the server gives them.

        Raises:
            RemoteError: The server fails.
        """
        self.fetch_blobs({digest: False for digest in digests if digest.size <= _LARGEST_MESSAGE_BYTES})

    def fetch_message(self, digest: Digest) -> bytes | None:
        """The content of one small blob, verified and in the store afterwards; None if the server lacks it.

        Raises:
            RemoteError: The server fails, or DIGEST is too large for a message.
        """
        if digest.size > _LARGEST_MESSAGE_BYTES:
            raise RemoteError(f"Blob {digest} is too large for what it should be", Failure.CORRUPT)
        if not self._cas.contains(digest):
            lacking = self.fetch_blobs({digest: False})
            if lacking.corrupt:
                raise RemoteError(f"What came for blob {digest} is something else", Failure.CORRUPT)
            if lacking:
                return None
        return self._cas.read_bytes(digest)

    def fetch_trees(
        self,
        roots: Iterable[Digest],
        blobs: Iterable[Digest] = (),
        *,
        wanted: Callable[[Mapping[Digest, bool]], Mapping[Digest, bool]] = lambda files: files,
    ) -> Lacking:
        """Makes all directories and files of the trees ROOTS present in the store, and BLOBS.

        BLOBS come with the roots. Directories are read level by level, all trees at once; then the files
        that are WANTED, which is given them all, and whether they are executable.

        Raises:
            RemoteError: The server fails, or a tree is not one that can be staged.
            CASError: The disk refuses.
        """
        files: dict[Digest, bool] = {}
        sizes: dict[Digest, tuple[Digest, ...]] = {}  # children of the directories seen
        counts: dict[Digest, int] = {}  # entries of each, files and links
        roots = list(dict.fromkeys(roots))
        level: list[Digest] = roots
        depth = 0
        lacking = self.fetch_directories(level, blobs)
        while level and not lacking:
            depth += 1
            if depth > DEEPEST or len(files) + len(sizes) > MOST_DISTINCT_ENTRIES:
                raise RemoteError(
                    f"The tree {roots[0]} is too large or too deep to be staged", Failure.CORRUPT
                )
            below: dict[Digest, None] = {}
            for digest in level:
                try:
                    directory = self._cas.read_directory(digest)
                except CASError as error:
                    raise RemoteError(str(error), Failure.CORRUPT) from error
                for file in directory.files:
                    files[file.digest] = files.get(file.digest, False) or file.is_executable
                sizes[digest] = tuple(entry.digest for entry in directory.directories)
                counts[digest] = len(directory.files) + len(directory.symlinks)
                below.update(dict.fromkeys(sizes[digest]))
            level = [digest for digest in below if digest not in sizes]
            lacking = self.fetch_directories(level)
        if lacking:
            return lacking
        check_extent(roots, sizes, counts)
        return self.fetch_blobs(wanted(files))

    def fetch_directories(self, digests: Sequence[Digest], blobs: Iterable[Digest] = ()) -> Lacking:
        """As `fetch_blobs`, for directories and BLOBS.

        Raises:
            RemoteError: As well if a directory is too large.
        """
        for digest in digests:
            if digest.size > LARGEST_DIRECTORY_BYTES:
                raise RemoteError(f"Directory {digest} is too large", Failure.CORRUPT)
        return self.fetch_blobs(dict.fromkeys((*blobs, *digests), False))

    def fetch_blobs(self, wanted: Mapping[Digest, bool]) -> Lacking:
        """Makes blobs present in the store; the values tell whether they are executable.

        Raises:
            RemoteError: The server fails.
            CASError: The disk refuses.
        """
        lacking = self._fetch(wanted)
        if lacking.corrupt:  # perhaps only on its way
            again = self._fetch({digest: wanted[digest] for digest in lacking.corrupt})
            lacking.missing += again.missing
            lacking.corrupt = again.corrupt
        return lacking

    def _fetch(self, wanted: Mapping[Digest, bool]) -> Lacking:
        lacking = Lacking()
        limit = self._client.largest_in_batch
        large = [digest for digest in wanted if is_streamed(digest, limit)]
        small = wanted
        if large:
            small = dict(wanted)
            for digest in large:
                del small[digest]
            large = self._cas.absent(large)
            self.fetched.update(large)
            self._tally.expect(sum(digest.size for digest in large))
        parts = [lambda: self._read(small, lacking)] if small else []
        parts += [
            lambda digest=digest: self._stream(digest, lacking, executable=wanted[digest])  # type: ignore[misc] # mypy knows no defaults
            for digest in large
        ]
        run_parts(parts, _WIDTH, self._cancellation)
        return lacking

    def _read(self, small: Mapping[Digest, bool], lacking: Lacking) -> None:
        absent, found = self._reads.fetch(small, self._cancellation, self._tally)
        self.fetched.update(absent)
        lacking.missing += found.missing
        lacking.corrupt += found.corrupt

    def _stream(self, digest: Digest, lacking: Lacking, *, executable: bool) -> None:
        with self._cas.receive(digest) as incoming:
            self._tally.add(incoming.size_bytes)
            try:
                self._client.streams.read(digest, incoming, self._cancellation, self._tally.add)
                incoming.store(executable=executable)
            except CASError as error:
                if error.reason != "corrupt-blob":
                    raise
                lacking.corrupt.append(digest)
            except RemoteError as error:
                if error.failure is not Failure.MISSING:
                    raise
                lacking.missing.append(digest)
            else:
                self._tally.add(0, 1)


def check_extent(
    roots: Iterable[_Name], children: Mapping[_Name, Sequence[_Name]], counts: Mapping[_Name, int]
) -> None:
    """Refuses trees that are small to name and boundless to stage; O(directories).

    A directory may show in many places of a tree: forty levels that each show
    the next one twice are a few kilobytes, and a million million directories.

    Raises:
        RemoteError: A tree is too large or too deep.
    """
    extents: dict[_Name, tuple[int, int]] = {}  # entries, depth
    for root in roots:
        stack = [root]
        while stack:
            top = stack[-1]
            waiting = [child for child in children[top] if child not in extents]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            below = [extents[child] for child in children[top]]
            entries = counts[top] + len(below) + sum(extent[0] for extent in below)
            depth = 1 + max((extent[1] for extent in below), default=0)
            if entries > _MOST_ENTRIES or depth > DEEPEST:
                raise RemoteError(f"The tree {root!s} is too large or too deep to be staged", Failure.CORRUPT)
            extents[top] = (entries, depth)
