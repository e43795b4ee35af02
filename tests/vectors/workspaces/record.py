#!/usr/bin/env python3
"""Records anew what a bst program answers to the sequences: `record.py [--instead] BST [SEQUENCE]...`.

Meant for BuildStream 2.8, by which every later run is measured.  Steps that are meant to be answered
differently give the reason in the scenario; with `--instead`, the differences of BST in these are recorded.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.vectors.invocations.steps import Run
from tests.vectors.workspaces.sequences import (
    Answer,
    Performance,
    Sequence,
    lay_out,
    load_answers,
    load_sequences,
    save_answers,
    save_instead,
)


def answers_of(bst: str, sequence: Sequence, scratch: Path) -> list[Answer]:
    """What BST answers to the steps, run one after the other in a fresh project."""
    project = scratch / "project"
    lay_out(sequence, project)
    if sequence.has_base:
        make_host_base(str(project / "files" / "base"), SHELL_TOOLS)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BST_", "XDG_"))},
        "HOME": str(scratch / "home"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "XDG_CONFIG_HOME": str(scratch / "config"),
        "XDG_DATA_HOME": str(scratch / "data"),
    }
    (scratch / "home").mkdir()
    (scratch / "config").mkdir()
    (scratch / "config" / "buildstream.conf").write_text(sequence.configuration.replace("@SPACE@", str(scratch)))

    def run(arguments: tuple[str, ...], cwd: Path, extra: Mapping[str, str]) -> Run:
        result = subprocess.run(
            [bst, *arguments],
            cwd=cwd,
            env={**environment, **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        return Run(result.returncode, result.stdout, result.stderr)

    performance = Performance(sequence, project, run)
    return [performance.perform(step) for step in sequence.steps]


def main() -> None:
    """Replaces the answers of the chosen sequences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instead", action="store_true", help="record what is meant to differ")
    parser.add_argument("bst", help="the executable to ask")
    parser.add_argument("sequences", nargs="*", help="all by default")
    arguments = parser.parse_args()
    for sequence in load_sequences():
        if arguments.sequences and sequence.name not in arguments.sequences:
            continue
        if arguments.instead and not any(step.differs for step in sequence.steps):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            answers = answers_of(os.path.abspath(arguments.bst), sequence, Path(scratch))
        if arguments.instead:
            save_instead(sequence, answers, load_answers(sequence))
        else:
            save_answers(sequence, answers)
        print(sequence.name, flush=True)


if __name__ == "__main__":
    main()
