"""Where the events of an invocation go: the files of --event-log and --trace, and logs of sessions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .options import GlobalOptions

if TYPE_CHECKING:
    from .._messenger import Messenger
    from .._model.events import Event
    from .._ui.trace import TraceFile as _Trace


class EventSinks:
    """The files that the person asked for.

    Args:
        options: Which ones.
        messenger: Gets an observer if there is one.
        log_directory: Where logs of sessions are kept.

    Raises:
        AppError: One of the files can't be written.
    """

    def __init__(self, options: GlobalOptions, messenger: "Messenger", log_directory: str) -> None:
        self._messenger = messenger
        self._log_directory = log_directory
        self._trace: _Trace | None = None
        sinks: list[Callable[[Event], None]] = []
        if options.event_log is not None:
            from .._ui.eventlog import EventLog

            with _named("event log", options.event_log):
                sinks.append(EventLog(options.event_log, messenger.clock_s).handle)
        if options.trace is not None:
            from .._ui.trace import TraceFile

            with _named("trace", options.trace):
                self._trace = TraceFile(options.trace)
            sinks.append(self._trace.handle)
        if len(sinks) == 1:
            messenger.observer = sinks[0]
        elif sinks:
            messenger.observer = self._tell_all
        self._sinks = sinks

    def _tell_all(self, event: "Event") -> None:
        for sink in self._sinks:
            sink(event)

    def open_session_log(self, session: str) -> "Callable[[Event], None] | None":
        """The log of a session that begins."""
        from .._ui.eventlog import open_session_log

        log = open_session_log(self._log_directory, session, self._messenger.clock_s)
        return None if log is None else log.handle

    def close(self) -> None:
        """Writes the trace.

        Raises:
            AppError: It can't be written.
        """
        if self._trace is not None:
            trace, self._trace = self._trace, None
            with _named("trace", trace.path):
                trace.close()


@contextmanager
def _named(what: str, path: str) -> Iterator[None]:
    """Turns an OSError of the block into an error that says which file is meant."""
    try:
        yield
    except OSError as error:
        from .._exceptions import AppError

        raise AppError(f"The {what} '{path}' can't be written: {error.strerror}") from error
