"""Processes that do the same for many small files; see `fileworker`.

The interpreter takes longer than the system for each file, and threads have to share it: two
threads are slower than one. What takes one process two seconds takes two of them one, if their
program is small and there is a processor for each.
"""

import marshal
import os
import select
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from signal import SIGKILL
from threading import Lock
from typing import Any, NamedTuple, TypeVar, cast

from .fileworker import receive, send
from .layout import MTIME_NS, StoreLayout
from .workerprogram import command_of

WORTHWHILE = 500  # files; with fewer, starting processes takes longer than they save
_MOST_PROCESSES = 8
_CLOSE_S = 5.0  # how long `close` waits for who has borrowed them

# What one request asks for at most: so much that to ask takes no time beside it, so little that all have
# something to do until the end, and that a process whose parent has died ends soon.
_MOST_FILES = 400
_MOST_BYTES = 4 << 20

_T = TypeVar("_T")
Arguments = tuple[Any, ...]  # of an operation
Done = Callable[[Any], None]  # told what an operation gave, None if it was not done


class _Worker:
    """One process."""

    def __init__(self, layout: StoreLayout) -> None:
        self._temporary = layout.new_path(layout.incoming)
        requests, self._requests = os.pipe()
        self.answers, answers = os.pipe()
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                command_of("fileworker"),
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, requests, 0),
                    (os.POSIX_SPAWN_DUP2, answers, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsid=True,  # an interrupt is for the caller, who ends this one
            )
        except OSError:
            os.close(self._requests)
            os.close(self.answers)
            raise
        finally:
            os.close(requests)
            os.close(answers)
        self.waiting: list[Done] = []  # for what it does now
        self._start(layout)

    def _start(self, layout: StoreLayout) -> None:
        with suppress(OSError):  # it has ended at once: so there will be no answer
            send(self._requests, marshal.dumps((layout.objects, self._temporary, MTIME_NS)))

    def ask(self, operation: str, parts: list[Arguments], waiting: list[Done]) -> None:
        """Has it do OPERATION with each of PARTS."""
        self.waiting = waiting
        with suppress(OSError):  # as above
            send(self._requests, marshal.dumps((operation, parts)))

    def answer(self) -> list[Any] | None:
        """What it gives for each of the parts; None if it has died."""
        try:
            data = receive(self.answers)
        except OSError:
            return None
        return None if data is None else cast("list[Any]", marshal.loads(data))  # noqa: S302 - our program's

    def end(self) -> None:
        """Ends it, in the middle of its work if need be."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, SIGKILL)
        os.close(self._requests)
        os.close(self.answers)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        with suppress(OSError):  # what it had not finished
            os.unlink(self._temporary)


class Workers:
    """The processes of one store: started when they are first worth it, and kept until `close`."""

    def __init__(self, layout: StoreLayout) -> None:
        self._layout = layout
        self._lock = Lock()
        self._workers: list[_Worker] = []
        weakref.finalize(self, _end_all, self._workers)

    @property
    def have_started(self) -> bool:
        """Whether they need not be started any more."""
        return bool(self._workers)

    @contextmanager
    def borrowed(self) -> Iterator["Group | None"]:
        """The block in which they work for the caller; None if they do for another thread.

        If the block is left with work undone, that is ended.
        """
        if not sys.executable or not self._lock.acquire(blocking=False):
            yield None
            return
        try:
            self._start()
            group = Group(self._workers)
            try:
                yield group
            finally:
                group.abandon()
        finally:
            self._lock.release()

    def close(self) -> None:
        """Ends them, also if the thread that has borrowed them was interrupted in the middle of that."""
        is_ours = self._lock.acquire(timeout=_CLOSE_S)
        try:
            _end_all(self._workers)
        finally:
            if is_ours:
                self._lock.release()

    def _start(self) -> None:
        count = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
        if len(self._workers) >= count:
            return
        with suppress(OSError):  # then with those that there are
            while len(self._workers) < count:
                self._workers.append(_Worker(self._layout))


class Size(NamedTuple):
    """How much an operation has to do."""

    files: int
    bytes: int


DIRECTORY_SIZE = Size(files=100, bytes=0)  # what a directory of a tree counts for, as nobody knows yet


def slices(files: list[_T]) -> Iterator[list[_T]]:
    """FILES in parts that are small enough for one request."""
    for start in range(0, len(files), _MOST_FILES):
        yield files[start : start + _MOST_FILES]


class Group:
    """Workers that one thread gives work to.

    Args:
        workers: Those that work; who dies is taken out.
    """

    def __init__(self, workers: list[_Worker]) -> None:
        self._workers = workers
        self._idle = list(workers)  # the last one is asked next
        self._busy: dict[int, _Worker] = {}  # by the descriptor of their answers
        self._poll = select.poll()
        # what is collected for the next request
        self._operation = ""
        self._parts: list[Arguments] = []
        self._waiting: list[Done] = []
        self._files = self._bytes = 0

    def submit(self, operation: str, arguments: Arguments, size: "Size", done: Done) -> None:
        """Has one of them do OPERATION; waits while all are at work.

        Args:
            operation: A method of `FileWorker`.
            arguments: Of it.
            size: What it is about.
            done: Called with what it gave, None if the process died; here or in a later call.
        """
        if operation != self._operation:
            self._send()
        self._operation = operation
        self._parts.append(arguments)
        self._waiting.append(done)
        self._files += size.files
        self._bytes += size.bytes
        if self._files >= _MOST_FILES or self._bytes >= _MOST_BYTES:
            self._send()

    def _send(self) -> None:
        parts, waiting = self._parts, self._waiting
        self._parts, self._waiting = [], []
        self._files = self._bytes = 0
        if not parts:
            return
        while not self._idle and self._busy:
            self._receive()
        if not self._idle:
            for done in waiting:
                done(None)
            return
        worker = self._idle.pop()
        # first: if a signal ends this in the middle of the request, the process is of no use any more
        self._busy[worker.answers] = worker
        self._poll.register(worker.answers, select.POLLIN)
        worker.ask(self._operation, parts, waiting)

    def begin(self) -> None:
        """Has them begin with what was submitted, although there is little of it."""
        self._send()

    def advance(self) -> bool:
        """Waits until something is done; False if nothing was to be done.

        What is submitted in answer to it need not wait until all else is done.
        """
        had_work = bool(self._parts or self._busy)
        self._send()
        if self._busy:
            self._receive()
        return had_work

    def finish(self) -> None:
        """Waits until everything is done."""
        self._send()
        while self._busy:
            self._receive()

    def abandon(self) -> None:
        """Ends those that still work."""
        for worker in self._busy.values():
            self._workers.remove(worker)
            worker.end()
        self._busy.clear()

    def _receive(self) -> None:
        for descriptor, _ in self._poll.poll():
            worker = self._busy[descriptor]
            answers = worker.answer()
            self._poll.unregister(descriptor)
            del self._busy[descriptor]
            if answers is None:
                self._workers.remove(worker)
                worker.end()
                answers = [None] * len(worker.waiting)
            else:
                self._idle.append(worker)
            for done, answer in zip(worker.waiting, answers, strict=True):
                done(answer)


def _end_all(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().end()
