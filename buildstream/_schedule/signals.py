"""What signals mean while a session runs, and while a person is asked."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

Action = Callable[[], None]

# the terminal has gone, or somebody wants the program to end
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class SessionSignals:
    """The handlers of a session, installed in its event loop.

    Args:
        loop: Runs the actions, in the main thread.
        actions: What each signal means while jobs run.
    """

    def __init__(self, loop: "asyncio.AbstractEventLoop", actions: Mapping[signal.Signals, Action]) -> None:
        # what is ignored, as `nohup` does with SIGHUP, stays so
        self._actions = {
            number: action
            for number, action in actions.items()
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        self._loop = loop
        self.ended_by: signal.Signals | None = None  # the ending signal that came while a person was asked

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The block in which the signals mean what was given."""
        self._install()
        try:
            yield
        finally:
            for number in self._actions:
                self._loop.remove_signal_handler(number)

    @contextmanager
    def default_actions(self) -> Iterator[None]:
        """The block in which a person is asked: the event loop stands still and would not see signals.

        ^C and the signals that end the program raise KeyboardInterrupt, which ends the question; ^Z stops the
        process at once, as nothing else runs.
        """
        for number in self._actions:
            self._loop.remove_signal_handler(number)
            if number == signal.SIGTSTP:
                signal.signal(number, signal.SIG_DFL)
            elif number in ENDING_SIGNALS:
                signal.signal(number, self._end_question)
            else:
                signal.signal(number, signal.default_int_handler)
        try:
            yield
        finally:
            self._install()

    def stop_process(self) -> None:
        """Stops the process as ^Z does; returns when it is continued."""
        if signal.SIGTSTP not in self._actions:
            return
        self._loop.remove_signal_handler(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # of this thread: another one could take the signal, and this one go on for a moment
        signal.raise_signal(signal.SIGTSTP)
        # continues here once the shell has sent SIGCONT
        self._loop.add_signal_handler(signal.SIGTSTP, self._actions[signal.SIGTSTP])

    def _install(self) -> None:
        for number, action in self._actions.items():
            self._loop.add_signal_handler(number, action)

    def _end_question(self, number: int, _frame: FrameType | None) -> None:
        self.ended_by = signal.Signals(number)
        raise KeyboardInterrupt
