"""How long jobs take, and what follows from it: which come first, how long all will take.

All functions are O(elements + edges), but for the simulation, which sorts besides.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence

from .._dataclass import dataclass
from .._load.resolved import ResolvedElement

Duration = Callable[[ResolvedElement], float]  # in seconds; 0 for what needs no job


def remaining_after(order: Sequence[ResolvedElement], duration: Duration) -> dict[ResolvedElement, float]:
    """How long at least a session goes on after the end of each element's job, in seconds.

    ORDER has dependencies first. What an element is built with has to be there before its job
    starts; what it needs at run time, only before the jobs of those that are built with it.
    """
    after = dict.fromkeys(order, 0.0)
    for element in reversed(order):
        own = after[element]
        with_job = own + duration(element)
        for child in element.build_dependencies:
            if child in after:
                after[child] = max(after[child], with_job)
        for child in element.runtime_dependencies:
            if child in after:
                after[child] = max(after[child], own)
    return after


def longest_path_first(
    staging_order: Sequence[ResolvedElement], by_depth: Sequence[ResolvedElement], duration: Duration
) -> list[ResolvedElement]:
    """BY_DEPTH, those first whose job and all that has to wait for it take longest."""
    after = remaining_after(staging_order, duration)
    return sorted(by_depth, key=lambda element: -(after[element] + duration(element)))


@dataclass(frozen=True, slots=True)
class JobTime:
    """When a job of an element started and ended, in seconds on one clock."""

    element: str  # full name
    action: str
    started_s: float
    ended_s: float

    @property
    def elapsed_s(self) -> float:
        """How long it took."""
        return self.ended_s - self.started_s


def critical_path(jobs: Sequence[JobTime], dependencies: Mapping[str, Sequence[str]]) -> list[JobTime]:
    """The jobs that the end of a session waited for, in order of time.

    Beginning with the job that ended last, the one before it is, among its own earlier jobs and
    the jobs of what it depends on, the one that ended last.

    Args:
        jobs: Of one session.
        dependencies: By full name, the names of all elements that it may have waited for: what it is
            built with, and what its dependencies need at run time (see `waited_for`).
    """
    by_element: dict[str, list[JobTime]] = {}
    for job in jobs:
        by_element.setdefault(job.element, []).append(job)
    path: list[JobTime] = []
    current = max(jobs, key=lambda job: job.ended_s, default=None)
    while current is not None:
        path.append(current)
        before = [
            job
            for name in (current.element, *dependencies.get(current.element, ()))
            for job in by_element.get(name, ())
            if job.ended_s <= current.started_s and job is not current
        ]
        current = max(before, key=lambda job: job.ended_s, default=None)
    path.reverse()
    return path


def waited_for(
    names: Sequence[str], build: Mapping[str, Sequence[str]], runtime: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """For each of NAMES, the elements with a job among NAMES that its build is staged with.

    Runs along runtime dependencies, but not below elements without a job: these were there
    before.  Nothing of it is needed for elements without a job.
    """
    having_jobs = set(names)
    result = {}
    for name in names:
        found: dict[str, None] = {}
        stack = list(build.get(name, ()))
        seen = set(stack)
        while stack:
            top = stack.pop()
            if top in having_jobs:
                found[top] = None
            for child in runtime.get(top, ()):
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        result[name] = list(found)
    return result


@dataclass(frozen=True, slots=True)
class Forecast:
    """How a session would go."""

    makespan_s: float
    path: tuple[ResolvedElement, ...]  # what the end waits for, first job first
    starts_s: Mapping[ResolvedElement, float]


def simulate(
    staging_order: Sequence[ResolvedElement],
    priority: Sequence[ResolvedElement],
    duration: Duration,
    workers: int,
) -> Forecast:
    """How long the jobs of the elements with a DURATION take if WORKERS run at once; 0: no limit.

    A job starts as soon as all that it is built with is there and a worker is free; of several,
    the one that comes first in PRIORITY.
    """
    simulation = _Simulation(staging_order, {e: n for n, e in enumerate(priority)}, duration)
    return simulation.run(workers or len(staging_order))


class _Simulation:
    """Two events an element: the end of its job, and its being ready with all it needs at run time."""

    def __init__(
        self,
        staging_order: Sequence[ResolvedElement],
        rank: Mapping[ResolvedElement, int],
        duration: Duration,
    ) -> None:
        self._order = staging_order
        self._rank = rank
        self._duration = duration
        position = {element: number for number, element in enumerate(staging_order)}
        count = len(staging_order)
        # events 0 to count - 1: ends of jobs; the others: being ready, in the same order
        self._missing = [0] * (2 * count)
        self._followers: list[list[int]] = [[] for _ in range(2 * count)]
        for number, element in enumerate(staging_order):
            self._follow(number, count + number)
            for child in element.runtime_dependencies:
                self._follow(count + position[child], count + number)
            if duration(element) > 0:
                for child in element.build_dependencies:
                    self._follow(count + position[child], number)
        self._startable: list[tuple[int, int]] = []  # rank, number of the element
        self._released_by: dict[int, int] = {}

    def _follow(self, first: int, then: int) -> None:
        self._followers[first].append(then)
        self._missing[then] += 1

    def run(self, workers: int) -> Forecast:
        count = len(self._order)
        begin = [number for number in range(2 * count) if not self._missing[number]]
        for number in begin:
            self._begin(number)
        running: list[tuple[float, int]] = []
        starts: dict[ResolvedElement, float] = {}
        now_s, last = 0.0, -1
        while self._startable or running:
            while self._startable and len(running) < workers:
                _, number = heapq.heappop(self._startable)
                element = self._order[number]
                starts[element] = now_s
                heapq.heappush(running, (now_s + self._duration(element), number))
            now_s, last = heapq.heappop(running)
            self._end(last)
        return Forecast(now_s, tuple(self._path_to(last)), starts)

    def _begin(self, event: int) -> None:
        """Everything that comes before EVENT has happened."""
        if event < len(self._order) and self._duration(self._order[event]) > 0:
            rank = self._rank.get(self._order[event], len(self._rank))
            heapq.heappush(self._startable, (rank, event))
        else:
            self._end(event)

    def _end(self, event: int) -> None:
        """EVENT happens, and with it all that takes no time."""
        stack = [event]
        while stack:
            top = stack.pop()
            for follower in self._followers[top]:
                self._missing[follower] -= 1
                if self._missing[follower]:
                    continue
                self._released_by[follower] = top
                if follower < len(self._order) and self._duration(self._order[follower]) > 0:
                    self._begin(follower)
                else:
                    stack.append(follower)

    def _path_to(self, event: int) -> list[ResolvedElement]:
        """The elements whose jobs the end of EVENT's waited for, first job first."""
        path = []
        while event >= 0:
            if event < len(self._order) and self._duration(self._order[event]) > 0:
                path.append(self._order[event])
            event = self._released_by.get(event, -1)
        path.reverse()
        return path
