"""Several bst build overlapping targets in one store while another one cleans it up.

    sharing_rounds.py [--rounds N] [--processes N] [--first-seed N]

To be run in the directory above `tests`, as `python -m tests.fault.sharing_rounds`.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fault.background import Background
from tests.fault.projects import write_layered_project
from tests.fault.storecheck import find_faults
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.space import TestSpace

TARGETS = ("all.bst", "composed.bst", *(f"layer{number}.bst" for number in range(8)))
_PATIENCE_S = 6000.0  # it may run when nobody else wants the processor
# a line that each build writes once
_BUILT = re.compile(r"build:(\S+) *\] START +Caching artifact")


class SharingRounds:
    """Rounds on one project; the first build, which nothing disturbs, tells what is right.

    Args:
        space: An empty space.
        processes: How many build at once; one more cleans up.
    """

    def __init__(self, space: TestSpace, processes: int) -> None:
        self._space = space
        self._processes = processes
        write_layered_project(space)
        space.bst("build", "all.bst")
        self._expected = self._contents()

    def run(self, seed: int) -> list[str]:
        """Builds random targets in a new store at once; what went wrong, one line each."""
        shutil.rmtree(self._space.cache_directory)
        chance = random.Random(seed)
        builds = [
            Background(self._space, "build", *self._targets(chance, number), name=f"build-{number}")
            for number in range(self._processes)
        ]
        cleaning = Background(self._space, "cache", "clean", "--size", "0", name="clean")
        faults = [
            f"seed {seed}: {run.process.args!r} ended with {status}\n{run.output()}"
            for run in (*builds, cleaning)
            if (status := run.process.wait(_PATIENCE_S)) != 0
        ]
        built = Counter(name for run in builds for name in _BUILT.findall(run.output()))
        faults += [
            f"seed {seed}: {name} was built {count} times" for name, count in built.items() if count > 1
        ]
        faults += find_faults(self._space.cache_directory, self._space.directory / "scratch")
        shutil.rmtree(self._space.directory / "scratch", ignore_errors=True)
        if not faults and self._contents() != self._expected:
            faults.append(f"seed {seed}: the files are others")
        return faults

    @staticmethod
    def _targets(chance: random.Random, number: int) -> list[str]:
        # one builds all, so that there is always something to look at in the end
        return ["all.bst"] if number == 0 else chance.sample(TARGETS, chance.randint(1, 3))

    def _contents(self) -> dict[str, bytes]:
        space = self._space
        space.bst("artifact", "checkout", "--force", "--directory", "out", "all.bst")
        out = space.project_directory / "out"
        contents = {
            str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
        }
        shutil.rmtree(out)
        return contents


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--first-seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        base = Path(directory, "base")
        make_host_base(str(base), SHELL_TOOLS)
        (Path(directory, "space")).mkdir()
        rounds = SharingRounds(TestSpace(Path(directory, "space"), lambda: base), options.processes)
        failed = 0
        for seed in range(options.first_seed, options.first_seed + options.rounds):
            faults = rounds.run(seed)
            failed += bool(faults)
            sys.stdout.write(f"seed {seed}: {faults or 'good'}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{options.rounds} rounds, {failed} with faults\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
