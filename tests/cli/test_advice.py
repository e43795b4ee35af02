"""Slips of people who begin: each answer says what to do next."""

import pytest

from tests.testutils.space import TestSpace


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    space.project()
    space.element("apps/Hello.bst", "kind: manual\n")
    return space


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["show", "apps/hello.bst"], "Did you mean 'apps/Hello.bst'?"),
        (["show", "Hello.bst"], "Did you mean 'apps/Hello.bst'?"),
        (["build", "apps/Hello"], "Did you mean 'apps/Hello.bst'?"),
        (["artifact", "show", "apps/Hello"], "must end in '.bst'"),
        (["artifact", "push", "apps/Hello.bst"], "Name one with --artifact-remote"),
        (["artifact", "pull", "apps/Hello.bst"], "Name one with --artifact-remote"),
        (["source", "push", "apps/Hello.bst"], "with --source-remote"),
        (["init"], "already exists"),
        (["biuld"], "Did you mean 'build'?"),
    ],
)
def test_advice_in_a_project(project: TestSpace, arguments: list[str], text: str) -> None:
    result = project.bst(*arguments, expect=2 if arguments == ["biuld"] else 255)
    assert text in result.stderr


@pytest.mark.parametrize(
    "arguments", [["show"], ["build", "a.bst"], ["workspace", "list"], ["artifact", "show"]]
)
def test_advice_without_a_project(space: TestSpace, arguments: list[str]) -> None:
    result = space.bst(*arguments, expect=255)
    assert (
        "No project.conf or active workspace was located\n    Start in the directory of a project"
        in result.stderr
    )
    assert "'bst init'" in result.stderr
    result = space.bst("--directory", "absent", *arguments, expect=255)
    assert "absent' does not exist" in result.stderr


def test_advice_to_name_a_new_project(space: TestSpace) -> None:
    assert "--project-name" in space.bst("init", expect=255).stderr


def test_broken_file_is_named_within_the_text_of_the_parser(project: TestSpace) -> None:
    project.element("broken.bst", "kind: [\n")
    stderr = project.bst("show", "broken.bst", expect=255).stderr
    assert 'in "broken.bst", line 2, column 1' in stderr
