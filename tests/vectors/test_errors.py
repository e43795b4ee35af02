"""Broken inputs end with exit status 255, the right kind of error, and the place of the fault."""

from __future__ import annotations

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.error_cases import ErrorCase, first_place, load_error_cases
from tests.vectors.forked import run_in_process


@pytest.mark.parametrize("case", load_error_cases(), ids=lambda case: case.identifier)
def test_error(space: TestSpace, case: ErrorCase) -> None:
    case.lay_out(space.project_directory)
    result = run_in_process(space, "--no-interactive", "--no-colors", *case.arguments)
    assert "Traceback" not in result.stderr, result.stderr
    assert result.code == 255, result.stderr
    assert result.error is not None, result.stderr
    assert (result.error.domain, result.error.reason) == (case.domain, case.reason), result.stderr
    if case.place is not None:
        assert first_place(result.stderr) == case.place, result.stderr


def test_running_in_process_is_running_the_program(space: TestSpace) -> None:
    # a failing command, so that both streams, the status and the recorded error are compared
    space.project()
    arguments = ("--no-interactive", "--no-colors", "show", "missing.bst")
    anew = space.bst(*arguments, expect=255)
    assert run_in_process(space, *arguments) == anew
