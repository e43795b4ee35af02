#!/usr/bin/env python3
"""Records anew what a bst program answers to the scenarios: `record.py BST [SCENARIO]...`.

Meant for BuildStream 2.8, by which every later run is measured.  Steps that are meant to be answered
differently say so in the scenario; what is recorded here is what BuildStream 2.8 says all the same.
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
from tests.vectors.invocations.steps import (
    Answer,
    Run,
    Scenario,
    lay_out,
    load_scenarios,
    perform,
    save_answers,
)


def answers(bst: str, scenario: Scenario, scratch: Path) -> list[Answer]:
    """What BST answers to the steps, run one after the other in a fresh project."""
    project = scratch / "project"
    lay_out(scenario, project)
    if scenario.has_base:
        make_host_base(str(project / "files" / "base"), SHELL_TOOLS)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BST_", "XDG_"))},
        "HOME": str(scratch / "home"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "XDG_CONFIG_HOME": str(scratch / "config"),
        "XDG_DATA_HOME": str(scratch / "data"),
    }
    (scratch / "home").mkdir()

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

    return [perform(step, project, run, masks_keys=scenario.has_base) for step in scenario.steps]


def main() -> None:
    """Replaces the answers of the chosen scenarios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bst", help="the executable to ask")
    parser.add_argument("scenarios", nargs="*", help="all by default")
    arguments = parser.parse_args()
    for scenario in load_scenarios():
        if arguments.scenarios and scenario.name not in arguments.scenarios:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            save_answers(scenario, answers(arguments.bst, scenario, Path(scratch)))
        print(scenario.name)


if __name__ == "__main__":
    main()
