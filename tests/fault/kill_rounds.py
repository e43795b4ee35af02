"""Ends bst at random moments of a build, a check-out or a clean-up, looks at what is left, and goes on.

    kill_rounds.py [--rounds N] [--first-seed N] [--command build|checkout|clean|many]

To be run in the directory above `tests`, as `python -m tests.fault.kill_rounds`.
A round of builds has a store of its own and may kill the build several times; the other
commands are killed once a round.  "many" is an import and check-outs of so many files that workers handle
them, which are killed, interrupted or terminated.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from buildstream._store.layout import TreeForm
from tests.fault.background import Background
from tests.fault.projects import write_layered_project
from tests.fault.storecheck import find_faults, mounts_below
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.space import TestSpace

TARGET = "all.bst"
_MOST_KILLS = 3
_MANY = 4000  # files
_MOST_DELAY_S = 0.05  # after a line of output: the time that the shortest steps take


@dataclass(frozen=True, slots=True)
class Round:
    """What came out of one round."""

    kills: int
    faults: tuple[str, ...]


class Rounds(Protocol):
    """Something that is killed in rounds."""

    def run(self, seed: int) -> Round:
        """One round, whose kills SEED decides."""


class _Project:
    """The project of all rounds; the first build, which nothing disturbs, tells what is right.

    Args:
        space: An empty space.
    """

    def __init__(self, space: TestSpace) -> None:
        self.space = space
        write_layered_project(space)
        space.configure("logging: {throttle-ui-updates: False}\n")
        self.line_count = space.bst("build", TARGET).stderr.count("\n")
        self.expected = self.contents()

    def contents(self) -> dict[str, str]:
        """Keys, states and trees of all elements."""
        return self.space.show("%{full-key} %{state} %{artifact-cas-digest}", TARGET)

    def look(self, when: str) -> list[str]:
        """What is wrong in the store now."""
        scratch = self.space.directory / "scratch"
        faults = find_faults(self.space.cache_directory, scratch)
        shutil.rmtree(scratch)
        faults += mounts_below(self.space.directory)
        return [f"{when}: {fault}" for fault in faults]


class KillRounds:
    """Builds that are killed, until one is let finish.

    Args:
        space: An empty space.
    """

    def __init__(self, space: TestSpace) -> None:
        self._project = _Project(space)
        self._space = space

    def run(self, seed: int) -> Round:
        """Kills the builds of a new store at moments that SEED decides, then lets one finish."""
        shutil.rmtree(self._space.cache_directory)
        chance = random.Random(seed)
        faults: list[str] = []
        kills = chance.randint(1, _MOST_KILLS)
        for _ in range(kills):
            faults += self._kill_build(chance)
        self._space.bst("build", TARGET)
        if self._project.contents() != self._project.expected:
            faults.append("keys or contents differ")
        faults += self._project.look("at the end")
        return Round(kills, tuple(f"seed {seed}: {fault}" for fault in faults))

    def _kill_build(self, chance: random.Random) -> list[str]:
        # by its progress, not by time: the machine may be busy
        lines = chance.randrange(self._project.line_count)
        delay_s = chance.uniform(0.0, _MOST_DELAY_S)
        running = Background(self._space, "build", TARGET)
        running.wait_for(lambda: running.output().count("\n") >= lines, may_end=True)
        return [*_kill(running, delay_s), *self._project.look("after a kill")]


class CheckoutKillRounds:
    """Check-outs that are killed, and done again over what they left.

    Args:
        space: An empty space.
    """

    def __init__(self, space: TestSpace) -> None:
        self._project = _Project(space)
        self._space = space
        self._out = space.project_directory / "out"
        self._archive = space.project_directory / "out.tar"
        # everything that is there for the first time, such as merged trees, and what it takes
        started_s = time.monotonic()
        self._checkout("--directory", "out").end()
        self._duration_s = time.monotonic() - started_s
        self._expected = _files(self._out)
        self._checkout("--tar", "out.tar").end()
        self._expected_archive = self._archive.read_bytes()

    def run(self, seed: int) -> Round:
        """Kills one check-out at a moment that SEED decides, then repeats it."""
        shutil.rmtree(self._out, ignore_errors=True)
        self._archive.unlink(missing_ok=True)
        chance = random.Random(seed)
        arguments = chance.choice(
            [("--directory", "out"), ("--directory", "out", "--hardlinks"), ("--tar", "out.tar")]
        )
        if chance.random() < 0.3:  # sometimes what sandboxes are made of has to be made again
            for form in TreeForm:
                shutil.rmtree(self._space.cache_directory / form.value)
        faults = _kill(self._checkout(*arguments), chance.uniform(0.0, self._duration_s))
        faults += self._project.look("after a kill")
        if self._archive.exists() and self._archive.read_bytes() != self._expected_archive:
            faults.append("half an archive")
        ended = self._checkout(*arguments, "--force").end()
        if ended.code != 0:
            faults.append(f"can't be repeated\n{ended.output}")
        elif "--tar" in arguments:
            faults += ["another archive"] * (self._archive.read_bytes() != self._expected_archive)
        else:
            faults += ["other files"] * (_files(self._out) != self._expected)
        return Round(1, tuple(f"seed {seed}: {fault}" for fault in faults))

    def _checkout(self, *arguments: str) -> Background:
        return Background(self._space, "artifact", "checkout", TARGET, *arguments)


class CleanKillRounds:
    """Clean-ups that are killed.

    Args:
        space: An empty space.
    """

    def __init__(self, space: TestSpace) -> None:
        self._project = _Project(space)
        self._space = space
        _age(space.cache_directory)
        self._full = space.directory / "full"
        shutil.copytree(space.cache_directory, self._full, symlinks=True)  # times are kept
        started_s = time.monotonic()
        Background(space, "cache", "clean", "--size", "0").end()
        self._duration_s = time.monotonic() - started_s
        assert "cached" not in space.states(TARGET).values(), "there is something to delete"

    def run(self, seed: int) -> Round:
        """Kills one clean-up of a full store at a moment that SEED decides, then builds and cleans again."""
        shutil.rmtree(self._space.cache_directory)
        shutil.copytree(self._full, self._space.cache_directory, symlinks=True)
        chance = random.Random(seed)
        size = chance.choice(["0", "100K", "6M"])
        faults = _kill(
            Background(self._space, "cache", "clean", "--size", size), chance.uniform(0.0, self._duration_s)
        )
        faults += self._project.look("after a kill")
        self._space.bst("build", "--deps", "all", TARGET)  # others may need less
        if self._project.contents() != self._project.expected:
            faults.append("keys or contents differ")
        self._space.bst("cache", "clean", "--size", "0")
        faults += self._project.look("after another clean-up")
        return Round(1, tuple(f"seed {seed}: {fault}" for fault in faults))


class ManyFilesKillRounds:
    """Imports and check-outs of many files that are ended.

    Args:
        space: An empty space.
    """

    def __init__(self, space: TestSpace) -> None:
        self._space = space
        self._out = space.project_directory / "out"
        space.project()
        for number in range(_MANY):
            space.write(f"files/many/d{number % 60}/f{number}", f"content {number}\n")
        space.element(TARGET, "kind: import\nsources:\n- kind: local\n  path: files/many\n")
        self._expected = _files(space.project_directory / "files" / "many")
        started_s = time.monotonic()
        space.bst("build", TARGET)
        self._duration_s = time.monotonic() - started_s

    def run(self, seed: int) -> Round:
        """Ends one command at a moment that SEED decides, then repeats it."""
        chance = random.Random(seed)
        shutil.rmtree(self._out, ignore_errors=True)
        checkout = ("artifact", "checkout", TARGET, "--force", "--directory", "out")
        command = chance.choice([("build", TARGET), checkout, (*checkout, "--hardlinks")])
        if command[0] == "build":
            shutil.rmtree(self._space.cache_directory)
        number = chance.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
        running = Background(self._space, *command)
        if not running.has_ended(chance.uniform(0.0, self._duration_s)):
            running.signal(number)
        ended = running.end()
        faults = [f"left behind {process}" for process in ended.leftovers]
        # before the program is loaded, the interpreter has no other way to tell of an interrupt
        if "Traceback" in ended.output and "START" in ended.output:
            faults.append(ended.output)
        if number != signal.SIGKILL and self._out.exists() and _files(self._out) != self._expected:
            faults.append(f"half a check-out\n{ended.output}")
        faults += self._look()
        self._space.bst("build", TARGET)
        self._space.bst(*checkout, *chance.choice([(), ("--hardlinks",)]))
        faults += ["other files"] * (_files(self._out) != self._expected)
        faults += self._look()
        return Round(1, tuple(f"seed {seed}, {number.name} {' '.join(command)}: {fault}" for fault in faults))

    def _look(self) -> list[str]:
        scratch = self._space.directory / "scratch"
        faults = find_faults(self._space.cache_directory, scratch)
        shutil.rmtree(scratch, ignore_errors=True)
        return faults


ROUNDS: dict[
    str, type[KillRounds] | type[CheckoutKillRounds] | type[CleanKillRounds] | type[ManyFilesKillRounds]
] = {
    "build": KillRounds,
    "checkout": CheckoutKillRounds,
    "clean": CleanKillRounds,
    "many": ManyFilesKillRounds,
}


def _kill(running: Background, delay_s: float) -> list[str]:
    """Kills a program after DELAY_S unless it has ended; what it left running."""
    if not running.has_ended(delay_s):
        running.process.kill()
    return [f"left behind {process}" for process in running.end().leftovers]


def _age(cache_directory: Path) -> None:
    """Has everything in a store last been used an hour ago, so that no session protects it."""
    used_ns = time.time_ns() - 3600 * 1_000_000_000
    for path in cache_directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            is_object = path.parent.parent.name == "objects"
            os.utime(path, ns=(used_ns, path.stat().st_mtime_ns if is_object else used_ns))


def _files(directory: Path) -> dict[str, bytes | str]:
    """Contents and targets of all files and links below DIRECTORY."""
    return {
        str(path.relative_to(directory)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in directory.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def main() -> int:
    """Runs the rounds and writes one line for each; the status tells whether all was well."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--command", choices=sorted(ROUNDS), default="build")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-rounds-", dir=_memory_directory()) as name:
        directory = Path(name)
        make_host_base(str(directory / "base"), SHELL_TOOLS)
        (directory / "space").mkdir()
        rounds = ROUNDS[options.command](TestSpace(directory / "space", lambda: directory / "base"))
        results = [_report(seed, rounds) for seed in _seeds(options.first_seed, options.rounds)]
    faults = sum(len(result.faults) for result in results)
    sys.stdout.write(f"{len(results)} rounds, {sum(r.kills for r in results)} kills, {faults} faults\n")
    return 1 if faults else 0


def _seeds(first: int, count: int) -> range:
    return range(first, first + count)


def _report(seed: int, rounds: Rounds) -> Round:
    result = rounds.run(seed)
    sys.stdout.write(f"seed {seed}: {result.kills} kills, {len(result.faults)} faults\n")
    sys.stdout.write("".join(f"  {fault}\n" for fault in result.faults))
    sys.stdout.flush()
    return result


def _memory_directory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
