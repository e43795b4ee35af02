#!/usr/bin/env python3
"""Compares how two bst executables load generated projects, and tells how the second one grows.

    loading.py [--rounds N] [--only CASE]... REFERENCE CANDIDATE

Each run is one `show` of everything with keys and states, with caches of its own
that nobody has used before.  In every round of a case the reference runs first, then the
candidate.  The table gives the least user time of the processor in seconds and the
largest resident memory in MiB, of the whole process, and candidate / reference.
Cases that only tell how the candidate grows are not run with the reference: it
would take minutes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from generate import generate

_MEMORY = "/dev/shm"
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Sample:
    """One run."""

    user_s: float
    system_s: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Case:
    """A project and what is shown of it."""

    name: str
    make: Callable[[Path], None]
    target: str = "all.bst"
    is_compared: bool = True  # whether the reference runs as well
    repeats: bool = False  # whether it is the second show, of an unchanged project


def _project(shape: str, count: int, kind: str = "manual") -> Callable[[Path], None]:
    return lambda directory: generate(directory, shape, count, kind)


CASES = (
    Case("manual 1000", _project("layers", 1000)),
    Case("import 1000", _project("tree", 1000, "import")),
    Case("stack 1000", _project("layers", 1000, "stack")),
    Case("deep 3000", _project("deep", 3000)),
    Case("import 20000", _project("tree", 20000, "import")),
    Case("deep 6000", _project("deep", 6000), is_compared=False),
    Case("chain 5000", _project("chain", 5000), is_compared=False),
    Case("stack 5000", _project("layers", 5000, "stack"), is_compared=False),
    Case("stack 30000", _project("layers", 30000, "stack"), is_compared=False),
    Case("import 5000", _project("tree", 5000, "import"), is_compared=False),
    Case("import 30000", _project("tree", 30000, "import"), is_compared=False),
    Case("again 5000", _project("tree", 5000, "import"), is_compared=False, repeats=True),
    Case("one of 5000", _project("tree", 5000, "import"), "part-00/element-0000.bst", is_compared=False),
)


def _run(program: str, case: Case, directory: Path, scratch: Path) -> Sample:
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        if case.repeats:
            _show(program, case, directory, Path(home))
        return _show(program, case, directory, Path(home))


def _show(program: str, case: Case, directory: Path, home: Path) -> Sample:
    names = {"HOME": "", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data"}
    environment = {**os.environ, **{name: str(home / path) for name, path in names.items()}}
    command = [program, "show", "--deps", "all", "--format", "%{name} %{full-key} %{state}", case.target]
    output = home / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=stream, stderr=stream)
        peak_kib, pid = 0, 0
        while pid == 0:
            # the resource usage of a child counts what this process had when it was forked
            peak_kib = max(peak_kib, _peak_kib(process.pid))
            time.sleep(_POLL_S)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: {output.read_text(errors='replace')[-4000:]}")
    return Sample(usage.ru_utime, usage.ru_stime, peak_kib / 1024)


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _cell(samples: list[Sample]) -> str:
    if not samples:
        return f"{'-':>23}"
    user_s, system_s = min((sample.user_s, sample.system_s) for sample in samples)
    return f"{user_s:9.2f}{system_s:7.2f}{max(sample.memory_mib for sample in samples):7.0f}"


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference")
    parser.add_argument("candidate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    arguments = parser.parse_args()
    programs = [os.path.abspath(program) for program in (arguments.reference, arguments.candidate)]
    print(f"{'case':<14} | reference: user, sys, MiB | candidate: user, sys, MiB | ratio")
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        with tempfile.TemporaryDirectory(prefix="bst-bench-", dir=memory) as scratch:
            directory = Path(scratch, "project")
            case.make(directory)
            samples: list[list[Sample]] = [[], []]
            for _ in range(arguments.rounds):
                for number, program in enumerate(programs):
                    if number == 1 or case.is_compared:
                        samples[number].append(_run(program, case, directory, Path(scratch)))
            ratio = ""
            if case.is_compared:
                reference, candidate = (min(sample.user_s for sample in each) for each in samples)
                ratio = f"{candidate / reference:.3f}"
            print(f"{case.name:<14} | {_cell(samples[0])} | {_cell(samples[1])} | {ratio}", flush=True)
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
