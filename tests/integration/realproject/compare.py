#!/usr/bin/env python3
"""Builds a project with two bst programs and compares what they made, and how long it took.

    compare.py PROJECT LEFT RIGHT [--target ELEMENT]... [--twice] [--copied ELEMENT]
               [--scratch FOLDER] [--report FILE]

LEFT and RIGHT are command lines, for example `bst` or `env PYTHONPATH=/source python3 -m buildstream`.
Each builds the targets over caches of its own, which are empty at first.  Then `bst show` of each tells
every element's cache key and the digest of its artifact.  Keys must agree.  Digests must agree too, but
for elements whose own commands make something else each time: with --twice LEFT builds in two places,
and an element whose two digests differ there is reported as not reproducible and not compared.
With --copied LEFT builds once more with roots that are copied, as on machines without overlays;
ELEMENT, which has to run a command, is built before that to find out where what works is remembered.

Exit status: 0 if all that must agree does, else 1.  The project may be one of prepare.py's, or any other
that builds without a network.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = "%{name}|%{kind}|%{state}|%{full-key}|%{artifact-cas-digest}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for every build."""

    project: Path
    targets: tuple[str, ...]
    builders: int
    max_jobs: int


@dataclass(frozen=True, slots=True)
class Step:
    """How long one command took; the CPU time is that of the program and all that it waited for."""

    name: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One element as `bst show` tells it after a build."""

    name: str
    kind: str
    state: str
    key: str
    digest: str
    """HASH/SIZE of the artifact's files, empty if there is no artifact."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one program did in one place."""

    steps: tuple[Step, ...]
    outcomes: dict[str, Outcome]
    size_bytes: int
    """Disk space that the caches take, each file counted once however many links it has."""


class Program:
    """A bst command line with caches and configuration of its own below `folder`."""

    def __init__(self, command: str, folder: Path, settings: Settings) -> None:
        self._settings = settings
        self._folder = folder
        folder.mkdir(parents=True)
        configuration = {
            "cachedir": str(folder / "cache"),
            "sourcedir": str(folder / "sources"),
            "logdir": str(folder / "logs"),
            "scheduler": {"builders": settings.builders},
            "build": {"max-jobs": settings.max_jobs},
        }
        # JSON is YAML
        (folder / "buildstream.conf").write_text(json.dumps(configuration), encoding="utf-8")
        self._command = [*shlex.split(command), "--config", str(folder / "buildstream.conf")]
        self._command += ["--no-colors", "--no-interactive", "--directory", str(settings.project)]
        self._environment = dict(
            os.environ, XDG_CACHE_HOME=str(folder / "home"), XDG_CONFIG_HOME=str(folder / "home")
        )

    def use_copied_roots(self, element: str) -> None:
        """Has it remembered that overlays do not work here; builds ELEMENT, and deletes that again."""
        self._timed("find out", "build", element)
        for path in (self._folder / "cache" / "tmp").glob("sandbox-probe-*.json"):
            found = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps({**found, "method": "copy"}), encoding="utf-8")
        self._timed("delete", "artifact", "delete", element)

    def uses_copied_roots(self) -> bool:
        """Whether the last build still believed that overlays do not work."""
        paths = list((self._folder / "cache" / "tmp").glob("sandbox-probe-*.json"))
        return bool(paths) and all(json.loads(path.read_text())["method"] == "copy" for path in paths)

    def run(self) -> Run:
        """Loads, builds, builds again with nothing to do; a failed command ends this program."""
        targets = self._settings.targets
        steps = [
            self._timed("show", "show", "--format", "%{name} %{full-key}", *targets)[0],
            self._timed("build", "build", *targets)[0],
            self._timed("build again", "build", *targets)[0],
        ]
        # the cached ones that nothing of the targets needs at run time are wanted as well
        step, text = self._timed("show again", "show", "--deps", "all", "--format", FORMAT, *targets)
        outcomes = [Outcome(*line.split("|")) for line in text.splitlines()]
        return Run(
            (*steps, step), {outcome.name: outcome for outcome in outcomes}, _disk_use_bytes(self._folder)
        )

    def _timed(self, name: str, *arguments: str) -> tuple[Step, str]:
        log = self._folder / f"{name}.log"
        print(f"{self._folder.name}: {name}", file=sys.stderr, flush=True)
        started, cpu_before = time.monotonic(), _children_cpu_s()
        with log.open("wb") as errors:
            result = subprocess.run(
                [*self._command, *arguments],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                check=False,
            )
        step = Step(name, time.monotonic() - started, _children_cpu_s() - cpu_before)
        if result.returncode != 0:
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[-4000:])
            raise SystemExit(f"{name} failed with exit code {result.returncode}; its messages are in {log}")
        return step, result.stdout.decode("utf-8")


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _disk_use_bytes(folder: Path) -> int:
    sizes: dict[tuple[int, int], int] = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(directory, name))
            sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def differences(left: Run, right: Run, again: Run | None, copied: Run | None) -> dict[str, str]:
    """Gives a remark for each element that is not equal on all sides, by name.

    The remark "not reproducible" is no fault; `again` and `copied` are other runs of the left side, if
    there were any.
    """
    remarks: dict[str, str] = {}
    for name in sorted(left.outcomes.keys() | right.outcomes.keys()):
        ours, theirs = left.outcomes.get(name), right.outcomes.get(name)
        if ours is None or theirs is None:
            remarks[name] = "only on the right" if ours is None else "only on the left"
        elif ours.key != theirs.key:
            remarks[name] = "KEY"
        elif again is not None and again.outcomes[name].digest != ours.digest:
            remarks[name] = "not reproducible"
        elif ours.digest != theirs.digest:
            remarks[name] = "DIGEST"
        elif copied is not None and copied.outcomes[name] != ours:
            remarks[name] = "COPIED"
    return remarks


