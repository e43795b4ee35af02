"""Cleaning up before the program is ended by a signal, where no session sees to that."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class _Ended(BaseException):
    """The program is to end; the argument is the signal that says so."""


@contextmanager
def ending_by_exception() -> Iterator[None]:
    """The block that is left by an exception if a signal ends the program; then that signal does end it.

    Signals that are ignored, or that others see to, are left alone.
    """
    try:
        with raising_when_ended():
            yield
    except _Ended as ended:
        number = ended.args[0]
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


@contextmanager
def raising_when_ended() -> Iterator[None]:
    """A part of that block in which it holds again, after a session that has seen to signals itself."""
    is_main = current_thread() is main_thread()  # no other one gets signals
    handled = [each for each in _SIGNALS if is_main and signal.getsignal(each) is signal.SIG_DFL]
    try:
        for number in handled:
            signal.signal(number, _end)
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _: FrameType | None) -> None:
    for each in _SIGNALS:  # once is enough
        signal.signal(each, signal.SIG_IGN)
    raise _Ended(number)
