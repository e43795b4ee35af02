"""Sequences of workspace commands and edits: all that is answered and left equals that of BuildStream 2.8."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.forked import run_in_process
from tests.vectors.invocations.steps import Run
from tests.vectors.workspaces.sequences import (
    Performance,
    Sequence,
    differences,
    lay_out,
    load_answers,
    load_sequences,
)

SEQUENCES = [
    pytest.param(sequence, id=sequence.name, marks=() if sequence.is_quick else pytest.mark.slow)
    for sequence in load_sequences()
]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_sequence(space: TestSpace, sequence: Sequence) -> None:
    lay_out(sequence, space.project_directory)
    if sequence.has_base:
        space.shell_base()
    space.configure(sequence.configuration.replace("@SPACE@", str(space.directory)))

    def run(arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str]) -> Run:
        result = run_in_process(space, *arguments, cwd=cwd, environment=environment)
        return Run(result.code, result.stdout, result.stderr)

    performance = Performance(sequence, space.project_directory, run)
    answers = [performance.perform(step) for step in sequence.steps]
    found = differences(sequence, answers, load_answers(sequence))
    assert not found, "\n\n".join(found)


def test_there_are_enough_sequences() -> None:
    assert len(load_sequences()) >= 40
