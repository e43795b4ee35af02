"""`bst init`."""

import os
import pty
import sys

import pytest

from tests.testutils.space import RecordedError, TestSpace


def facts(text: str) -> list[str]:
    """The lines of a project.conf without comments and empty lines."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_defaults(space: TestSpace) -> None:
    result = space.bst("init", "--project-name", "foo")
    assert result.stderr == f"\nCreated project.conf at: {space.project_directory / 'project.conf'}\n"
    assert facts(space.read("project.conf")) == ["name: foo", "min-version: 2.8", "element-path: elements"]
    assert space.tree(".") == ["elements/", "project.conf"]
    assert space.show("%{name}") == {}


def test_everything_given(space: TestSpace) -> None:
    space.bst("init", "--project-name", "foo", "--min-version", "2.0", "--element-path", "a/b", "sub/dir")
    assert facts(space.read("sub/dir/project.conf")) == ["name: foo", "min-version: 2.0", "element-path: a/b"]
    assert space.tree(".") == ["sub/", "sub/dir/", "sub/dir/a/", "sub/dir/a/b/", "sub/dir/project.conf"]


@pytest.mark.parametrize(
    ("arguments", "domain", "reason"),
    [
        ([], "APP", "unspecified-project-name"),
        (["--project-name", "Micheal Jackson"], "LOAD", "INVALID_SYMBOL_NAME"),
        (["--project-name", "one+one"], "LOAD", "INVALID_SYMBOL_NAME"),
        (["--project-name", ""], "LOAD", "INVALID_SYMBOL_NAME"),
        (["--project-name", "1one"], "LOAD", "INVALID_SYMBOL_NAME"),
        (["--project-name", "foo", "--min-version", "-1"], "APP", "invalid-min-version"),
        (["--project-name", "foo", "--min-version", "1.4"], "APP", "invalid-min-version"),
        (["--project-name", "foo", "--min-version", "2.900"], "APP", "invalid-min-version"),
        (["--project-name", "foo", "--min-version", "abc"], "APP", "invalid-min-version"),
        (["--project-name", "foo", "--element-path", "/absolute/path"], "APP", "invalid-element-path"),
        (["--project-name", "foo", "--element-path", "../outside"], "APP", "invalid-element-path"),
    ],
)
def test_wrong_values_create_nothing(
    space: TestSpace, arguments: list[str], domain: str, reason: str
) -> None:
    result = space.bst("init", *arguments, expect=255)
    assert result.error == RecordedError(domain, reason)
    assert space.tree(".") == []


def test_existing_project_is_replaced_only_by_force(space: TestSpace) -> None:
    space.project(name="old")
    result = space.bst("init", "--project-name", "new", expect=255)
    assert result.error == RecordedError("APP", "project-exists")
    space.bst("init", "--project-name", "new", "--force")
    assert "name: new" in facts(space.read("project.conf"))


def test_global_directory_is_refused(space: TestSpace) -> None:
    result = space.bst("-C", "x", "init", "--project-name", "foo", "x", expect=255)
    assert result.error == RecordedError("APP", "init-with-set-directory")


def test_questions_on_a_terminal(space: TestSpace) -> None:
    # the second and third questions have defaults; the first is asked again after a wrong answer
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(space.project_directory)
        os.execve(sys.executable, [sys.executable, "-m", "buildstream", "init"], space.environment())
    os.write(terminal, b"not a name\nasked\n\nparts\n")
    output = b""
    while True:
        try:
            output += os.read(terminal, 4096)
        except OSError:
            break  # the other side is closed
    assert os.waitpid(child, 0)[1] == 0
    text = output.decode()
    assert text.index("Project name") < text.index("Error: Invalid symbol name") < text.index("[2.8]: ")
    assert text.index("[2.8]: ") < text.index("[elements]: ")
    assert facts(space.read("project.conf")) == ["name: asked", "min-version: 2.8", "element-path: parts"]
