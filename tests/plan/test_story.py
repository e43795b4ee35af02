"""Where the time of a session went."""

from buildstream._model.session import SessionTimes
from buildstream._plan.durations import JobTime
from buildstream._plan.story import TimedJob, tell_times
from buildstream._ui.timesreport import time_rows


def job(element: str, start: float, end: float, *, waited: float = 0.0, **phases: float) -> TimedJob:
    return TimedJob(JobTime(element, "Build", start, end), waited, phases)


def tell(*jobs: TimedJob) -> SessionTimes:
    build = {"lib": ["base"], "app": ["lib"], "doc": ["base"]}
    times = tell_times(jobs, build, {}, elapsed_s=20.0, builders=2)
    assert times is not None
    return times


JOBS = (
    job("base", 2.0, 4.0, commands=1.0, capture=1.0),
    job("lib", 4.0, 12.0, commands=8.0),
    job("doc", 4.0, 5.0, commands=1.0),
    job("app", 12.0, 18.0, waited=3.0, commands=5.0, staging=1.0),
)


def test_figures() -> None:
    times = tell(*JOBS)
    assert times.work_s == 17.0
    assert times.busy == 17.0 / 32.0
    assert [name for name, _, _ in times.longest] == ["lib", "app", "base"]
    assert ([name for name, _ in times.path], times.path_s) == (["base", "lib", "app"], 16.0)
    assert times.phases == (("commands", 15.0), ("capture", 1.0), ("staging", 1.0))
    assert (times.waited_s, times.most_waited) == (3.0, ("app", 3.0))


def test_lines() -> None:
    assert time_rows(tell(*JOBS)) == [
        ("Took", "20s, 17s of work; builders were busy 53% of the time"),
        ("Longest", "lib 8.0s, app 6.0s, base 2.0s"),
        ("Critical path", "base > lib > app (16s, 80% of the whole)"),
        ("Spent on", "commands 88%, capture 6%, staging 6%"),
        ("Waited", "3.0s in all for a free place, app 3.0s"),
    ]


def test_session_without_jobs() -> None:
    assert tell_times([], {}, {}, elapsed_s=1.0, builders=2) is None
