#!/usr/bin/env python3
"""Compares two bst executables where many files are imported, staged, composed and checked out.

    store.py [--rounds N] [--only CASE]... [--files N] [--memory] REFERENCE CANDIDATE

In every round each case is run with the reference, then with the candidate.  Caches
and projects are in memory where the machine has /dev/shm.  The table gives wall and
processor time in seconds, minimum and median, and the ratio of the medians,
candidate to reference.  "staging" is what the log says about the step itself; the
case "stage again" builds another element on the same dependencies.  "cp -al" and
"cp -a" are measured beside the check-outs.

With --memory, nothing is timed: the table gives the largest sum of the resident sets
of the program and all that it runs, its cache daemon included, in MiB, without the sandboxes.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from generate import generate, make_base
from remotes import Bench as RemotesBench
from run import wait_for_leftovers

_MEMORY = "/dev/shm"
_LAYERS = 100
_ARTIFACTS = 200
_STEP = re.compile(rb"\[(\d\d):(\d\d):(\d\d\.\d+)\].*SUCCESS\s+Staging dependencies at")
_CONFIGURATION = (
    "logging:\n  message-format: '[%{elapsed-us}][%{key}][%{element}] %{action} %{message}'\n"
    "cache: {quota: infinity}\n"
)
_MANUAL = (
    "kind: manual\nbuild-depends:\n{needs}"
    "config:\n  install-commands:\n  - echo {name} > %{{install-root}}/f\n"
)
_IMPORT = "kind: import\nsources:\n- kind: local\n  path: {path}\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run, in seconds."""

    wall_s: float
    cpu_s: float
    staging_s: float | None = None
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Something to measure."""

    name: str
    prepare: tuple[tuple[str, ...], ...]  # run before, not measured
    arguments: tuple[str, ...]
    project: str = "files"


_BUILD = ("--no-interactive", "--builders", "2", "build")
_SHOW = ("show", "all.bst")
CASES = (
    Case("import", (), (*_BUILD, "big.bst")),
    Case("import again", ((*_BUILD, "big.bst"),), (*_BUILD, "big.bst")),
    Case("stage", ((*_BUILD, "base.bst", "layers.bst"),), (*_BUILD, "user-1.bst")),
    Case(
        "stage again", ((*_BUILD, "base.bst", "layers.bst"), (*_BUILD, "user-1.bst")), (*_BUILD, "user-2.bst")
    ),
    Case("compose", ((*_BUILD, "layers.bst"),), (*_BUILD, "compose.bst")),
    Case("check out", ((*_BUILD, "big.bst"),), ("artifact", "checkout", "big.bst", "--directory", "{out}")),
    Case(
        "with links",
        ((*_BUILD, "big.bst"),),
        ("artifact", "checkout", "big.bst", "--hardlinks", "--directory", "{out}"),
    ),
    Case("no-op build", ((*_BUILD, "all.bst"),), (*_BUILD, "all.bst"), "many"),
    Case("show first", ((*_BUILD, "all.bst"),), _SHOW, "artifacts"),
    Case("show again", ((*_BUILD, "all.bst"), _SHOW), _SHOW, "artifacts"),
    Case("build again", ((*_BUILD, "all.bst"), _SHOW), (*_BUILD, "all.bst"), "artifacts"),
    Case("build one", ((*_BUILD, "all.bst"), _SHOW), (*_BUILD, "one.bst"), "artifacts"),
    Case("show after", ((*_BUILD, "all.bst"), _SHOW, (*_BUILD, "one.bst")), _SHOW, "artifacts"),
)


@dataclass(slots=True)
class Bench:
    """Runs cases in a scratch directory, on the same file system as everything else."""

    scratch: Path
    file_count: int
    watches_memory: bool
    runs: int = 0
    copies: dict[str, list[Sample]] = field(default_factory=dict)

    def measure(self, program: str, case: Case) -> Sample:
        """Runs CASE once with caches that nobody has used before."""
        self.runs += 1
        home = self.scratch / f"run-{self.runs}"
        (home / "config").mkdir(parents=True)
        (home / "config" / "buildstream.conf").write_text(_CONFIGURATION)
        project = self._project(case.project)
        try:
            for arguments in case.prepare:
                self._run(program, arguments, project, home)
            return self._run(program, case.arguments, project, home)
        finally:
            wait_for_leftovers(home)
            shutil.rmtree(home, ignore_errors=True)

    def copy(self, option: str) -> None:
        """Measures cp with OPTION on the files that are checked out."""
        source = self._project("files") / "files" / "big"
        target = self.scratch / "copy"
        sample = _timed(["cp", option, str(source), str(target)], self.scratch, os.environ)[0]
        self.copies.setdefault(f"cp {option}", []).append(sample)
        shutil.rmtree(target)

    def _project(self, name: str) -> Path:
        if name == "artifacts":
            directory = self.scratch / "tarballs" / name
        else:
            directory = self.scratch / f"project-{name}"
        if not directory.exists():
            if name == "many":
                generate(directory, "tree", 1000, "stack")
            elif name == "artifacts":
                _generate_artifacts(directory.parent, self.file_count)
            else:
                _generate_files(directory, self.file_count)
        return directory

    def _run(self, program: str, arguments: tuple[str, ...], project: Path, home: Path) -> Sample:
        environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
        }
        words = [program, *(word.format(out=home / "out") for word in arguments)]
        watch = _largest_sum if self.watches_memory else None
        sample, output = _timed(words, project, environment, watch)
        step = _STEP.search(output)
        if step is None:
            return sample
        hours, minutes, seconds = (float(part) for part in step.groups())
        return Sample(sample.wall_s, sample.cpu_s, hours * 3600 + minutes * 60 + seconds, sample.memory_mib)


def _generate_artifacts(scratch: Path, file_count: int) -> None:
    """Many elements that import tarballs of FILE_COUNT files together, and one that needs them all."""
    RemotesBench(scratch, "").write_project("artifacts", _ARTIFACTS, file_count // _ARTIFACTS, 300)
    project = scratch / "artifacts"
    _write_files(project / "files" / "one", "usr/share/one", 1)
    text = _IMPORT.format(path="files/one") + "depends:\n- all.bst\n"
    (project / "elements" / "one.bst").write_text(text)


def _generate_files(project: Path, file_count: int) -> None:
    elements = project / "elements"
    elements.mkdir(parents=True)
    (project / "project.conf").write_text(
        'name: files\nmin-version: 2.0\nelement-path: elements\nenvironment: {PATH: "/usr/bin:/bin"}\n'
    )
    make_base(project / "files" / "base")
    (elements / "base.bst").write_text(_IMPORT.format(path="files/base"))
    (elements / "big.bst").write_text(_IMPORT.format(path="files/big"))
    _write_files(project / "files" / "big", "big", file_count)
    names = [f"layer-{number:03}" for number in range(_LAYERS)]
    for name in names:
        _write_files(project / "files" / name, f"usr/share/{name}", file_count // _LAYERS)
        (elements / f"{name}.bst").write_text(_IMPORT.format(path=f"files/{name}"))
    needs = "".join(f"- {name}.bst\n" for name in names)
    (elements / "layers.bst").write_text("kind: stack\ndepends:\n" + needs)
    (elements / "compose.bst").write_text("kind: compose\nbuild-depends:\n" + needs)
    for name in ("user-1", "user-2"):
        text = _MANUAL.format(needs="- base.bst\n" + needs, name=name)
        (elements / f"{name}.bst").write_text(text)


def _write_files(directory: Path, prefix: str, count: int) -> None:
    for number in range(count):
        path = directory / prefix / f"d{number // 100}" / f"file-{number}.txt"
        if number % 100 == 0:
            path.parent.mkdir(parents=True)
        path.write_text(f"{prefix} {number}\n" * 20)


def _timed(
    words: list[str],
    directory: Path,
    environment: "os._Environ[str] | dict[str, str]",
    watch: Callable[[int], float] | None = None,
) -> tuple[Sample, bytes]:
    """One run of a program, and what it wrote."""
    with tempfile.TemporaryFile(dir=directory) as output:
        started_s = time.perf_counter()
        process = subprocess.Popen(words, cwd=directory, env=environment, stdout=output, stderr=output)
        memory_mib = 0.0 if watch is None else watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started_s
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(words)}: status {process.returncode}\n{text.decode(errors='replace')[-4000:]}")
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, None, memory_mib), text


def _largest_sum(pid: int) -> float:
    """The largest sum of the resident sets of a program and its children, in MiB, until it ends."""
    largest = 0
    while _state(pid) not in ("Z", ""):
        waiting, total = [pid], 0
        while waiting:
            current = waiting.pop()
            total += _resident_kib(current)
            waiting += _children(current)
        largest = max(largest, total)
        time.sleep(0.01)
    return largest / 1024


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass  # it has just ended
    return found


def _resident_kib(pid: int) -> int:
    try:
        match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(match[1]) if match else 0


def _cells(samples: list[Sample]) -> str:
    walls = [sample.wall_s for sample in samples]
    cpu_s = statistics.median(sample.cpu_s for sample in samples)
    return f"{min(walls):8.3f}{statistics.median(walls):8.3f}{cpu_s:8.3f}"


def _line(name: str, reference: list[Sample], candidate: list[Sample]) -> str:
    ratios = [
        statistics.median(getattr(sample, what) for sample in candidate)
        / statistics.median(getattr(sample, what) for sample in reference)
        for what in ("wall_s", "cpu_s")
    ]
    cells = [f"{name:<14}", _cells(reference), _cells(candidate), f"{ratios[0]:7.3f} {ratios[1]:7.3f}"]
    steps = [
        [f"{sample.staging_s * 1000:.1f}" for sample in samples if sample.staging_s is not None]
        for samples in (reference, candidate)
    ]
    if any(steps):
        cells.append(f"staging in ms: {', '.join(steps[0])} and {', '.join(steps[1])}")
    return " | ".join(cells)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference")
    parser.add_argument("candidate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    programs = [os.path.abspath(program) for program in (arguments.reference, arguments.candidate)]
    cases = [case for case in CASES if not arguments.only or case.name in arguments.only]
    results: dict[str, tuple[list[Sample], list[Sample]]] = {case.name: ([], []) for case in cases}
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bst-bench-", dir=memory) as scratch:
        bench = Bench(Path(scratch), arguments.files, arguments.memory)
        for _ in range(arguments.rounds):
            for case in cases:
                for program, samples in zip(programs, results[case.name], strict=True):
                    samples.append(bench.measure(program, case))
            if not arguments.memory and any("out" in case.name or "links" in case.name for case in cases):
                bench.copy("-al")
                bench.copy("-a")
    if arguments.memory:
        for name, (reference, candidate) in results.items():
            sums = [max(sample.memory_mib or 0 for sample in samples) for samples in (reference, candidate)]
            print(f"{name:<14} | {sums[0]:7.0f} | {sums[1]:7.0f} MiB")
        return
    columns = [f"{who}: min, median, cpu" for who in ("reference", "candidate")]
    print(" | ".join([f"{'case':<14}", *columns, "ratio: wall, cpu"]))
    for name, samples in results.items():
        print(_line(name, *samples))
    for name, copies in bench.copies.items():
        print(f"{name:<14} | {_cells(copies)}")


if __name__ == "__main__":
    main()
