"""How well a `bst` keeps its builders busy.

    python benchmarks/scheduling.py [--elements N] [--sleepers N] [--builders N]... DIRECTORY PROGRAM

DIRECTORY is scratch space, removed afterwards.  Two tables come out, a line for each number of builders:

*Overhead*: N elements that do next to nothing and need nothing of each other.  The time that builders stand
idle between two jobs, in milliseconds an element: builders times makespan, less the times of all jobs.

*Makespan*: elements whose builds sleep for known times, in a random graph that is the same each time.  They
are built twice, so that the second build knows how long they take.  Beside the time from the first start of a
job to the last end stand the time of the list schedule that starts the longest path first, which is what
a perfect scheduler without any overhead of its own would need, and how much longer the real one took.

All figures come from event logs (`--event-log`).
"""

import argparse
import heapq
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generate import generate, make_base

_BUILDERS = (1, 2, 4, 8)
_SEED = 7
_PROJECT = "name: sleepers\nmin-version: 2.0\nelement-path: elements\nvariables:\n  round: {round}\n"
_SLEEPER = """\
kind: manual
build-depends: [{needs}]
config:
  build-commands:
  - sleep {seconds}; ":" %{{round}}
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A build, in seconds since the epoch."""

    element: str
    ended_s: float
    elapsed_s: float

    @property
    def started_s(self) -> float:
        """When it started."""
        return self.ended_s - self.elapsed_s


class Program:
    """A `bst` with caches of its own below a directory."""

    def __init__(self, program: str, directory: Path) -> None:
        self._program = os.path.abspath(program)
        self._directory = directory

    def build(self, project: Path, builders: int) -> list[Job]:
        """The build jobs of a build of all.bst."""
        home = self._directory / "home"
        log = self._directory / "events"
        run = subprocess.run(
            [
                self._program,
                "--no-colors",
                "--builders",
                str(builders),
                "--event-log",
                log,
                "build",
                "all.bst",
            ],
            cwd=project,
            env={
                **os.environ,
                "HOME": str(home),
                "XDG_CACHE_HOME": str(home / "cache"),
                "XDG_CONFIG_HOME": str(home / "config"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            sys.exit(f"{self._program} failed:\n{run.stderr}")
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return [
            Job(event["element"], event["time"], event["elapsed"])
            for event in events
            if event["event"] == "job-finished" and event["action"] == "Build"
        ]

    def forget(self) -> None:
        """Removes the caches."""
        shutil.rmtree(self._directory / "home", ignore_errors=True)


def makespan_s(jobs: Sequence[Job]) -> float:
    """From the first start to the last end."""
    return max(job.ended_s for job in jobs) - min(job.started_s for job in jobs)


def idle_ms(jobs: Sequence[Job], builders: int) -> float:
    """How long builders stood idle, an element."""
    busy_s = sum(job.elapsed_s for job in jobs)
    return (builders * makespan_s(jobs) - busy_s) / len(jobs) * 1000


def make_graph(count: int) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Times in seconds and needs by name, in an order that has what is needed first."""
    chance = random.Random(_SEED)
    times, needs = {}, {}
    names: list[str] = []
    for number in range(count):
        name = f"s{number:03d}.bst"
        times[name] = round(chance.choice((0.3, 0.6, 1.0, 2.0)) * chance.uniform(0.8, 1.2), 2)
        near = names[-12:]
        needs[name] = sorted(chance.sample(near, min(len(near), chance.choice((0, 1, 1, 2)))))
        names.append(name)
    return times, needs


def longest_path_first_s(
    times: Mapping[str, float], needs: Mapping[str, Sequence[str]], builders: int
) -> float:
    """How long the list schedule takes that starts the job with the longest path behind it first."""
    path = dict(times)  # with the element's own time
    for name in reversed(list(times)):
        for needed in needs[name]:
            path[needed] = max(path[needed], times[needed] + path[name])
    missing = {name: len(needed) for name, needed in needs.items()}
    ready = [(-path[name], name) for name, count in missing.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now_s = 0.0
    while ready or running:
        while ready and len(running) < builders:
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now_s + times[name], name))
        now_s, ended = heapq.heappop(running)
        for name, needed in needs.items():
            if ended in needed:
                missing[name] -= 1
                if not missing[name]:
                    heapq.heappush(ready, (-path[name], name))
    return now_s


def make_sleepers(directory: Path, times: Mapping[str, float], needs: Mapping[str, Sequence[str]]) -> None:
    """The project of the elements that sleep."""
    elements = directory / "elements"
    elements.mkdir(parents=True)
    make_base(directory / "files" / "base", "sleep")
    (elements / "base.bst").write_text("kind: import\nsources:\n- kind: local\n  path: files/base\n")
    for name, seconds in times.items():
        text = _SLEEPER.format(needs=", ".join(["base.bst", *needs[name]]), seconds=seconds)
        (elements / name).write_text(text)
    (elements / "all.bst").write_text("kind: stack\ndepends:\n" + "".join(f"- {name}\n" for name in times))


def measure_overhead(program: Program, scratch: Path, count: int, all_builders: Sequence[int]) -> None:
    """Prints the first table."""
    project = scratch / "wide"
    generate(project, "wide", count)
    print(f"{count} trivial elements    makespan s   job ms   idle ms an element")
    for builders in all_builders:
        program.forget()
        jobs = program.build(project, builders)
        mean_ms = sum(job.elapsed_s for job in jobs) / len(jobs) * 1000
        print(
            f"  builders {builders:2}             {makespan_s(jobs):10.2f} {mean_ms:8.1f}"
            f" {idle_ms(jobs, builders):10.2f}",
            flush=True,
        )


def measure_makespan(program: Program, scratch: Path, count: int, all_builders: Sequence[int]) -> None:
    """Prints the second table."""
    times, needs = make_graph(count)
    project = scratch / "sleepers"
    make_sleepers(project, times, needs)
    print(f"{count} sleeping elements    makespan s   longest path first s   longer by")
    for builders in all_builders:
        program.forget()
        for number in range(2):
            (project / "project.conf").write_text(_PROJECT.format(round=number))
            jobs = [job for job in program.build(project, builders) if job.element in times]
        assert len(jobs) == count, "not everything was built again"
        real_s, bound_s = makespan_s(jobs), longest_path_first_s(times, needs, builders)
        longer = f"{real_s / bound_s - 1:.1%}"
        print(f"  builders {builders:2}             {real_s:10.2f} {bound_s:15.2f} {longer:>17}", flush=True)


def main() -> None:
    """Parses the command line and prints both tables."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("program")
    parser.add_argument("--elements", type=int, default=1000, help="for the overhead; 0: leave it out")
    parser.add_argument("--sleepers", type=int, default=40, help="for the makespan; 0: leave it out")
    parser.add_argument("--builders", type=int, action="append", help=f"default: {_BUILDERS}")
    arguments = parser.parse_args()
    scratch: Path = arguments.directory
    scratch.mkdir(parents=True)
    try:
        program = Program(shutil.which(arguments.program) or arguments.program, scratch)
        builders = arguments.builders or list(_BUILDERS)
        if arguments.elements:
            measure_overhead(program, scratch, arguments.elements, builders)
        if arguments.sleepers:
            measure_makespan(program, scratch, arguments.sleepers, builders)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
