#!/usr/bin/env python3
"""Records what a bst program answers to the questions that plugins ask: `record.py BST`.

Meant for BuildStream 2.8: `expected.json` is what every later run is measured against.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.vectors.api.asking import COMMANDS, lay_out, read_answers, save_expected, surroundings


def main() -> None:
    """Writes expected.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bst", help="the executable to ask")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder)
        (space / "home").mkdir()
        lay_out(space / "project")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BST_", "XDG_"))},
            "HOME": str(space / "home"),
            "XDG_CACHE_HOME": str(space / "cache"),
            "XDG_CONFIG_HOME": str(space / "config"),
            **surroundings(space),
        }
        texts = [_run(arguments.bst, command, space / "project", environment) for command in COMMANDS]
        save_expected(read_answers(space), texts)


def _run(bst: str, command: Sequence[str], project: Path, environment: Mapping[str, str]) -> str:
    result = subprocess.run(
        [bst, *command],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stderr.write(result.stderr)
    return result.stdout


if __name__ == "__main__":
    main()
