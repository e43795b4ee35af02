"""Scripted invocations: exit status, standard output, last words and trees equal those of BuildStream 2.8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.forked import run_in_process
from tests.vectors.invocations.steps import (
    Run,
    Scenario,
    lay_out,
    load_answers,
    load_scenarios,
    perform,
)


@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda scenario: scenario.name)
def test_scenario(space: TestSpace, scenario: Scenario) -> None:
    lay_out(scenario, space.project_directory)
    if scenario.has_base:
        space.shell_base("commands/base.bst")

    def run(arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str]) -> Run:
        result = run_in_process(space, *arguments, cwd=cwd, environment=environment)
        return Run(result.code, result.stdout, result.stderr)

    answers = load_answers(scenario)
    differences = []
    for number, (step, expected) in enumerate(zip(scenario.steps, answers, strict=True), 1):
        answer = asdict(perform(step, space.project_directory, run, masks_keys=scenario.has_base))
        if step.reads == "options":  # there may be more of them
            answer["stdout"] = _known_lines(answer["stdout"], expected.stdout)
        wanted = {**asdict(expected), **step.instead}
        assert bool(step.differs) == bool(step.instead), f"step {number}: a difference needs a reason"
        for aspect, value in answer.items():
            if value != wanted[aspect]:
                differences.append(
                    f"step {number}, {' '.join(step.arguments)}: {aspect}\n{value}\n--- not ---\n{wanted[aspect]}"
                )
    assert not differences, "\n\n".join(differences)


def _known_lines(text: str, known: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line in known.splitlines(keepends=True))


def test_there_are_enough_invocations() -> None:
    assert sum(len(scenario.steps) for scenario in load_scenarios()) >= 100
