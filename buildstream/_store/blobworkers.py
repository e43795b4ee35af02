"""Processes that move many small blobs between messages of cache servers and the store.

The interpreter takes as long as the system for each blob, and threads have to share it: ten threads
that store blobs are slower than one, and nothing comes in meanwhile.  So whole messages are given to
processes of their own, which take them apart, hash, write and answer with what the store has to know.
"""

import errno
import fcntl
import marshal
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, cast

from .._dataclass import dataclass
from .._model.digest import Digest
from .blobworker import (
    CORRUPT,
    HEAD_BYTES,
    BlobName,
    Place,
    Stored,
    Window,
    decoded_head,
    encoded_head,
)
from .layout import MTIME_NS, StoreLayout, cas_error
from .trash import delete_tree
from .workerprogram import command_of

if TYPE_CHECKING:
    from subprocess import Popen

    from .._exceptions import CASError
    from .blobserving import Terms
    from .blobtrees import Field, Scanned

_MOST_PROCESSES = 4
_WORTHWHILE = 500  # blobs; with fewer, starting processes takes longer than they save
_SERVED_LONG = 8  # how much more processes are worth to a server, which lives long
_PIPE_BYTES = 1 << 20  # as much as an ordinary user may have
# a message of a mebibyte does not get new pages each time
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "67108864"}
_NOT_FOUND = 5


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """What became of the blobs of a message.

    Attributes:
        stored: Are in the store now.
        made: Paths of their objects.
        when: In which time these were made, in nanoseconds since the epoch.
        missing: The server does not have.
        corrupt: Came, but were something else.
        refused: Hash, size, status and its text of all that came in another way, or failed.
        error: Of the disk, which ended the work.
    """

    stored: list[Digest]
    made: list[str]
    when: Window
    missing: list[Digest]
    corrupt: list[Digest]
    refused: list[tuple[Digest, int, str]]
    error: "CASError | None"


