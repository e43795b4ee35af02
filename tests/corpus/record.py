"""Records what a bst says about generated projects, for `test_corpus`.

    python -m tests.corpus.record BST

Meant for BuildStream 2.8.  BST has to be able to start sandboxes, as its `show` wants that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.corpus.projects import ProjectMaker
from tests.vectors.recording import SYMBOLS, parse_records, show_format

RECORDED = Path(__file__).with_name("recorded.json")
PROJECT_COUNT = 40
_SEED = "recorded"


def write_project(number: int, directory: Path) -> list[str]:
    """Writes project NUMBER into DIRECTORY, which does not exist; gives the arguments that show it."""
    maker = ProjectMaker(f"{_SEED}-{number}", directory, Counter(), has_packages=False)
    maker.write()
    options: list[str] = []
    if number % 2:
        options = [word for name, value in maker.option_values.items() for word in ("-o", name, value)]
    return [
        "--no-interactive", "--no-colors", "--max-jobs", "4", *options,
        "show", "--deps", "all", "--format", show_format(SYMBOLS), "everything.bst",
    ]  # fmt: skip


def digest_of_files(directory: Path) -> str:
    """Names and contents of all files below DIRECTORY, so that a change of the generator shows as such."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def summarize(output: str) -> list[list[str]]:
    """Name, full key and a digest of all else that `show` said, for each element in order."""
    return [
        [record["name"], record["full-key"], hashlib.sha256(json.dumps(record).encode()).hexdigest()[:16]]
        for record in parse_records(output)
    ]


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bst", help="the executable to ask")
    bst = os.path.abspath(parser.parse_args().bst)
    recorded: list[dict[str, Any]] = []
    for number in range(PROJECT_COUNT):
        with tempfile.TemporaryDirectory() as scratch:
            project = Path(scratch, "project")
            arguments = write_project(number, project)
            files = digest_of_files(project)
            home = {name: f"{scratch}/{name}" for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
            result = subprocess.run(
                [bst, *arguments],
                cwd=project,
                env=os.environ | home,
                capture_output=True,
                text=True,
                check=False,
            )
        if result.returncode != 0:
            sys.exit(f"project {number}: status {result.returncode}\n{result.stderr[-3000:]}")
        recorded.append({"files": files, "elements": summarize(result.stdout)})
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in recorded)
    RECORDED.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
