"""Proofs about workspaces that take too long for the suite; run by hand.

    python tests/integration/workspaces/prove.py compare DIRECTORY BST REFERENCE [--only NAME...]
    python tests/integration/workspaces/prove.py concurrent DIRECTORY BST [--count 20]
    python tests/integration/workspaces/prove.py kill DIRECTORY BST [--count 200] [--seed 0]
    python tests/integration/workspaces/prove.py keys DIRECTORY [--count 2000] [--seed 0]

`compare` runs the sequences of `tests/vectors/workspaces` with two programs and compares all that they
answer and leave.  `concurrent` opens 32 workspaces at the same time and closes them again, COUNT rounds.
`kill` kills commands that change or build workspaces at random moments of their CPU time.  `keys`
edits a directory COUNT times at random and compares its digest with that of reading everything.
DIRECTORY is scratch space.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.integration.workspaces.comparing import compare
from tests.integration.workspaces.edits import prove_keys
from tests.integration.workspaces.killing import concurrent, kill


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("proof", choices=("compare", "concurrent", "kill", "keys"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("program", nargs="*")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=())
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    if options.proof == "compare":
        failures = compare(options.directory, options.program[0], options.program[1], options.only)
    elif options.proof == "concurrent":
        failures = concurrent(options.directory, options.program[0], options.count or 20)
    elif options.proof == "kill":
        failures = kill(options.directory, options.program[0], options.count or 200, options.seed)
    else:
        failures = prove_keys(options.directory, options.count or 2000, options.seed)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
