"""Event logs: one JSON object a line, as doc/source/using_events.rst describes them."""

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from enum import Enum
from math import isfinite

from .._model.events import (
    EVENT_LOG_VERSION,
    EVENT_TYPES,
    ElementPlanned,
    Event,
    JobQueued,
    LogStarted,
    QueueCount,
)
from .._version import __version__

# of sessions, in a directory that no project can have the name of
SESSION_DIRECTORY = ".sessions"
SESSION_SUFFIX = ".jsonl"
MOST_SESSIONS = 100  # the oldest are removed

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_text = json.encoder.encode_basestring


def event_as_json(event: Event) -> str:
    """EVENT as one line without its end: `event` and `time` first, absent fields left out."""
    parts = [f'{{"event":"{event.name}"']
    for field, prefix in _PREFIXES[type(event)]:
        content = getattr(event, field)
        # most are texts and numbers, which the encoder need not be set up for
        if type(content) is str:
            parts.append(prefix + _encode_text(content))
        elif type(content) is float and isfinite(content):
            parts.append(f"{prefix}{round(content, 6)!r}")
        elif type(content) is int:
            parts.append(f"{prefix}{content}")
        elif isinstance(content, Enum) and type(content.value) is str:
            parts.append(prefix + _encode_text(content.value))
        elif content is not None:
            parts.append(prefix + _encode(_plain(content)))
    return ",".join(parts) + "}"


def _plain(content: object) -> object:
    if type(content) is str or type(content) is int:  # most are: no need to look further
        return content
    if isinstance(content, Enum):
        return content.value
    if isinstance(content, float):
        return round(content, 6)
    if isinstance(content, tuple):
        return [_plain(item) for item in content]
    if isinstance(content, QueueCount):
        return {key: _plain(getattr(content, field)) for field, key in _KEYS[QueueCount]}
    return content


def json_key(name: str) -> str:
    """The key of a field: `time` for `time_s`, `elapsed` for `elapsed_s`, else with dashes."""
    return re.sub(r"_s$", "", name).replace("_", "-")


# pairs of attribute and JSON key
_KEYS = {
    kind: tuple((field.name, json_key(field.name)) for field in fields(kind))
    for kind in (*EVENT_TYPES, QueueCount)
}
# pairs of attribute and what stands before its value
_PREFIXES = {
    kind: tuple((field, f"{_encode_text(key)}:") for field, key in keys) for kind, keys in _KEYS.items()
}
_PLANS = (ElementPlanned, JobQueued)
_MOST_WAITING = 1000  # events


class EventLog:
    """A log that is written event by event, so that it is complete up to a crash.

    What is planned, of which there is much at once and then something happens, waits for the next event.

    Its methods may be called from any thread.

    Args:
        path: Of the file, which is replaced.
        clock: Seconds since the epoch.

    Raises:
        OSError: The file can't be written.
    """

    def __init__(self, path: str, clock: Callable[[], float]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o666)
        self._waiting: deque[str] = deque()
        self.handle(LogStarted(clock(), EVENT_LOG_VERSION, __version__, os.getpid()))

    def handle(self, event: Event) -> None:
        """Appends EVENT."""
        self._waiting.append(event_as_json(event) + "\n")
        if type(event) in _PLANS and len(self._waiting) < _MOST_WAITING:
            return
        lines: list[str] = []
        with suppress(IndexError):  # other threads do the same
            while True:
                lines.append(self._waiting.popleft())
        # a full disk must not decide how a build ends; one write, so that threads don't mix lines
        with suppress(OSError):
            os.write(self._descriptor, "".join(lines).encode("utf-8", "backslashreplace"))


def open_session_log(log_directory: str, session: str, clock: Callable[[], float]) -> EventLog | None:
    """A new log for a session called SESSION, beside those of earlier sessions; None if it can't be made."""
    directory = os.path.join(log_directory, SESSION_DIRECTORY)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(clock()))
    path = os.path.join(directory, f"{stamp}-{session.lower()}-{os.getpid()}{SESSION_SUFFIX}")
    try:
        os.makedirs(directory, exist_ok=True)
        log = EventLog(path, clock)
    except OSError:
        return None
    for name in session_logs(log_directory)[:-MOST_SESSIONS]:
        with suppress(OSError):
            os.unlink(os.path.join(directory, name + SESSION_SUFFIX))
    return log


def session_logs(log_directory: str) -> list[str]:
    """The names of all sessions with a log, oldest first."""
    try:
        names = os.listdir(os.path.join(log_directory, SESSION_DIRECTORY))
    except OSError:
        return []
    return sorted(name.removesuffix(SESSION_SUFFIX) for name in names if name.endswith(SESSION_SUFFIX))
