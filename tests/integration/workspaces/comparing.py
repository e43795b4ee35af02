"""Sequences of workspace commands and edits, with two programs at a time."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.vectors.workspaces.record import answers_of
from tests.vectors.workspaces.sequences import differences, load_sequences


def compare(directory: Path, program: str, reference: str, only: Sequence[str]) -> int:
    """How many sequences differ that are not meant to."""
    differing = []
    for sequence in load_sequences():
        if only and sequence.name not in only:
            continue
        answers = []
        for name in (program, reference):
            scratch = directory / "space"
            scratch.mkdir()
            answers.append(answers_of(name, sequence, scratch))
            shutil.rmtree(scratch)
        found = differences(sequence, *answers)
        print(f"{sequence.name}: {len(sequence.steps)} commands, {len(found)} differences", flush=True)
        print("".join(f"  {line}\n" for line in found), end="", flush=True)
        if found:
            differing.append(sequence.name)
    print(f"differing: {', '.join(differing) or 'none'}")
    return len(differing)
