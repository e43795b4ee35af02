"""The log file of one job: the messages of the job and, raw between them, what its commands write."""

import os
import time
from contextlib import suppress
from functools import lru_cache
from typing import IO

from ._model.message import ElementLabel, Message, MessageType

_STATUS_HEAD = "[--:--:--] STATUS  "
_TIMED_KINDS = frozenset({MessageType.SUCCESS, MessageType.FAIL})


def brief_key(key: str, key_length: int) -> str:
    """The first KEY_LENGTH characters of KEY, as shown in log lines."""
    return key[: max(key_length, 0)]


def format_duration(elapsed_s: float | None) -> str:
    """`HH:MM:SS`, or `--:--:--` for None."""
    if elapsed_s is None:
        return "--:--:--"
    minutes, seconds = divmod(int(elapsed_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def format_date(seconds: float) -> str:
    """Weekday, date and time of SECONDS since the epoch, in local time."""
    return local_time("%A, %d-%m-%Y at %H:%M:%S", int(seconds))


@lru_cache(16)  # jobs begin by the hundred in a second
def local_time(template: str, seconds: int) -> str:
    """SECONDS since the epoch in local time, after a TEMPLATE of strftime."""
    return time.strftime(template, time.localtime(seconds))


def indent_lines(text: str, columns: int = 4) -> str:
    """TEXT with every line, empty ones too, moved to the right by COLUMNS."""
    margin = " " * columns
    return "\n".join(margin + line for line in text.splitlines())


class TaskLog:
    """An open task log.

    `file` is unbuffered and opened for append, so that it can be given to a
    child process as its output while messages are written from here.  Messages
    of status, of which there is one for each artifact that is staged, wait for
    the next one of another kind.
    """

    def __init__(
        self, path: str, *, version: str, key_length: int, created_s: float, is_short: bool = False
    ) -> None:
        """Opens PATH, making its directories, and writes the first line; raises OSError.

        If it IS_SHORT, all messages are written at the end, or when somebody asks for the file.
        """
        self.path = path
        self._descriptor = _open(path)
        self._file: IO[bytes] | None = None  # the same once more, if somebody asks for it
        self._key_length = key_length
        self._is_short = is_short
        self._waiting = [f"BuildStream {version} - {format_date(created_s)}\n"]

    def write_message(self, message: Message) -> None:
        """Appends MESSAGE, with the name and key of the element that it is about."""
        self._waiting.append(format_task_message(message, self._key_length))
        if message.kind is not MessageType.STATUS and not self._is_short:
            self._flush()

    def write_status(self, element: ElementLabel, text: str) -> None:
        """Appends a message of status about ELEMENT, soon."""
        self._waiting.append(f"{_STATUS_HEAD}{_format_subject(element, self._key_length)}: {text}\n")

    @property
    def file(self) -> IO[bytes]:
        """The file, with everything in it that was written from here."""
        self._flush()
        if self._file is None:
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - close() does it
        return self._file

    def note_termination(self) -> None:
        """Appends the note that tells why the log ends here."""
        self._waiting.append("\n\nForcefully terminated\n")
        self._flush()

    def close(self) -> None:
        """Closes the file; children that write to it keep their own descriptor."""
        self._flush()
        os.close(self._descriptor)
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        # a full disk must not decide how a job ends; what the job itself can't write is its error
        with suppress(OSError):
            # one write per message: appends of several processes never mix inside a line
            os.write(self._descriptor, "".join(waiting).encode("utf-8", "backslashreplace"))


def _open(path: str) -> int:
    """A descriptor that appends to PATH; its directories are made, most of which are there already."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        directory = os.path.dirname(path)
        try:
            os.mkdir(directory)  # most often only that of the element is missing
        except OSError:
            os.makedirs(directory, exist_ok=True)
        return os.open(path, flags, 0o666)


def format_task_message(message: Message, key_length: int) -> str:
    """One message as it stands in a task log, with its final line break."""
    elapsed_s = message.elapsed_s if message.kind in _TIMED_KINDS else None
    subject = _format_subject(message.element or message.task_element, key_length)
    head = f"[{format_duration(elapsed_s)}] {message.kind.value.upper():<7}"
    line = f"{head} {subject}: {message.text}\n" if subject else f"{head.rstrip()}: {message.text}\n"
    if message.detail is None:
        return line
    return f"{line}\n{indent_lines(message.detail.rstrip(chr(10)))}\n"


def _format_subject(element: ElementLabel | None, key_length: int) -> str:
    if element is None:
        return ""
    if not element.key or key_length <= 0:
        return element.full_name
    return f"[{brief_key(element.key, key_length)}] {element.full_name}"
