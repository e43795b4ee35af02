"""Damages valid projects at random and runs the program on them.

    python -m tests.fuzz.run [--seconds N] [--seed S] [--keep DIRECTORY]

Every case that ends badly is written to DIRECTORY, to become part of
tests/fuzz/corpus once the fault is mended.  The same seed gives the same cases.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.fuzz.cases import Case, load_corpus, load_seeds
from tests.fuzz.execution import execute
from tests.fuzz.mutations import mutate


def generate_cases(seed: int) -> Iterator[Case]:
    """Damaged cases without end."""
    random = Random(seed)
    seeds = [*load_seeds(), *load_corpus().values()]
    while True:
        yield mutate(random, random.choice(seeds), seeds)


def main() -> int:
    """The program; the status tells whether there were faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-faults"))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    scratch = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    started_s = time.monotonic()
    faults: Counter[str] = Counter()
    count, slowest_s, largest_mib = 0, 0.0, 0.0
    for case in generate_cases(arguments.seed):
        if time.monotonic() - started_s > arguments.seconds:
            break
        outcome = execute(case, scratch)
        count += 1
        slowest_s = max(slowest_s, outcome.cpu_s)
        largest_mib = max(largest_mib, outcome.memory_mib)
        if outcome.fault is not None:
            faults[outcome.fault] += 1
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / f"{case.identifier}.json").write_text(case.to_json(), encoding="utf-8")
            (arguments.keep / f"{case.identifier}.txt").write_text(
                f"{outcome.fault}\n{outcome.stderr}", encoding="utf-8", errors="surrogateescape"
            )
            print(f"{case.identifier}: {outcome.fault}", flush=True)
    elapsed_s = time.monotonic() - started_s
    print(f"{count} runs in {elapsed_s:.0f} s, slowest {slowest_s:.1f} s, largest {largest_mib:.0f} MiB more")
    print(f"faults: {dict(faults) or 'none'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
