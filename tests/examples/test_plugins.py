"""The plugins of the documentation's example work as the page about writing plugins says."""

import shutil
from pathlib import Path

import pytest

from tests.testutils.hostbase import EXAMPLES, make_base
from tests.testutils.space import TestSpace


@pytest.fixture
def example(space: TestSpace) -> TestSpace:
    """The example project, without a base."""
    shutil.copytree(
        EXAMPLES / "plugins",
        space.project_directory,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("files", "__pycache__"),
    )
    return space


def add_base(space: TestSpace) -> Path:
    """Makes what base.bst imports."""
    base = space.project_directory / "files" / "base"
    make_base(base)
    return base


def test_example_builds(example: TestSpace) -> None:
    add_base(example)
    example.bst("build")
    assert set(example.states().values()) == {"cached"}
    example.bst("artifact", "checkout", "--deps", "none", "letters.bst", "--directory", "letters")
    assert example.read("letters/usr/share/letters/alpha.txt") == "The first of plugins\n"
    assert example.read("letters/usr/share/letters/more/beta.txt") == "The second\n"
    example.bst("artifact", "checkout", "catalogue.bst", "--directory", "list")
    files = [line for line in example.read("list/catalogue").splitlines() if line.endswith(".txt")]
    assert files == [
        "letters.bst: /usr/share/letters/alpha.txt",
        "letters.bst: /usr/share/letters/more/beta.txt",
    ]


# Neither needs a base: the errors come from loading.


def test_unknown_key_is_an_error_with_its_place(example: TestSpace) -> None:
    example.element("bad.bst", "kind: catalogue\nconfig:\n  fil: x\n")
    result = example.bst("show", "bad.bst", expect=255)
    assert "bad.bst [line 3 column 7]: Unexpected key: fil" in result.stderr


def test_refusal_of_a_plugin_is_an_element_error(example: TestSpace) -> None:
    example.element("bad.bst", "kind: catalogue\nconfig:\n  file: a/b\n")
    result = example.bst("show", "bad.bst", expect=255)
    assert result.error is not None
    assert (result.error.domain, result.error.reason) == ("ELEMENT", "catalogue-directory")
