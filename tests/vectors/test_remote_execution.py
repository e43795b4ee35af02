"""Clusters are asked for the same actions as by BuildStream 2.8, byte for byte, so that caches of results serve both."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.testutils.executionserver import ExecutionServer, running_executions
from tests.testutils.space import TestSpace
from tests.vectors.execution.questions import QUESTIONS, Question, make_tools, settle_workspace, told
from tests.vectors.execution.record import user_configuration

# BuildStream 2.8 leaves an empty file: it never configures again
_MARK = re.compile(r"touch -- \.bst-prepared|printf %s [0-9a-f]{64} > \.bst-prepared")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Programs for the actions, whose base has none."""
    return make_tools(tmp_path_factory.mktemp("tools"))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_actions_are_those_of_the_recording(
    question: Question, tmp_path: Path, tools: dict[str, Path], shell_base: Callable[[], Path]
) -> None:
    trees = tmp_path / "trees"
    trees.mkdir()
    server = ExecutionServer(trees, tools=tools)
    (tmp_path / "space").mkdir()
    space = TestSpace(tmp_path / "space", shell_base)
    question.write(space.project_directory)
    workspace = tmp_path / "workspace"
    with running_executions(server) as address:
        space.configure(user_configuration(address))
        if question.workspace:
            space.bst("workspace", "open", "--directory", str(workspace), question.workspace)
            settle_workspace(workspace)
        space.bst(*question.options, "build", *question.targets, expect=255 if question.fails else 0)
        requests = server.requests["GetActionResult"]
    expected = json.loads(question.answer.read_text(encoding="utf-8"))
    # elements are built in any order
    assert in_fixed_order(told(server, requests), question) == in_fixed_order(
        [action for actions in expected.values() for action in actions], question
    )


def in_fixed_order(answers: list[dict[str, Any]], question: Question) -> list[dict[str, Any]]:
    """The different actions, similar commands beside each other."""
    if question.workspace:
        answers = [without_mark(answer) for answer in answers]
    found = {answer["action"]: answer for answer in answers}
    return sorted(found.values(), key=lambda answer: (json.dumps(answer["command"]), answer["input_root"]))


def without_mark(answer: dict[str, Any]) -> dict[str, Any]:
    """ANSWER without what depends on how a workspace is marked as configured, and with what."""
    *arguments, script = answer["command"]["arguments"]
    script, count = _MARK.subn("MARK > .bst-prepared", script)
    assert count == 1
    return answer | {"action": "", "command": answer["command"] | {"arguments": [*arguments, script]}}
