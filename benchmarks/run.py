#!/usr/bin/env python3
"""Compares two bst executables on generated projects.

    run.py [--rounds N] [--json FILE] [--only CASE]... REFERENCE CANDIDATE

In every round each case is run with the reference, then with the candidate, so
that both see the machine in the same moods.  Every run has caches and
configuration of its own, in memory where the machine has /dev/shm.

The table gives, for both, minimum and median of the wall time and the median of
the processor time, in seconds, the largest resident memory of one process, in
MiB, and how many times faster the candidate is (ratio of the medians, and of
the processor times).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from generate import generate

_MEMORY = "/dev/shm"
_ELEMENT_COUNT = 200
_SHOW_COUNT = 1000
_DEEP_COUNT = 3000


@dataclass(frozen=True, slots=True)
class Sample:
    """One run."""

    wall_s: float
    cpu_s: float  # of the program and all its children
    memory_mib: float  # the largest resident set of the program or one of its children


@dataclass(frozen=True, slots=True)
class Case:
    """Something to measure."""

    name: str
    arguments: tuple[str, ...]
    project: str | None = None  # key of _PROJECTS
    prepare: tuple[str, ...] | None = None  # run before, not measured


@dataclass(slots=True)
class Samples:
    """The runs of one case, by executable."""

    reference: list[Sample] = field(default_factory=list)
    candidate: list[Sample] = field(default_factory=list)


_BUILD = ("--builders", "2", "--no-interactive", "build", "all.bst")
_SHOW = ("show", "--format", "%{name} %{full-key} %{state}", "all.bst")

CASES = (
    Case("version", ("--version",)),
    Case("show 1000", _SHOW, "show"),
    Case("show layers", _SHOW, "layers"),
    Case("show imports", _SHOW, "imports"),
    Case("show deep", _SHOW, "deep"),
    Case("build nothing", _BUILD, "wide", prepare=_BUILD),
    Case("build wide", _BUILD, "wide"),
    Case("build chain", _BUILD, "chain"),
)

_PROJECTS: dict[str, Callable[[Path], None]] = {
    "show": lambda directory: generate(directory, "mesh", _SHOW_COUNT, "stack"),
    "layers": lambda directory: generate(directory, "layers", _SHOW_COUNT),
    "imports": lambda directory: generate(directory, "tree", _SHOW_COUNT, "import"),
    "deep": lambda directory: generate(directory, "deep", _DEEP_COUNT),
    "wide": lambda directory: generate(directory, "wide", _ELEMENT_COUNT),
    "chain": lambda directory: generate(directory, "chain", _ELEMENT_COUNT),
}


class Bench:
    """Runs cases in a scratch directory."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._run_count = 0

    def measure(self, program: str, case: Case) -> Sample:
        """Runs CASE once with caches that nobody has used before."""
        self._run_count += 1
        home = self._scratch / f"run-{self._run_count}"
        home.mkdir()
        directory = self._project(case.project) if case.project else home
        try:
            if case.prepare:
                _run(program, case.prepare, directory, home)
            return _run(program, case.arguments, directory, home)
        finally:
            wait_for_leftovers(home)
            shutil.rmtree(home, ignore_errors=True)

    def _project(self, name: str) -> Path:
        directory = self._scratch / f"project-{name}"
        if not directory.exists():
            _PROJECTS[name](directory)
        return directory


def _run(program: str, arguments: Sequence[str], directory: Path, home: Path) -> Sample:
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
    }
    output = home / "output"
    with output.open("wb") as stream:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            [program, *arguments], cwd=directory, env=environment, stdout=stream, stderr=stream
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        text = output.read_text(errors="replace")
        sys.exit(f"{program} {' '.join(arguments)}: status {process.returncode}\n{text[-4000:]}")
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def wait_for_leftovers(home: Path) -> None:
    """Waits till a cache daemon that was started for HOME has ended by itself."""
    for _ in range(100):
        if not any(_uses(process, home) for process in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(0.05)


def _uses(process: Path, home: Path) -> bool:
    try:
        return str(home) in (process / "cmdline").read_text(errors="replace")
    except OSError:
        return False  # has ended, or is not ours to see


def _line(name: str, samples: Samples) -> str:
    cells = [f"{name:<14}"]
    medians = []
    for runs in (samples.reference, samples.candidate):
        walls = [run.wall_s for run in runs]
        cpu_s = statistics.median(run.cpu_s for run in runs)
        medians.append((statistics.median(walls), cpu_s))
        memory_mib = max(run.memory_mib for run in runs)
        cells.append(f"{min(walls):9.3f}{medians[-1][0]:9.3f}{cpu_s:9.3f}{memory_mib:7.0f}")
    (reference_s, reference_cpu_s), (candidate_s, candidate_cpu_s) = medians
    cells.append(f"{reference_s / candidate_s:7.2f}x {reference_cpu_s / max(candidate_cpu_s, 1e-9):7.2f}x")
    return " | ".join(cells)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference")
    parser.add_argument("candidate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    arguments = parser.parse_args()
    programs = [os.path.abspath(program) for program in (arguments.reference, arguments.candidate)]
    cases = [case for case in CASES if not arguments.only or case.name in arguments.only]
    results = {case.name: Samples() for case in cases}
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bst-bench-", dir=memory) as scratch:
        bench = Bench(Path(scratch))
        for _ in range(arguments.rounds):
            for case in cases:
                results[case.name].reference.append(bench.measure(programs[0], case))
                results[case.name].candidate.append(bench.measure(programs[1], case))
    columns = [f"{who}: min, median, cpu, MiB" for who in ("reference", "candidate")]
    print(" | ".join([f"{'case':<14}", *columns, "faster: wall, cpu"]))
    for case in cases:
        print(_line(case.name, results[case.name]))
    if arguments.json:
        content = {name: asdict(samples) for name, samples in results.items()}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
