"""Who works in a store right now: locks among the processes that share it.

What a session has used since it began is not cleaned up while it lasts.  A
session is a locked file; when its process dies, the lock goes with it.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from time import time_ns

from .._model.digest import Digest
from .layout import StoreLayout, storage_errors

# The kernel's times of files lag behind the clock by some milliseconds.
CLOCK_SLACK_NS = 1_000_000_000


class StoreLock:
    """The lock under which clean-up deletes, and others say that they use something.

    Shared by those who protect something, for some microseconds; exclusive while a
    piece of the store is cleaned up.  Reading takes no lock.
    """

    def __init__(self, layout: StoreLayout) -> None:
        self.path = os.path.join(layout.cas, "lock")
        self._guard = Lock()
        self._shared_count = 0
        self._descriptor = -1

    @contextmanager
    def shared(self) -> Iterator[None]:
        """The block in which nothing is deleted; may be nested and used by many threads."""
        with self._guard:
            if self._shared_count == 0:
                self._descriptor = _open_lock(self.path)
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            self._shared_count += 1
        try:
            yield
        finally:
            with self._guard:
                self._shared_count -= 1
                if self._shared_count == 0:
                    os.close(self._descriptor)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The block in which nobody protects anything; not inside of `shared`."""
        descriptor = _open_lock(self.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Session:
    """A process that works in the store, from construction to `close`.

    Attributes:
        name: Of its file, and the beginning of the names of its scratch directories.
        started_ns: What was used after this is protected; nanoseconds since the epoch.
    """

    def __init__(self, layout: StoreLayout) -> None:
        directory = _directory(layout)
        with storage_errors("open a session in", directory):
            os.makedirs(directory, exist_ok=True)
            self.started_ns = time_ns() - CLOCK_SLACK_NS
            self.name = f"{os.getpid()}-{time_ns():x}"
            temporary = os.path.join(directory, f".{self.name}")
            self._path = os.path.join(directory, self.name)
            self._descriptor = _open_lock(temporary)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            os.rename(temporary, self._path)  # locked before it can be seen
        self._guard = Lock()

    def announce(self, trees: Iterable[Digest]) -> None:
        """Has the objects of TREES spared by clean-ups; to be called under the shared lock of the store.

        Raises:
            CASError: The disk refuses.
        """
        with self._guard, storage_errors("write", self._path):
            os.write(self._descriptor, "".join(f"{tree}\n" for tree in trees).encode("ascii"))

    def close(self) -> None:
        """Ends the session."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self._descriptor)


class AnnouncedTrees:
    """The trees that sessions have announced, read from their files piece by piece."""

    def __init__(self, layout: StoreLayout) -> None:
        self._directory = _directory(layout)
        self._read_bytes: dict[str, int] = {}  # how much of each file was read

    def fresh(self) -> list[Digest]:
        """Those that were announced since the last call; costs two system calls and one for each session."""
        found: list[Digest] = []
        for name in _listed(self._directory):
            path = os.path.join(self._directory, name)
            start = self._read_bytes.get(name, 0)
            with suppress(OSError, ValueError):  # the session has ended, or somebody else has written to it
                if os.lstat(path).st_size > start:
                    with open(path, "rb") as file:
                        file.seek(start)
                        data = file.read()
                    complete = data[: data.rfind(b"\n") + 1]
                    self._read_bytes[name] = start + len(complete)
                    found.extend(map(_digest_from_line, complete.splitlines()))
        return found


def _digest_from_line(line: bytes) -> Digest:
    digest_hash, _, size = line.decode("ascii").partition("/")
    return Digest(digest_hash, int(size))


def oldest_start_ns(layout: StoreLayout) -> int:
    """When the oldest session that still lasts began, or now; forgets sessions whose process died."""
    oldest = time_ns() - CLOCK_SLACK_NS
    for name in live_sessions(layout):
        with suppress(ValueError):
            oldest = min(oldest, int(name.partition("-")[2], 16) - CLOCK_SLACK_NS)
    return oldest


def live_sessions(layout: StoreLayout) -> set[str]:
    """The names of the sessions that last; files of those whose process died are removed."""
    directory = _directory(layout)
    return {name for name in _listed(directory) if _is_alive(os.path.join(directory, name))}


def _listed(directory: str) -> list[str]:
    """The names of sessions that last, or have ended without having removed their files."""
    try:
        return [name for name in os.listdir(directory) if not name.startswith(".")]
    except FileNotFoundError:
        return []


def _is_alive(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)
        return False
    finally:
        os.close(descriptor)


def _directory(layout: StoreLayout) -> str:
    return os.path.join(layout.cas, "sessions")


def _open_lock(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
