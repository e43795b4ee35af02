"""Blobs that a remote has but gave wrong: remembered until a push has replaced them there."""

import fcntl
import os
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress

from .._model.digest import Digest

_MOST = 10_000  # of all remotes; a server with more damage than that is not repaired by pushes


class Suspects(Collection[Digest]):
    """The suspect blobs of one remote; safe to use from several threads and processes.

    They are lines `HASH SIZE URL` in a file that all remotes share. It may be deleted at any time: what it
    says is found out again by whoever next pulls the blob.

    Args:
        path: Of the file; None remembers them in memory alone.
        url: Of the remote.
    """

    def __init__(self, path: str | None, url: str) -> None:
        self._path = path
        self._url = url
        self._lock = threading.Lock()
        self._known: set[Digest] | None = None  # read from the file when they are first asked for

    def __contains__(self, digest: object) -> bool:
        return digest in self._read()

    def __iter__(self) -> Iterator[Digest]:
        return iter(set(self._read()))

    def __len__(self) -> int:
        return len(self._read())

    def update(self, digests: Iterable[Digest]) -> None:
        """Remembers DIGESTS."""
        self._change(added=set(digests), removed=set())

    def difference_update(self, digests: Iterable[Digest]) -> None:
        """Forgets DIGESTS, which have been replaced."""
        self._change(added=set(), removed=set(digests))

    def _read(self) -> set[Digest]:
        with self._lock:
            if self._known is None:
                self._known = set()
                with suppress(OSError, UnicodeDecodeError):
                    if self._path is not None and os.path.exists(self._path):
                        with open(self._path, encoding="utf-8") as file:
                            entries = map(_parsed, file)
                            self._known = {e[0] for e in entries if e is not None and e[1] == self._url}
            return self._known

    def _change(self, *, added: set[Digest], removed: set[Digest]) -> None:
        known = self._read()
        with self._lock:
            if added <= known and not removed & known:
                return
            known |= added
            known -= removed
        # what can't be written is found out again
        with suppress(OSError, UnicodeDecodeError):
            if self._path is not None:
                self._rewrite(self._path, added, removed)

    def _rewrite(self, path: str, added: set[Digest], removed: set[Digest]) -> None:
        with _locked(path) as descriptor:
            with open(descriptor, encoding="utf-8", closefd=False) as file:
                entries = dict.fromkeys(filter(None, map(_parsed, file)))
            for digest in removed:
                entries.pop((digest, self._url), None)
            entries.update(dict.fromkeys((digest, self._url) for digest in added))
            lines = [f"{digest.hash} {digest.size} {url}\n" for digest, url in list(entries)[-_MOST:]]
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, "".join(lines).encode(), 0)


def _parsed(line: str) -> tuple[Digest, str] | None:
    """The digest and URL of one line; None if it was damaged."""
    words = line.split()
    if len(words) != 3 or not words[1].isdecimal():
        return None
    digest = Digest(words[0], int(words[1]))
    return (digest, words[2]) if digest.is_well_formed() else None


@contextmanager
def _locked(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
