"""Kills bst at random moments of a build, looks at what is left, and builds again.

    kill_rounds.py [--rounds N] [--first-seed N]

To be run in the directory above `tests`, as `python -m tests.fault.kill_rounds`.
Every round has a store of its own and may kill the build several times.
"""

import argparse
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.fault.background import Background
from tests.fault.projects import write_layered_project
from tests.fault.storecheck import find_faults, mounts_below
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.space import TestSpace

TARGET = "all.bst"
_MOST_KILLS = 3
_MOST_DELAY_S = 0.05  # after a line of output: the time that the shortest steps take


@dataclass(frozen=True, slots=True)
class Round:
    """What came out of one round."""

    kills: int
    cached: int  # elements that the killed builds had finished
    faults: tuple[str, ...]


class KillRounds:
    """Rounds on one project; the first build, which nothing disturbs, tells what is right.

    Args:
        space: An empty space.
    """

    def __init__(self, space: TestSpace) -> None:
        self._space = space
        write_layered_project(space)
        space.configure("logging: {throttle-ui-updates: False}\n")
        self._line_count = space.bst("build", TARGET).stderr.count("\n")
        self._expected = self._contents()

    def run(self, seed: int) -> Round:
        """Kills the builds of a new store at moments that SEED decides, then lets one finish."""
        shutil.rmtree(self._space.cache_directory)
        chance = random.Random(seed)
        faults: list[str] = []
        kills = chance.randint(1, _MOST_KILLS)
        for _ in range(kills):
            faults += self._kill_build(chance)
        cached = sum(state == "cached" for state in self._space.states(TARGET).values())
        self._space.bst("build", TARGET)
        if self._contents() != self._expected:
            faults.append("keys or contents differ")
        faults += self._look("at the end")
        return Round(kills, cached, tuple(f"seed {seed}: {fault}" for fault in faults))

    def _kill_build(self, chance: random.Random) -> list[str]:
        # by its progress, not by time: the machine may be busy
        lines = chance.randrange(self._line_count)
        delay_s = chance.uniform(0.0, _MOST_DELAY_S)
        running = Background(self._space, "build", TARGET)
        running.wait_for(lambda: running.output().count("\n") >= lines, may_end=True)
        if not running.has_ended(delay_s):
            running.process.kill()
        ended = running.end()
        return [*(f"left behind {process}" for process in ended.leftovers), *self._look("after a kill")]

    def _look(self, when: str) -> list[str]:
        scratch = self._space.directory / "scratch"
        faults = find_faults(self._space.cache_directory, scratch)
        shutil.rmtree(scratch)
        faults += mounts_below(self._space.directory)
        return [f"{when}: {fault}" for fault in faults]

    def _contents(self) -> dict[str, str]:
        return self._space.show("%{full-key} %{state} %{artifact-cas-digest}", TARGET)


def main() -> int:
    """Runs the rounds and writes one line for each; the status tells whether all was well."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-rounds-", dir=_memory_directory()) as name:
        directory = Path(name)
        make_host_base(str(directory / "base"), SHELL_TOOLS)
        (directory / "space").mkdir()
        rounds = KillRounds(TestSpace(directory / "space", lambda: directory / "base"))
        results = [_report(seed, rounds) for seed in _seeds(options.first_seed, options.rounds)]
    faults = sum(len(result.faults) for result in results)
    sys.stdout.write(f"{len(results)} rounds, {sum(r.kills for r in results)} kills, {faults} faults\n")
    return 1 if faults else 0


def _seeds(first: int, count: int) -> range:
    return range(first, first + count)


def _report(seed: int, rounds: KillRounds) -> Round:
    result = rounds.run(seed)
    sys.stdout.write(f"seed {seed}: {result.kills} kills, {result.cached} elements survived\n")
    sys.stdout.write("".join(f"  {fault}\n" for fault in result.faults))
    sys.stdout.flush()
    return result


def _memory_directory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
