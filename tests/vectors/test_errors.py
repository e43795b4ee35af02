"""Broken inputs end with exit status 255, the right kind of error, and the place of the fault."""

from __future__ import annotations

import pytest

from tests.testutils.space import Result, TestSpace
from tests.vectors.error_cases import ErrorCase, first_place, load_error_cases


@pytest.mark.parametrize("case", load_error_cases(), ids=lambda case: case.identifier)
def test_error(space: TestSpace, case: ErrorCase) -> None:
    case.lay_out(space.project_directory)
    result = run_case(space, case)
    assert "Traceback" not in result.stderr
    assert result.error is not None
    assert (result.error.domain, result.error.reason) == (case.domain, case.reason), result.stderr
    if case.place is not None:
        assert first_place(result.stderr) == case.place, result.stderr


def run_case(space: TestSpace, case: ErrorCase) -> Result:
    """Runs the command of a case, which must fail."""
    return space.bst("--no-interactive", "--no-colors", *case.arguments, expect=255)
