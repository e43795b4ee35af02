"""Where messages reach the person: the error stream and the file of `--log-file`.

What only sessions show is imported when it is shown, for a quick start of the other commands.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from .._messenger import Task
from .._model.message import Message, MessageType
from .logline import LogLineRenderer, LogOptions
from .style import Paint, choose_paint

if TYPE_CHECKING:
    from .._model.session import SessionHeading, SessionStatus, SessionSummary
    from .statusbar import StatusBar

_FAILURES = frozenset({MessageType.FAIL, MessageType.ERROR, MessageType.BUG})
# simple tasks are shown in the status bar from this age on, and redrawn at most this often
_PROGRESS_AGE_S = 1.0
_PROGRESS_INTERVAL_S = 0.1


class Console:
    """Shows messages, headings and summaries; all methods may be called from any thread.

    Args:
        stream: The error stream.
        options: What is shown, and how.
        colors: Whether `stream` shows colours; the log file never has any.
        log_file: Gets a copy of what is shown, at once.
        throttled: Whether lines are collected while a session runs, and shown at each `tick`.
        status_bar: Drawn below the lines, on terminals that are able to.
    """

    def __init__(
        self,
        stream: TextIO,
        options: LogOptions,
        *,
        colors: bool,
        log_file: TextIO | None = None,
        throttled: bool = False,
        status_bar: "StatusBar | None" = None,
    ) -> None:
        """Raises LoadError if the message format is wrong."""
        self._stream = stream
        self._options = options
        self._paint = choose_paint(colors=colors)
        self._plain_paint = choose_paint(colors=False)
        self._renderer = LogLineRenderer(options, colors=colors)
        self._plain_renderer = LogLineRenderer(options, colors=False)
        self._log_file = log_file
        self._throttled = throttled
        self._status_bar = status_bar
        self._lock = threading.RLock()
        self._pending: list[str] = []
        self._status: Callable[[], SessionStatus | None] | None = None  # while a session runs
        self._hold_depth = 0
        self._gather_depth = 0
        self._progress_drawn_s = 0.0
        self._failures: dict[str, Message] = {}
        self._is_broken = False

    @property
    def is_broken(self) -> bool:
        """Whether nobody reads the error stream any more; what was to be shown there is dropped."""
        return self._is_broken

    def handle(self, message: Message) -> None:
        """Shows MESSAGE, if it is of a kind that is shown."""
        with self._lock:
            is_failure = message.kind in _FAILURES
            element = message.task_element or message.element
            if is_failure and element is not None:
                self._failures[element.full_name] = message
            if not self._is_shown(message):
                return
            self._append(self._renderer.render(message), lambda: self._plain_renderer.render(message))
            if is_failure or not self._is_collecting:
                self._flush()

    def show_heading(self, heading: "SessionHeading", element_format: str) -> None:
        """Shows the heading of a session."""
        from .heading import render_heading

        key_length = self._options.key_length

        def render(paint: Paint) -> str:
            return render_heading(heading, element_format, paint=paint, key_length=key_length)

        with self._lock:
            self._append(render(self._paint), lambda: render(self._plain_paint))
            self._flush()

    def show_summary(self, summary: "SessionSummary", element_format: str) -> None:
        """Shows the summary of a session, with the failures seen since the start."""
        from .summary import make_row_renderer, render_summary

        def render(paint: Paint, renderer: LogLineRenderer) -> str:
            render_rows = make_row_renderer(element_format, paint=paint, key_length=self._options.key_length)
            return render_summary(summary, self._failures, renderer.render, render_rows, paint=paint)

        with self._lock:
            self._append(
                render(self._paint, self._renderer),
                lambda: render(self._plain_paint, self._plain_renderer),
            )
            self._flush()

    def show_text(self, text: str) -> None:
        """Shows TEXT on the error stream alone."""
        with self._lock:
            self._pending.append(text)
            self._flush()

    def show_progress(self, task: Task) -> None:
        """Draws a simple task in the status bar once it has taken a while; cheap otherwise."""
        if self._status_bar is None or self._status is not None:
            return
        elapsed_s = task.elapsed_s()
        if elapsed_s < _PROGRESS_AGE_S:
            return
        from .._model.session import ActiveTask

        with self._lock:
            now_s = task.started_s + elapsed_s
            if self._hold_depth or now_s - self._progress_drawn_s < _PROGRESS_INTERVAL_S:
                return
            self._progress_drawn_s = now_s
            self._write(
                self._status_bar.draw_task(ActiveTask(task.name, elapsed_s, task.current, task.maximum))
            )

    @contextmanager
    def session(self, status: "Callable[[], SessionStatus | None]") -> Iterator[None]:
        """While jobs run: lines may be collected, and the status bar shows what STATUS gives.

        STATUS is called in any thread that shows a message; None means that nothing is drawn.
        """
        self._status = status
        try:
            yield
        finally:
            with self._lock:
                self._status = None
                self._flush()

    def tick(self) -> None:
        """Shows what was collected and redraws the status bar; to be called each second."""
        with self._lock:
            self._flush()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Leaves the terminal to somebody else: shows what was collected, and nothing more till the end."""
        with self._lock:
            self._flush(draws=False)
            self._hold_depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._hold_depth -= 1
                self._flush()

    @contextmanager
    def gather(self) -> Iterator[None]:
        """A short block: what is told in it is shown at its end, all at once."""
        with self._lock:
            self._gather_depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._gather_depth -= 1
                if self._pending and not self._is_collecting:
                    self._flush()

    @property
    def _is_collecting(self) -> bool:
        """Whether lines wait for a `tick`, or for the end of a block."""
        return self._gather_depth > 0 or (self._throttled and self._status is not None)

    def _is_shown(self, message: Message) -> bool:
        if message.kind is MessageType.STATUS:
            return self._options.verbose
        if message.kind is MessageType.DEBUG:
            return self._options.debug
        return message.kind is not MessageType.LOG

    def _append(self, text: str, render_plain: Callable[[], str]) -> None:
        self._pending.append(text)
        if self._log_file is not None:
            self._log_file.write(render_plain())
            self._log_file.flush()

    def _flush(self, *, draws: bool = True) -> None:
        if self._hold_depth:
            return
        text = "".join(self._pending)
        self._pending.clear()
        if self._status_bar is not None:
            if text or not draws or self._status is None:
                text = self._status_bar.erase() + text
            if draws:
                text += self._draw_status(self._status_bar)
        self._write(text)

    def _write(self, text: str) -> None:
        """Writes TEXT, which may be empty, at once: what a terminal gets in pieces flickers."""
        if self._is_broken:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and error.errno != errno.EIO:
                raise
            self._is_broken = True  # the reader or the terminal has gone

    def _draw_status(self, status_bar: "StatusBar") -> str:
        status = self._status() if self._status is not None else None
        return status_bar.erase() if status is None else status_bar.draw(status)
