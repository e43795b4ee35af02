"""Suspending and terminating what a job has running."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from .._exceptions import JobTerminated


class Stoppable(Protocol):
    """A child of a job: a sandbox or a host process."""

    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...


class JobControl:
    """The children of one job; its methods may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards everything below; not notified of children
        self._children: set[Stoppable] = set()
        self._is_suspended = False
        self.is_terminated = False

    @contextmanager
    def starting(self) -> Iterator[None]:
        """The block in which a child is started and its supervision begins; waits while the job is suspended.

        Whoever suspends waits for its end: no child is overlooked that is just being started,
        as the whole program may stop right after.

        Raises:
            JobTerminated: The job was terminated; nothing may be started.
        """
        with self._changed:
            while self._is_suspended and not self.is_terminated:
                self._changed.wait()
            self.check()
            yield

    @contextmanager
    def supervise(self, child: Stoppable) -> Iterator[None]:
        """The block in which CHILD runs.

        Raises:
            JobTerminated: At the end of the block, if the job was terminated meanwhile.
        """
        with self._changed:
            self._children.add(child)
            if self.is_terminated:
                child.kill()
            elif self._is_suspended:
                child.suspend()
        try:
            yield
        finally:
            with self._changed:
                self._children.discard(child)
        self.check()

    def check(self) -> None:
        """Ends the job here if it was told to.

        Raises:
            JobTerminated: It was.
        """
        if self.is_terminated:
            raise JobTerminated

    def terminate(self) -> None:
        """Ends everything that runs; the job ends when it notices."""
        with self._changed:
            self.is_terminated = True
            for child in self._children:
                child.kill()
            self._changed.notify_all()

    def suspend(self) -> None:
        """Stops the children."""
        with self._changed:
            self._is_suspended = True
            for child in self._children:
                child.suspend()

    def resume(self) -> None:
        """Lets the children go on."""
        with self._changed:
            self._is_suspended = False
            for child in self._children:
                child.resume()
            self._changed.notify_all()


class CurrentJob(threading.local):
    """Which job the calling thread runs."""

    def __init__(self) -> None:
        self.control = JobControl()

    @contextmanager
    def running(self, control: JobControl) -> Iterator[None]:
        """Makes CONTROL the job of this thread."""
        outer, self.control = self.control, control
        try:
            yield
        finally:
            self.control = outer
