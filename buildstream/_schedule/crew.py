"""Threads for jobs."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

_Result = TypeVar("_Result")
_Task = Callable[[], None]


class Crew:
    """Threads that do one piece of work after the other; there are as many as were ever busy at once.

    A thread for each job would cost more than a short job itself: its creator
    waits until it runs.  The threads are not those of a pool: python would wait
    at its end for those that hang.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0  # threads that have nothing to do, nor are about to
        self._size = 0

    def do(self, work: Callable[[], _Result], done: Callable[[_Result], None]) -> None:
        """Calls WORK, which raises nothing, in a thread, and then DONE with its result, there too."""

        def task() -> None:
            result = work()
            with self._lock:
                self._free += 1  # before anybody hears of the end, and may have something new to do
            done(result)

        with self._lock:
            has_free = self._free > 0
            if has_free:
                self._free -= 1
            else:
                self._size += 1
        self._tasks.put(task)
        if not has_free:
            threading.Thread(target=self._run, name="job", daemon=True).start()

    def dismiss(self) -> None:
        """Lets the threads end when they have nothing to do any more."""
        for _ in range(self._size):
            self._tasks.put(None)

    def _run(self) -> None:
        while True:
            task = self._tasks.get()
            if task is None:
                return
            task()
            del task  # what it refers to need not live until the next one comes
