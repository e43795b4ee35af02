"""What took the time in a session, what its end waited for, in a few figures."""

from collections.abc import Mapping, Sequence

from .._dataclass import dataclass
from .._model.session import SessionTimes
from .durations import JobTime, critical_path, waited_for

_LONGEST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class TimedJob:
    """A job with what it waited for and where its time went."""

    time: JobTime
    waited_s: float  # for its turn, once all that it needs was there
    phases_s: Mapping[str, float]  # by name of a Phase; steps that are not inside others


def tell_times(
    jobs: Sequence[TimedJob],
    build: Mapping[str, Sequence[str]],
    runtime: Mapping[str, Sequence[str]],
    *,
    elapsed_s: float,
    builders: int,
) -> SessionTimes | None:
    """The times of a session; None if it had no job.

    Args:
        jobs: All that have ended, times since the start of the session.
        build: Direct build dependencies, by full name.
        runtime: Direct runtime dependencies, by full name.
        elapsed_s: From the announcement of the session to its end.
        builders: How many builds may run at once; 0: no limit.
    """
    if not jobs:
        return None
    names = list(dict.fromkeys(job.time.element for job in jobs))
    path = critical_path([job.time for job in jobs], waited_for(names, build, runtime))
    by_length = sorted(jobs, key=lambda job: -job.time.elapsed_s)
    most_waited = max(jobs, key=lambda job: job.waited_s)
    phases: dict[str, float] = {}
    for job in jobs:
        for phase, seconds in job.phases_s.items():
            phases[phase] = phases.get(phase, 0.0) + seconds
    builds_s = sum(job.time.elapsed_s for job in jobs if job.time.action == "Build")
    begin_s = min(job.time.started_s for job in jobs)
    end_s = max(job.time.ended_s for job in jobs)
    span_s = max(end_s - begin_s, 1e-9)
    return SessionTimes(
        elapsed_s=elapsed_s,
        work_s=sum(job.time.elapsed_s for job in jobs),
        busy=min(builds_s / (span_s * builders), 1.0) if builders > 0 else None,
        longest=tuple(
            (job.time.element, job.time.action, job.time.elapsed_s) for job in by_length[:_LONGEST_SHOWN]
        ),
        path=tuple((job.element, job.action) for job in path),
        path_s=sum(job.elapsed_s for job in path),
        phases=tuple(sorted(phases.items(), key=lambda item: -item[1])),
        waited_s=sum(job.waited_s for job in jobs),
        most_waited=(most_waited.time.element, most_waited.waited_s),
    )
