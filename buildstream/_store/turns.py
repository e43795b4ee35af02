"""One at a time: what several processes that share a store want, one of them does."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep

from .layout import storage_errors

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.25


class Turns:
    """Locks by name; a process that dies gives its locks back.

    Args:
        directory: Where the files of the locks are; created when needed.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    @contextmanager
    def turn(
        self, name: str, *, on_wait: Callable[[int | None], None], check: Callable[[], None]
    ) -> Iterator[bool]:
        """The block in which this thread alone, of all processes, holds NAME.

        Args:
            name: Without slashes.
            on_wait: Called once with the id of the process that holds it, if it has to be waited for.
            check: Called now and then while waiting; may end it by raising.

        Yields:
            Whether it had to be waited for.

        Raises:
            CASError: The disk refuses.
        """
        path = os.path.join(self._directory, name)
        with storage_errors("lock", path):
            os.makedirs(self._directory, exist_ok=True)
            descriptor = _try_lock(path)
            has_waited = descriptor is None
            if descriptor is None:
                on_wait(_holder(path))
                descriptor = _wait(path, check)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        try:
            yield has_waited
        finally:
            with suppress(OSError):
                os.unlink(path)
            os.close(descriptor)


def _wait(path: str, check: Callable[[], None]) -> int:
    pause_s = _FIRST_PAUSE_S
    while True:
        sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        check()
        descriptor = _try_lock(path)
        if descriptor is not None:
            return descriptor


def _try_lock(path: str) -> int | None:
    """The locked file at PATH, None if another one has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass  # who had it before has removed it since it was opened
        os.close(descriptor)


def _holder(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None
