#!/usr/bin/env python3
"""Writes many small projects, and a few large ones, that vary every key of the project format.

    python -m tests.corpus.generate [--seed SEED] [--count N] [--large] DIRECTORY

The same arguments give the same projects.  DIRECTORY/cases.tsv lists them: name,
group, folder, mode, arguments of `show`, options before it, and targets.  What was
written how often is printed at the end.
"""

from __future__ import annotations

import argparse
import random
import shlex
from collections import Counter
from pathlib import Path

from tests.corpus.projects import ProjectMaker

_HEAD = "#name\tgroup\tproject\tmode\tshow-args\toptions\ttargets\n"
_LARGE_COUNT = 1000


def generate(directory: Path, seed: int, count: int, *, has_large: bool) -> Counter[str]:
    """Writes COUNT projects into DIRECTORY, which does not exist; gives how often what was written."""
    used: Counter[str] = Counter()
    directory.mkdir(parents=True)
    rows = []
    for number in range(count):
        rows += _project(directory, f"{seed}-{number}", used, None)
    for number in range(4 if has_large else 0):
        rows += _project(directory, f"{seed}-large-{number}", used, _LARGE_COUNT)
    (directory / "cases.tsv").write_text(_HEAD + "".join("\t".join(row) + "\n" for row in rows))
    return used


def _project(directory: Path, name: str, used: Counter[str], count: int | None) -> list[tuple[str, ...]]:
    maker = ProjectMaker(name, directory / name, used, element_count=count)
    maker.write()
    group = "small" if count is None else "large"
    plain = (name, group, name, "together", "--deps all", "--max-jobs 4", "everything.bst")
    if not maker.option_values:
        return [plain]
    words = [word for option, value in maker.option_values.items() for word in ("-o", option, value)]
    options = f"--max-jobs 4 {shlex.join(words)}"
    given = (f"{name}-options", group, name, "together", "--deps all", options, "everything.bst")
    # to compare a project takes seconds: small ones are looked at with or without options
    if count is None:
        return [random.Random(name).choice([plain, given])]
    return [plain, given]


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--large", action="store_true", help="projects of a thousand elements as well")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    used = generate(arguments.directory, arguments.seed, arguments.count, has_large=arguments.large)
    for construct, times in sorted(used.items()):
        print(f"{times:6} {construct}")


if __name__ == "__main__":
    main()
