"""Messages as log lines, after the format that the user configuration gives."""

import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

from .._dataclass import dataclass
from .._model.message import ElementLabel, Message, MessageType
from .._model.messageformat import split_message_format
from .._tasklog import brief_key, format_duration, indent_lines
from .style import (
    ACTION_PROFILES,
    DETAIL,
    ERROR_DETAIL,
    ERROR_NOTE,
    FAINT_VALUE,
    LABEL,
    VALUE,
    Paint,
    choose_paint,
    key_profile,
)

DEFAULT_MESSAGE_FORMAT = "[%{elapsed}][%{key}][%{element}] %{action} %{message}"

_FAILURES = frozenset({MessageType.FAIL, MessageType.ERROR, MessageType.BUG})
_SHOWN_AS_LOG_PATH = frozenset({MessageType.START, MessageType.SUCCESS})
_RULE = "=" * 70
_REMEMBERED = 256
_TAIL_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The settings of section `logging` that shape log lines."""

    log_directory: str  # absolute
    message_format: str = DEFAULT_MESSAGE_FORMAT
    key_length: int = 8
    verbose: bool = True
    debug: bool = False
    error_lines: int = 20  # of the log of a failed job
    message_lines: int = 20  # of the detail of a message about an element


class LogLineRenderer:
    """Renders messages; the same message may be rendered by several, with and without colours."""

    def __init__(self, options: LogOptions, *, colors: bool) -> None:
        """Raises MessageFormatError if the message format can't be understood."""
        self._options = options
        self._paint: Paint = choose_paint(colors=colors)
        self._parts = self._compile(options.message_format)
        # the same few texts come again and again: many messages are about one element
        self._action = lru_cache(len(MessageType))(self._paint_action)
        self._element = lru_cache(_REMEMBERED)(self._paint_element)
        self._time = lru_cache(_REMEMBERED)(self._paint_time)

    def render(self, message: Message) -> str:
        """The line of MESSAGE, its detail and the tail of its log, as they apply; ends with a line break."""
        text = "".join([part(message) for part in self._parts]) + "\n"
        if self._options.debug:
            text = self._render_origin(message) + text
        if message.detail:
            text += self._render_detail(message, message.detail)
        if message.is_scheduler and message.kind is MessageType.FAIL and message.log_path is not None:
            text += self._render_failed_log(message.log_path, has_detail=bool(message.detail))
        return text

    def _compile(self, message_format: str) -> list[Callable[[Message], str]]:
        renderers: Mapping[str, Callable[[Message], str]] = {
            "elapsed": self._render_elapsed,
            "elapsed-us": self._render_elapsed_us,
            "wallclock": self._render_wallclock,
            "wallclock-us": self._render_wallclock_us,
            "key": self._render_key,
            "element": self._render_element,
            "action": self._render_action,
            "message": self._render_text,
        }
        parts: list[Callable[[Message], str]] = []
        for literal, token in split_message_format(message_format):
            if token is None:
                parts.append(_constant(self._paint(literal, LABEL)))
            else:
                parts.append(renderers[token])
        return parts

    def _paint_time(self, text: str) -> str:
        colon = self._paint(":", LABEL)
        return colon.join([self._paint(part, VALUE) for part in text.split(":")])

    def _render_elapsed(self, message: Message) -> str:
        return self._time(format_duration(message.elapsed_s))

    def _render_elapsed_us(self, message: Message) -> str:
        elapsed_s = message.elapsed_s
        fraction = "------" if elapsed_s is None else _microseconds(elapsed_s)
        return self._render_elapsed(message) + self._paint(f".{fraction}", VALUE)

    def _render_wallclock(self, message: Message) -> str:
        return self._time(time.strftime("%H:%M:%S", time.localtime(message.created_s)))

    def _render_wallclock_us(self, message: Message) -> str:
        return self._render_wallclock(message) + self._paint(f".{_microseconds(message.created_s)}", VALUE)

    def _render_key(self, message: Message) -> str:
        element = _shown_element(message)
        key_length = max(self._options.key_length, 0)
        if element is None or not element.key:
            return " " * key_length
        is_failure = message.kind in _FAILURES
        profile = ERROR_NOTE if is_failure else key_profile(is_strict=element.is_strict)
        return self._paint(brief_key(element.key, key_length), profile)

    def _render_element(self, message: Message) -> str:
        element = _shown_element(message)
        return self._element(
            message.action or "main", element.full_name if element is not None else "core activity"
        )

    def _paint_element(self, action: str, name: str) -> str:
        return (
            self._paint(f"{action.lower():>8}", VALUE)
            + self._paint(":", LABEL)
            + self._paint(f"{name:<30}", VALUE)
        )

    def _render_action(self, message: Message) -> str:
        return self._action(message.kind)

    def _paint_action(self, kind: MessageType) -> str:
        return self._paint(f"{kind.value.upper():<7}", ACTION_PROFILES[kind])

    def _render_text(self, message: Message) -> str:
        if message.is_scheduler and message.log_path is not None and message.kind in _SHOWN_AS_LOG_PATH:
            return self._paint(self._relative_log_path(message.log_path), FAINT_VALUE)
        return message.text

    def _render_origin(self, message: Message) -> str:
        element = _shown_element(message)
        name = element.full_name if element is not None else "n/a"
        return (
            self._paint("pid:", LABEL)
            + self._paint(f"{message.pid:<5}", VALUE)
            + self._paint("element name:", LABEL)
            + self._paint(f"{name:<30}", VALUE)
        )

    def _render_detail(self, message: Message, detail: str) -> str:
        is_failure = message.kind in _FAILURES
        profile = ERROR_DETAIL if is_failure else DETAIL
        limit = self._options.message_lines
        lines = detail.splitlines()
        if is_failure or _shown_element(message) is None or len(lines) <= max(limit, 0):
            return "\n" + self._paint(indent_lines(detail), profile) + "\n\n"
        if limit <= 0:
            return ""
        shown = self._paint(indent_lines("\n".join(lines[:limit]) + "\n") + "\n", profile)
        note = self._paint(f"Message contains {len(lines) - limit} additional lines", FAINT_VALUE)
        return f"\n{shown}    {note}\n\n"

    def _render_failed_log(self, log_path: str, *, has_detail: bool) -> str:
        before = "" if has_detail else "\n"
        if not self._options.verbose:
            caption = self._paint("Log file: ", ERROR_NOTE)
            path = self._paint(self._relative_log_path(log_path), ERROR_NOTE)
            return f"{before}    {caption}    {path}\n\n"
        if self._options.error_lines <= 0:
            return f"{before}\n"
        captions = (f"Printing the last {self._options.error_lines} lines from log file:", log_path, _RULE)
        head = "".join([f"    {self._paint(caption, ERROR_NOTE)}\n" for caption in captions])
        tail = indented(read_tail(log_path, self._options.error_lines))
        return f"{before}{head}{self._paint(tail, DETAIL)}\n    {self._paint(_RULE, ERROR_NOTE)}\n\n"

    def _relative_log_path(self, log_path: str) -> str:
        directory = self._options.log_directory.rstrip(os.sep) + os.sep
        return log_path.removeprefix(directory)


def indented(text: str) -> str:
    """TEXT with four blanks before each line that is not empty, as `textwrap.indent` gives it."""
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def read_tail(path: str, line_count: int) -> str:
    """The last LINE_COUNT lines of a text file, without blank lines at the end; "" if it can't be read.

    Reads no more of the file than it needs.
    """
    data = b""
    try:
        with open(path, "rb") as file:
            start = file.seek(0, os.SEEK_END)
            while start > 0 and data.count(b"\n") <= line_count:
                start, end = max(start - _TAIL_BLOCK_BYTES, 0), start
                file.seek(start)
                data = file.read(end - start) + data
    except OSError:
        return ""  # a log that was removed by somebody: the message itself is shown all the same
    lines = data.decode("utf-8", "replace").removesuffix("\n").split("\n")
    return "\n".join(lines[-line_count:]).rstrip()


def _shown_element(message: Message) -> ElementLabel | None:
    return message.task_element or message.element


def _microseconds(seconds: float) -> str:
    return f"{int(seconds * 1_000_000) % 1_000_000:06d}"


def _constant(text: str) -> Callable[[Message], str]:
    return lambda _message: text
