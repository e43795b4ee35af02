"""Sessions as a trace in the Chrome trace event format, for chrome://tracing and ui.perfetto.dev.

A process stands for a queue, a thread for one of the jobs that it runs at once; steps are nested in
their jobs.  A complete event ("X") is written for each.
"""

import json
import os
from dataclasses import field

from .._dataclass import dataclass
from .._model.events import Event, JobFinished, JobStarted, MessageSent, SessionFinished, StepFinished

_SESSION_PROCESS = 0


@dataclass(slots=True)
class _Lanes:
    """Numbers of what runs at once: each job takes the lowest that is free."""

    number: int
    taken: dict[str, int] = field(default_factory=dict)  # by element
    most: int = 0

    def take(self, element: str) -> int:
        used = set(self.taken.values())
        lane = next(number for number in range(1, len(used) + 2) if number not in used)
        self.taken[element] = lane
        self.most = max(self.most, lane)
        return lane


class TraceFile:
    """Collects events and writes the trace when it is closed.

    Its methods may be called from any thread: each takes one step on one list.

    Args:
        path: Of the file to write.

    Raises:
        OSError: It can't be written; found out at once, not after hours.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "w", encoding="utf-8"):
            pass
        self._events: list[Event] = []

    def handle(self, event: Event) -> None:
        """Takes EVENT down."""
        self._events.append(event)

    def close(self) -> None:
        """Writes the trace.

        Raises:
            OSError: It can't be written.
        """
        content = {"traceEvents": trace_events(self._events), "displayTimeUnit": "ms"}
        temporary = f"{self.path}.{os.getpid()}"
        if not os.path.isfile(self.path):
            temporary = self.path  # a pipe or a device
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"))
        if temporary != self.path:
            os.rename(temporary, self.path)


def trace_events(events: list[Event]) -> list[dict[str, object]]:
    """The list `traceEvents`; times are in microseconds since the first event."""
    if not events:
        return []
    origin_s = events[0].time_s
    queues: dict[str, _Lanes] = {}
    made: list[dict[str, object]] = []

    def lanes_of(action: str) -> _Lanes:
        return queues.setdefault(action, _Lanes(len(queues) + 1))

    for event in events:
        if isinstance(event, JobStarted):
            lanes_of(event.action).take(event.element)
        elif isinstance(event, StepFinished):
            lanes = lanes_of(event.action)
            made.append(
                _complete(
                    event.step,
                    event.phase.value,
                    event.time_s - origin_s,
                    event.elapsed_s,
                    place=(lanes.number, lanes.taken.get(event.element, 0)),
                    arguments={"element": event.element, "success": event.is_success},
                )
            )
        elif isinstance(event, JobFinished):
            lanes = lanes_of(event.action)
            arguments = {
                "outcome": event.outcome.value,
                "attempt": event.attempt,
                "key": event.key,
                "stored-bytes": event.stored_bytes,
                "log": event.log,
                "error": event.error,
            }
            made.append(
                _complete(
                    event.element,
                    "job",
                    event.time_s - origin_s,
                    event.elapsed_s,
                    place=(lanes.number, lanes.taken.pop(event.element, 0)),
                    arguments={name: value for name, value in arguments.items() if value is not None},
                )
            )
        elif isinstance(event, SessionFinished):
            made.append(
                _complete(
                    event.session,
                    "session",
                    event.time_s - origin_s,
                    event.elapsed_s,
                    place=(_SESSION_PROCESS, 0),
                    arguments={},
                )
            )
        elif isinstance(event, MessageSent):
            made.append(
                {
                    "name": event.text,
                    "cat": event.kind,
                    "ph": "i",
                    "s": "g",
                    "ts": round((event.time_s - origin_s) * 1e6),
                    "pid": _SESSION_PROCESS,
                    "tid": 0,
                }
            )
    return [*_names(queues), *made]


def _complete(
    name: str,
    category: str,
    end_s: float,
    elapsed_s: float,
    *,
    place: tuple[int, int],
    arguments: dict[str, object],
) -> dict[str, object]:
    # both ends are rounded, not the length: a step must not stand out of its job
    start_us, end_us = round((end_s - elapsed_s) * 1e6), round(end_s * 1e6)
    return {
        "name": name,
        "cat": category,
        "ph": "X",
        "ts": start_us,
        "dur": max(end_us - start_us, 0),
        "pid": place[0],
        "tid": place[1],
        "args": arguments,
    }


def _names(queues: dict[str, _Lanes]) -> list[dict[str, object]]:
    named: list[dict[str, object]] = [_meta("process_name", _SESSION_PROCESS, 0, "Session")]
    for action, lanes in queues.items():
        named.append(_meta("process_name", lanes.number, 0, f"{action} queue"))
        named += [
            _meta("thread_name", lanes.number, lane, f"{action} {lane}") for lane in range(1, lanes.most + 1)
        ]
    return named


def _meta(kind: str, process: int, thread: int, name: str) -> dict[str, object]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