class BlobWorkers:
    """The processes of one store; started when they are needed, at most one a processor.

    Safe to use from several threads: who finds all processes busy waits for one.

    Args:
        layout: Of the store.
        count: Of processes; by default as many as there are processors, none if there is only one.
        worthwhile: How many blobs the callers handle, all together, before processes are started.
    """

    def __init__(
        self, layout: StoreLayout, count: int | None = None, *, worthwhile: int = _WORTHWHILE
    ) -> None:
        self._layout = layout
        self._lock = Lock()
        self._free: SimpleQueue[Popen[bytes] | None] = SimpleQueue()
        self._workers: set[Popen[bytes]] = set()
        self._temporary: list[str] = []  # directories of theirs
        if count is None:
            processors = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
            count = processors if processors > 1 else 0
        self._most = count if sys.executable else 0
        self._unworthy = worthwhile  # blobs left until there are processes

    def start(self) -> None:
        """Starts all processes that there may be, which takes them a while."""
        started = []
        while (worker := self._start_one()) is not None:
            started.append(worker)
        for worker in started:
            self._free.put(worker)

    def store(
        self,
        message: bytes,
        wanted: Sequence[Digest],
        executable: set[str],
        begin: Callable[[], None] = lambda: None,
    ) -> StoredBatch | None:
        """Stores those of the blobs WANTED that are in MESSAGE, an encoded BatchReadBlobsResponse.

        Those with a hash in EXECUTABLE get that bit. BEGIN is called first, if it is done here; it may
        end it by raising. None if the caller has to do it.
        """
        if not self._is_worthwhile(len(wanted)):
            return None
        begin()
        answer = self._ask(("store", list(map(tuple, wanted)), executable), message)
        if answer is None:
            return None
        stored, made, when, others, error = cast("Stored", answer[0])
        refused = [(Digest(*other[:2]), *other[2:]) for other in others]
        return StoredBatch(
            cast("list[Digest]", stored),  # which they are equal to
            made,
            when,
            [digest for digest, code, _ in refused if code == _NOT_FOUND],
            [digest for digest, code, _ in refused if code == CORRUPT],
            [other for other in refused if other[1] not in (CORRUPT, _NOT_FOUND)],
            None if error is None else cas_error("write", error[1], _os_error(error[0])),
        )

    def load(
        self, prefix: bytes, wanted: Sequence[Digest], *, compresses: bool = False
    ) -> tuple[bytes, list[Digest]] | None:
        """An encoded BatchUpdateBlobsRequest that begins with PREFIX and has the blobs WANTED.

        They are compressed if COMPRESSES, and it makes them smaller.
        Beside it come those left out, as they are not in the store, or damaged. None if the caller has to
        do it.
        """
        if not self._is_worthwhile(len(wanted)):
            return None
        answer = self._ask(("load", prefix, list(map(tuple, wanted)), compresses))
        if answer is None:
            return None
        lacking, message = cast("list[BlobName]", answer[0]), answer[1]
        return message, [Digest(*name) for name in lacking]

    def are_worthwhile(self, count: int) -> bool:
        """Whether there are processes, and COUNT blobs, with all before them, are worth to start them."""
        self._is_worthwhile(count)
        return self._is_worthwhile(0)

    def scan(self, directories: bytes) -> "Scanned | None":
        """See `blobtrees`; None if it can't be told."""
        from .blobtrees import Scanned, absence_index, scan

        if self._is_worthwhile(0):
            answer = self._ask(("scan", directories))
            return None if answer is None else Scanned(*cast("Scanned", answer[0]))
        place = Place(self._layout.objects, "", MTIME_NS, prefix=f"{self._layout.objects}/")
        with suppress(ValueError):
            return scan(place, directories, absence_index(place))
        return None

    def walk(self, roots: bytes, optional: bytes) -> "list[Field] | None":
        """See `blobtrees`; None if it can't be told."""
        from .blobtrees import walk

        if self._is_worthwhile(0):
            answer = self._ask(("walk", roots, optional))
            return None if answer is None else cast("list[Field]", answer[0])
        place = Place(self._layout.objects, "", MTIME_NS, prefix=f"{self._layout.objects}/")
        with suppress(ValueError):
            return walk(place, roots, optional)
        return None

    def whole(self, roots: bytes) -> "list[list[Field] | None] | None":
        """See `blobtrees`; None if it can't be told."""
        answer = self._ask(("whole", roots))
        return None if answer is None else cast("list[list[Field] | None]", answer[0])

    def keep(self, message: bytes, wanted: bytes, *, executable: bool) -> tuple[list[Digest], Window] | None:
        """See `blobtrees`; None if nothing is known to be stored."""
        answer = self._ask(("keep", wanted, executable), message)
        if answer is None:
            return None
        left, when = cast("tuple[list[BlobName], Window]", answer[0])
        return [Digest(*name) for name in left], when

    def send(
        self, prefix: bytes, wanted: bytes, *, compresses: bool
    ) -> tuple[bytes, bytes, list[Digest]] | None:
        """See `blobtrees`; None if the caller has to do it."""
        answer = self._ask(("send", prefix, wanted, compresses))
        if answer is None:
            return None
        expected, lacking = cast("tuple[bytes, list[BlobName]]", answer[0])
        return answer[1], expected, [Digest(*name) for name in lacking]

    def serve(self, kind: str, message: bytes, terms: "Terms", count: int) -> tuple[object, bytes] | None:
        """The answer of a function of `blobserving` to a request about some COUNT blobs, response last.

        None if the caller has to do it.
        """
        if not self._is_worthwhile(count * _SERVED_LONG):
            return None
        return self._ask((kind, tuple(terms)), message)

    def close(self) -> None:
        """Ends the processes."""
        with self._lock:
            workers, self._workers, self._most = self._workers, set(), 0
        for worker in workers:
            worker.kill()  # what it has not told of does not count
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                assert pipe is not None, "it is a pipe"
                with suppress(OSError):
                    pipe.close()
        self._free.put(None)  # for those who still wait
        for path in self._temporary:
            with suppress(OSError):
                delete_tree(path)

    def kill(self) -> None:
        """Ends the processes at once, as if something else had: they are found dead when they are needed."""
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def __del__(self) -> None:
        self.close()

    def _is_worthwhile(self, count: int) -> bool:
        """Whether to use processes for COUNT more blobs."""
        if self._unworthy <= 0:
            return self._most > 0
        self._unworthy -= count  # more or less: others may count at the same time
        return False

    def _ask(self, order: tuple[object, ...], message: bytes = b"") -> tuple[object, bytes] | None:
        """What a process answers to an order about MESSAGE, and a message from it; None without an answer."""
        worker = self._take()
        if worker is None:
            return None
        assert worker.stdin is not None, "it is a pipe"
        assert worker.stdout is not None, "it is a pipe"
        encoded = marshal.dumps(order)  # type: ignore[arg-type] # of bytes, texts, numbers
        try:
            worker.stdin.write(encoded_head(encoded, message))
            worker.stdin.write(encoded)
            worker.stdin.write(message)
            worker.stdin.flush()
            length, message_length = decoded_head(worker.stdout.read(HEAD_BYTES))
            answer: object = marshal.loads(worker.stdout.read(length))  # noqa: S302 - our own program's
            answered = worker.stdout.read(message_length)
        except (OSError, EOFError, ValueError, TypeError):  # it died, or was ended
            self._lose(worker)
            return None
        self._free.put(worker)
        return None if isinstance(answer, str) else (answer, answered)  # a text tells why there is none

    def _take(self) -> "Popen[bytes] | None":
        worker = self._start_one() if self._free.empty() else None
        if worker is not None:
            return worker
        if not self._most:
            return None
        free = self._free.get()
        if free is None:
            self._free.put(None)  # for the next one who waits
        return free

    def _start_one(self) -> "Popen[bytes] | None":
        """A new process; None if there are enough, or none can be started."""
        with self._lock:
            if len(self._workers) >= self._most:
                return None
            try:
                self._temporary.append(self._layout.new_path(self._layout.incoming))
                worker = _start(self._layout, self._temporary[-1])
            except OSError:
                self._most = 0
                return None
            self._workers.add(worker)
            return worker

    def _lose(self, worker: "Popen[bytes]") -> None:
        """After a process has died, which should never happen, none is used any more."""
        with self._lock:
            self._most = 0
        worker.kill()
        self._free.put(None)


def _start(layout: StoreLayout, temporary: str) -> "Popen[bytes]":
    from subprocess import DEVNULL, PIPE, Popen

    arguments = [layout.objects, os.path.relpath(temporary, layout.objects), str(MTIME_NS), _zstd_path()]
    worker = Popen(
        [*command_of("blobworker"), *arguments],
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**os.environ, **_MALLOC},
        cwd=layout.objects,  # paths from there are found faster
        start_new_session=True,  # an interrupt is for the parent
    )
    with suppress(OSError):
        for pipe in (worker.stdin, worker.stdout):
            assert pipe is not None, "it is a pipe"
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return worker


def _zstd_path() -> str:
    """Where python finds zstd, if it does not have it itself."""
    from importlib.util import find_spec

    try:
        spec = find_spec("backports.zstd")
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return ""
    return os.path.dirname(os.path.dirname(os.path.dirname(spec.origin)))


def _os_error(number: int) -> OSError:
    return OSError(number or errno.EIO, os.strerror(number or errno.EIO))
