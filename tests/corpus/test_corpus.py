"""Projects that use every construct of the format at random, as BuildStream 2.8 sees them."""

from __future__ import annotations

import json

import pytest

from tests.corpus.record import PROJECT_COUNT, RECORDED, digest_of_files, summarize, write_project
from tests.testutils.space import TestSpace
from tests.vectors.forked import run_in_process


@pytest.mark.parametrize("number", range(PROJECT_COUNT))
def test_generated_project(space: TestSpace, number: int) -> None:
    expected = json.loads(RECORDED.read_text(encoding="utf-8"))[number]
    space.project_directory.rmdir()
    arguments = write_project(number, space.project_directory)
    assert digest_of_files(space.project_directory) == expected["files"], (
        "the generator writes something else now; record the answers anew"
    )
    result = run_in_process(space, *arguments)
    assert result.code == 0, result.stderr
    assert summarize(result.stdout) == expected["elements"]
