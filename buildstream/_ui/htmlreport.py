"""One self-contained page about a session: timeline, graph, elements and logs."""

import json
import os
from typing import Any

from .._plan.story import TimedJob, tell_times
from .eventreader import LoggedJob, LoggedSession
from .timesreport import time_rows

TEMPLATE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", "report.html")

# how much of the end of a log is taken over, of jobs that failed and of others, and of all together
_FAILED_LOG_BYTES = 256 << 10
_LOG_BYTES = 16 << 10
_ALL_LOGS_BYTES = 16 << 20


def session_times(session: LoggedSession) -> list[tuple[str, str]]:
    """Where the time of SESSION went: up to five labels and texts."""
    times = tell_times(
        [_timed(job) for job in session.jobs if job.outcome != "unfinished"],
        {event["element"]: event["build-dependencies"] for event in session.elements},
        {event["element"]: event["runtime-dependencies"] for event in session.elements},
        elapsed_s=session.elapsed_s,
        builders=session.start["builders"],
    )
    return [] if times is None else time_rows(times)


def render_page(session: LoggedSession) -> str:
    """The page; the ends of logs are read from where the jobs wrote them."""
    with open(TEMPLATE, encoding="utf-8") as file:
        template = file.read()
    data = json.dumps(_data(session), ensure_ascii=False, separators=(",", ":"))
    # nothing in it may end the script that it stands in
    return template.replace("@DATA@", data.replace("<", "\\u003c"), 1)


def _data(session: LoggedSession) -> dict[str, Any]:
    positions = {event["element"]: number for number, event in enumerate(session.elements)}
    jobs = [job for job in session.jobs if job.element in positions]
    return {
        "session": {
            "name": session.start["session"],
            "project": session.start["project"],
            "directory": session.start["directory"],
            "targets": session.start["targets"],
            "program": session.program,
            "outcome": session.outcome,
            "started": session.start["time"],
            "elapsed": session.elapsed_s,
        },
        "elements": [_element(event, positions) for event in session.elements],
        "jobs": _jobs(jobs, positions),
        "path": _critical_jobs(session, jobs),
        "times": session_times(session),
        "messages": session.messages,
    }


def _element(event: dict[str, Any], positions: dict[str, int]) -> dict[str, Any]:
    def known(names: list[str]) -> list[int]:
        return [positions[name] for name in names if name in positions]

    return {
        "name": event["element"],
        "kind": event["kind"],
        "decision": event["decision"],
        "reason": event["reason"],
        "key": event.get("key"),
        "expected": event.get("expected"),
        "build": known(event["build-dependencies"]),
        "runtime": known(event["runtime-dependencies"]),
    }


def _jobs(jobs: list[LoggedJob], positions: dict[str, int]) -> list[dict[str, Any]]:
    """The jobs; the logs of those that failed are taken first, as long as there is room."""
    room = _ALL_LOGS_BYTES
    tails: dict[int, tuple[str, bool]] = {}
    by_interest = sorted(range(len(jobs)), key=lambda number: jobs[number].outcome == "succeeded")
    for number in by_interest:
        most = _LOG_BYTES if jobs[number].outcome == "succeeded" else _FAILED_LOG_BYTES
        if room > 0:
            tails[number] = _tail(jobs[number].log, min(most, room))
            room -= len(tails[number][0])
    return [_job(job, positions, *tails.get(number, ("", False))) for number, job in enumerate(jobs)]


def _job(job: LoggedJob, positions: dict[str, int], tail: str, is_cut: bool) -> dict[str, Any]:
    return {
        "e": positions[job.element],
        "action": job.action,
        "start": round(job.started_s, 6),
        "end": round(job.ended_s, 6),
        "waited": job.waited_s,
        "outcome": job.outcome,
        "error": job.error,
        "fault": job.fault,
        "key": job.key,
        "stored": job.stored_bytes,
        "steps": [(name, phase, round(s, 6), round(e, 6), depth) for name, phase, s, e, depth in job.steps],
        "log": job.log,
        "tail": tail,
        "cut": is_cut,
    }


def _tail(path: str, most_bytes: int) -> tuple[str, bool]:
    """The end of the file at PATH, in whole lines, and whether something is left out."""
    try:
        with open(path, "rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            file.seek(max(size_bytes - most_bytes, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "", False
    is_cut = size_bytes > most_bytes
    return (text.partition("\n")[2] if is_cut else text), is_cut


def _timed(job: LoggedJob) -> TimedJob:
    phases: dict[str, float] = {}
    for _, phase, started_s, ended_s, depth in job.steps:
        if depth == 0:
            phases[phase] = phases.get(phase, 0.0) + ended_s - started_s
    return TimedJob(job.time, job.waited_s, phases)


def _critical_jobs(session: LoggedSession, jobs: list[LoggedJob]) -> list[int]:
    """The positions in JOBS of those that the end of SESSION waited for."""
    from .._plan.durations import critical_path, waited_for

    build = {event["element"]: event["build-dependencies"] for event in session.elements}
    runtime = {event["element"]: event["runtime-dependencies"] for event in session.elements}
    times = [job.time for job in jobs]
    before = waited_for([job.element for job in jobs], build, runtime)
    positions = {time: number for number, time in enumerate(times)}
    return [positions[time] for time in critical_path(times, before)]
