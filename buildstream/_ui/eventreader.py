"""Reading event logs: the jobs of a session with their times, put together from single events."""

import json
import os
from dataclasses import field
from typing import Any

from .._dataclass import dataclass
from .._exceptions import AppError
from .._model.events import EVENT_LOG_VERSION
from .._plan.durations import JobTime

_Event = dict[str, Any]


@dataclass(slots=True)
class LoggedJob:
    """A job, or one attempt of it."""

    element: str
    action: str
    started_s: float  # since the start of the session; so are all others
    ended_s: float  # of the last event, if the log ends before the job
    waited_s: float
    outcome: str  # of JobOutcome, or "unfinished"
    log: str
    key: str | None = None
    error: str | None = None
    fault: str | None = None
    stored_bytes: int = 0
    steps: list[tuple[str, str, float, float, int]] = field(default_factory=list)
    # name, phase, start, end and depth of each

    @property
    def time(self) -> JobTime:
        """When it ran."""
        return JobTime(self.element, self.action, self.started_s, self.ended_s)


@dataclass(slots=True)
class LoggedSession:
    """One session of a log."""

    start: _Event  # session-started
    end: _Event | None  # session-finished, None if it was cut off
    program: str  # version of bst
    jobs: list[LoggedJob]
    elements: list[_Event]  # element-planned, in staging order
    messages: list[_Event]
    elapsed_s: float  # from its announcement to its end

    @property
    def outcome(self) -> str:
        """Of SessionOutcome, or `unfinished`."""
        return "unfinished" if self.end is None else str(self.end["outcome"])


def read_session(path: str) -> LoggedSession:
    """The last session in the event log at PATH.

    Raises:
        AppError: It can't be read, is no event log or one of a newer version, or holds no session.
    """
    events = _read_events(path)
    starts = [number for number, event in enumerate(events) if event["event"] == "session-started"]
    if not starts:
        raise AppError(
            f"There is no session in the event log '{path}'",
            detail="It may be that of a command that runs no jobs.",
        )
    return _session(events[starts[-1] :], str(events[0].get("program", "")))


def _read_events(path: str) -> list[_Event]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise AppError(f"The event log '{path}' can't be read: {error.strerror}") from error
    events: list[_Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
            is_event = isinstance(event, dict) and isinstance(event["event"], str)
        except (ValueError, KeyError):
            is_event = False
        if not is_event:
            if number == len(lines) and events:
                break  # the program was killed while it wrote this
            raise AppError(f"{path}:{number}:0: This is no line of an event log")
        events.append(event)
    if not events or events[0]["event"] != "log-started":
        raise AppError(f"'{path}' is no event log: it does not begin with 'log-started'")
    if events[0].get("version") != EVENT_LOG_VERSION:
        raise AppError(
            f"The event log '{path}' has version {events[0].get('version')}, but this program knows only"
            f" {EVENT_LOG_VERSION}",
            detail="Use the version of bst that has written it.",
        )
    return events


def _session(events: list[_Event], program: str) -> LoggedSession:
    start = events[0]
    end = next((event for event in events if event["event"] == "session-finished"), None)
    origin_s = start["time"] - start.get("loading", 0.0)
    elapsed_s = end["elapsed"] if end is not None else max(e["time"] for e in events) - origin_s
    session = LoggedSession(start, end, program, [], [], [], elapsed_s)
    running: dict[tuple[str, str], LoggedJob] = {}
    for event in events:
        kind = event["event"]
        if kind == "element-planned":
            session.elements.append(event)
        elif kind == "message":
            session.messages.append(event | {"time": event["time"] - origin_s})
        elif kind == "job-started":
            job = _begun(event, origin_s)
            running[job.element, job.action] = job
            session.jobs.append(job)
        elif kind == "step-finished":
            running_job = running.get((event["element"], event["action"]))
            if running_job is not None:
                ended_s = event["time"] - origin_s
                running_job.steps.append(
                    (event["step"], event["phase"], ended_s - event["elapsed"], ended_s, event["depth"])
                )
        elif kind == "job-finished":
            finished = running.pop((event["element"], event["action"]), None)
            if finished is not None:
                _end(finished, event, origin_s)
    for job in running.values():
        job.ended_s = max(elapsed_s, job.started_s)
    return session


def _begun(event: _Event, origin_s: float) -> LoggedJob:
    started_s = event["time"] - origin_s
    return LoggedJob(
        element=event["element"],
        action=event["action"],
        started_s=started_s,
        ended_s=started_s,
        waited_s=event["waited"],
        outcome="unfinished",
        log=event["log"],
    )


def _end(job: LoggedJob, event: _Event, origin_s: float) -> None:
    job.ended_s = event["time"] - origin_s
    job.outcome = event["outcome"]
    job.key = event.get("key")
    job.error = event.get("error")
    job.fault = event.get("fault")
    job.stored_bytes = event["stored-bytes"]


def find_session(words: str | None, names: list[str], directory: str, suffix: str) -> str:
    """The path of the event log that WORDS mean: a file, a name of NAMES, or None for the newest.

    Args:
        words: What the person wrote.
        names: Of the logs that are kept, oldest first.
        directory: Where these are.
        suffix: What their file names have besides.

    Raises:
        AppError: There is none.
    """
    from .._utils_nearmiss import did_you_mean

    if words is None:
        if not names:
            raise AppError(
                f"There is no log of a session in '{directory}'",
                detail="Each session that runs jobs leaves one, for example `bst build`.",
            )
        words = names[-1]
    if words in names:
        return os.path.join(directory, words + suffix)
    if os.path.exists(words):
        return words
    hint = did_you_mean(words, names)
    raise AppError(
        f"There is no session '{words}', and no file of that name",
        detail="\n".join([*([hint] if hint else []), "`bst report --list` lists the sessions."]),
    )
