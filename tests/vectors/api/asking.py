"""Questions that plugins ask of the program that runs them, and how the answers are kept.

`questions/*.txt` has the questions, Python text by the moment at which it is run; the plugins of `project`
ask them.  `expected.json` has what BuildStream 2.8 answered, `differs.yaml` what is meant to be different.
"""

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.testutils.hostbase import SHELL_TOOLS, make_host_base

HERE = Path(__file__).parent

_PLACE = re.compile(r"\S+ \[(line \d+ column \d+|synthetic node)\]")
_FIXED = ("--no-interactive", "--no-colors")
# the last one tells what the scripts left
COMMANDS = (
    (*_FIXED, "show", "--deps", "none", "nodes.bst", "utils.bst", "sources.bst", "script-plain.bst"),
    (*_FIXED, "build", "script-failing.bst"),
    (*_FIXED, "build", "directory.bst", "staging.bst", "commands.bst", "readonly.bst", "script.bst"),
    (*_FIXED, "show", "--deps", "none", "--format", "%{name} %{artifact-cas-digest}", "script.bst"),
)

# questions, phase, question, answer
Answer = tuple[str, str, str, str]


def lay_out(project: Path) -> None:
    """Writes the project into a directory."""
    shutil.copytree(
        HERE / "project", project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    # version control keeps only execute bits, and not all of them
    for name in ("one", "two"):
        (project / "files" / "split" / "usr" / "bin" / name).chmod(0o755)
    make_host_base(str(project / "files" / "base"), (*SHELL_TOOLS, "basename"))


def surroundings(space: Path) -> dict[str, str]:
    """Environment variables for the plugins; the project is in SPACE/project."""
    (space / "scratch").mkdir()
    return {
        "PROBE_QUESTIONS": str(HERE / "questions"),
        "PROBE_ANSWERS": str(space / "answers"),
        "PROBE_SCRATCH": str(space / "scratch"),
        "PROBE_PROJECT": os.path.realpath(space / "project"),
    }


def read_answers(space: Path) -> list[Answer]:
    """What the plugins wrote down, in an order that does not depend on which element is built first."""
    lines = (space / "answers").read_text(encoding="utf-8").splitlines()
    answers: list[Answer] = [tuple(json.loads(line)) for line in lines]
    return sorted(answers, key=lambda answer: answer[0])


def save_expected(answers: Sequence[Answer], texts: Sequence[str]) -> None:
    """Writes what BuildStream 2.8 answered, and what the last command printed."""
    stored = {"answers": answers, "scripts": texts[-1]}
    (HERE / "expected.json").write_text(
        json.dumps(stored, indent=0, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def comparable(outcome: str) -> str:
    """OUTCOME; of an error what kind it is and the place it names first: its wording is free."""
    if not outcome.startswith("raises "):
        return outcome
    kind, _, text = outcome.partition(": ")
    place = _PLACE.match(text)
    return f"{kind}: {place[0]}" if place else kind


def load_expected() -> tuple[list[Answer], str]:
    """The answers that are expected, and what the last command prints."""
    stored = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
    differing = {
        (entry["questions"], question): entry["instead"]
        for entry in yaml.safe_load((HERE / "differs.yaml").read_text(encoding="utf-8"))
        for question in entry["ask"]
    }
    answers: list[Answer] = [
        (questions, phase, question, differing.get((questions, question), answer))
        for questions, phase, question, answer in stored["answers"]
    ]
    return answers, stored["scripts"]
