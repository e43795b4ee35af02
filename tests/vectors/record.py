#!/usr/bin/env python3
"""Records anew what a bst executable answers for the vectors: `record.py BST [IDENTIFIER]...`.

The questions (options, targets, symbols) stay those of the recordings; only their answers are replaced.
Without identifiers all are recorded.  Meant for BuildStream 2.8, by which every later run is measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.vectors.recording import (
    copy_project,
    find_recordings,
    load_recording,
    parse_records,
    save_recording,
)


def answer(bst: str, project: Path, arguments: list[str], scratch: Path) -> str:
    """The standard output of one call, made with caches and configuration of its own."""
    environment = dict(
        os.environ, XDG_CACHE_HOME=str(scratch / "cache"), XDG_CONFIG_HOME=str(scratch / "config")
    )
    result = subprocess.run(
        [bst, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        sys.exit(f"{project}: exit status {result.returncode}\n{result.stderr}")
    return result.stdout


def main() -> None:
    """Replaces the answers of the chosen recordings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bst", help="the executable to ask")
    parser.add_argument("identifiers", nargs="*", help="as in the test ids, for example keys/scopes/all-of-a")
    arguments = parser.parse_args()
    for path in find_recordings("keys", "kitchen-sink", "desktop"):
        recording = load_recording(path)
        if arguments.identifiers and recording.identifier not in arguments.identifiers:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            project = Path(scratch, "project")
            copy_project(path.parent, project)
            output = answer(arguments.bst, project, recording.arguments, Path(scratch))
        save_recording(dataclasses.replace(recording, elements=parse_records(output)))
        print(recording.identifier)


if __name__ == "__main__":
    main()