def print_report(left: Run, right: Run, remarks: dict[str, str]) -> None:
    """Prints a table of the elements, then one of the times."""
    width = max(len(name) for name in left.outcomes)
    for name, outcome in left.outcomes.items():
        key, digest, remark = outcome.key[:8], outcome.digest[:12] or "-", remarks.get(name, "equal")
        print(f"{name:<{width}}  {outcome.kind:<10} {key}  {digest:<12}  {remark}")
    print()
    print(f"{'seconds':<{width}}  {'left wall':>10} {'left CPU':>10} {'right wall':>10} {'right CPU':>10}")
    for ours, theirs in zip(left.steps, right.steps, strict=True):
        times = (ours.wall_s, ours.cpu_s, theirs.wall_s, theirs.cpu_s)
        print(f"{ours.name:<{width}}  " + " ".join(f"{seconds:10.2f}" for seconds in times))
    print(f"caches: left {left.size_bytes / 2**20:.0f} MiB, right {right.size_bytes / 2**20:.0f} MiB")


def compare(
    settings: Settings,
    commands: Sequence[str],
    scratch: Path,
    *,
    twice: bool,
    copied_first: str | None,
    report: Path | None,
) -> bool:
    """Builds on both sides and reports; gives whether all that must agree does."""
    left = Program(commands[0], scratch / "left", settings).run()
    again = Program(commands[0], scratch / "left-again", settings).run() if twice else None
    copied = None
    if copied_first is not None:
        program = Program(commands[0], scratch / "left-copied", settings)
        program.use_copied_roots(copied_first)
        copied = program.run()
        assert program.uses_copied_roots(), "a failure of the sandbox would have it find out again"
    right = Program(commands[1], scratch / "right", settings).run()
    remarks = differences(left, right, again, copied)
    print_report(left, right, remarks)
    if report is not None:
        content = {"left": asdict(left), "right": asdict(right), "remarks": remarks}
        report.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return all(remark == "not reproducible" for remark in remarks.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("left", metavar="LEFT")
    parser.add_argument("right", metavar="RIGHT")
    parser.add_argument("--target", action="append", metavar="ELEMENT", help="default: everything.bst")
    parser.add_argument(
        "--twice", action="store_true", help="learn from a second build on the left what is reproducible"
    )
    parser.add_argument(
        "--copied", metavar="ELEMENT", help="build on the left with copied roots, too; ELEMENT is built first"
    )
    parser.add_argument(
        "--scratch", type=Path, default=Path("/dev/shm"), help="where the caches lie meanwhile (/dev/shm)"
    )
    parser.add_argument("--report", type=Path, help="write what is reported as JSON, too")
    parser.add_argument("--builders", type=int, default=2)
    parser.add_argument("--max-jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="leave the caches and logs where they are")
    arguments = parser.parse_args()
    targets = tuple(arguments.target or ["everything.bst"])
    settings = Settings(arguments.project.resolve(), targets, arguments.builders, arguments.max_jobs)
    scratch = Path(tempfile.mkdtemp(prefix="bst-compare-", dir=arguments.scratch))
    try:
        agrees = compare(
            settings,
            (arguments.left, arguments.right),
            scratch,
            twice=arguments.twice,
            copied_first=arguments.copied,
            report=arguments.report,
        )
    finally:
        if arguments.keep:
            print(f"Caches and logs are in {scratch}", file=sys.stderr)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
