"""Incremental builds: what is kept from one build of a workspace to the next, and what runs again."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testutils.forkedspace import ForkedSpace
from tests.testutils.space import TestSpace

ELEMENT = """\
kind: manual
build-depends:
- base.bst
- tool.bst
sources:
- kind: local
  path: files/src
variables: {{command-subdir: "{subdir}"}}
environment: {{FLAGS: "{flags}"}}
config:
  configure-commands:
  - {configure}
  build-commands:
  - if [ ! -e output ] || [ input -nt output ]; then cp input output; echo built >> built; fi
  - test ! -e fail
  install-commands:
  - mkdir -p %{{install-root}}
  - cp input output built configured %{{install-root}}
"""
DEFAULTS = {"subdir": "", "flags": "", "configure": "echo configured >> configured"}


@pytest.fixture
def space(tmp_path: Path, shell_base: Callable[[], Path]) -> TestSpace:
    """A directory of its own to run the program in, quickly."""
    (tmp_path / "space").mkdir()
    return ForkedSpace(tmp_path / "space", shell_base)


@pytest.fixture
def built(space: TestSpace) -> TestSpace:
    """a.bst with an open workspace, built once."""
    start(space)
    space.bst("build", "a.bst")
    return space


def start(space: TestSpace, **values: str) -> None:
    """Writes the project and opens the workspace."""
    space.project()
    space.shell_base()
    space.write("files/tool/tool", "1")
    space.element("tool.bst", "kind: import\nsources:\n- kind: local\n  path: files/tool\n")
    subdir = values.get("subdir", ".")
    space.write(f"files/src/{subdir}/input", "one\n")
    define(space, **values)
    space.bst("workspace", "open", "a.bst")


def define(space: TestSpace, **values: str) -> None:
    """Writes a.bst."""
    space.element("a.bst", ELEMENT.format(**{**DEFAULTS, **values}))


def installed(space: TestSpace) -> dict[str, str]:
    """Contents of the files of the artifact by name, lines joined by blanks."""
    space.bst("artifact", "checkout", "a.bst", "--force", "--directory", "out")
    out = space.project_directory / "out"
    return {path.name: " ".join(path.read_text().split()) for path in out.iterdir()}


def test_only_what_changed_is_built_and_configured_once(built: TestSpace) -> None:
    result = built.bst("build", "a.bst")
    assert "Incremental build" not in result.stderr, "nothing to do"
    built.write("a/input", "two\n")
    result = built.bst("build", "a.bst")
    assert "INFO    Incremental build" in result.stderr
    assert "Skipping configure-commands" in result.stderr
    assert "bst workspace reset --soft a.bst" in result.stderr
    assert installed(built) == {
        "input": "two",
        "output": "two",
        "built": "built built",
        "configured": "configured",
    }
    built.write("a/other", "")
    built.bst("build", "a.bst")
    assert installed(built)["built"] == "built built"
    assert built.tree("a") == [".bstproject.yaml", "input", "other"], "nothing is written by builds"


def test_file_with_an_old_time_is_staged_with_it(built: TestSpace) -> None:
    built.write("a/input", "old\n")
    os.utime(built.project_directory / "a/input", (1e9, 1e9))
    built.bst("build", "a.bst")
    assert installed(built) == {"input": "old", "output": "one", "built": "built", "configured": "configured"}


def test_deleted_files_vanish_and_changes_win_over_products(built: TestSpace) -> None:
    built.write("a/extra", "")
    built.bst("build", "a.bst")
    (built.project_directory / "a/extra").unlink()
    built.write("a/configured", "mine\n")
    built.bst("build", "a.bst")
    assert installed(built)["configured"] == "mine"
    listing = built.bst("shell", "--build", "a.bst", "--", "ls").stdout
    assert "extra" not in listing
    assert "output" in listing, "the shell shows what a build would start with"


def test_changed_configuration_is_run_again(built: TestSpace) -> None:
    define(built, configure="echo again >> configured")
    result = built.bst("build", "a.bst")
    assert "Running configure-commands again" in result.stderr
    assert installed(built)["configured"] == "configured again"
    define(built, configure="echo again >> configured", flags="-g")
    built.bst("build", "a.bst")
    assert installed(built)["configured"] == "configured again again"


def test_soft_reset_builds_from_scratch(built: TestSpace) -> None:
    built.bst("workspace", "reset", "--soft", "a.bst")
    built.write("a/input", "two\n")
    result = built.bst("build", "a.bst")
    assert "Incremental build" not in result.stderr
    assert installed(built)["built"] == "built"


def test_changed_dependency_builds_from_scratch(built: TestSpace) -> None:
    built.write("files/tool/tool", "2")
    result = built.bst("build", "a.bst")
    assert "Build from scratch: tool.bst has changed" in result.stderr
    assert installed(built)["configured"] == "configured"


def test_lost_artifact_builds_from_scratch(built: TestSpace) -> None:
    built.bst("artifact", "delete", "a.bst")
    result = built.bst("build", "a.bst")
    assert "Build from scratch: the last one is not in the cache any more" in result.stderr


def test_no_build_tree_builds_from_scratch(space: TestSpace) -> None:
    start(space)
    space.bst("--cache-buildtrees", "never", "build", "a.bst")
    space.write("a/input", "two\n")
    result = space.bst("build", "a.bst")
    assert "Build from scratch: the last one has kept no build tree" in result.stderr
    assert installed(space)["built"] == "built"


def test_failure_keeps_what_was_done(built: TestSpace) -> None:
    built.write("a/input", "two\n")
    built.write("a/fail", "")
    built.bst("build", "a.bst", expect=255)
    assert built.states("a.bst")["a.bst"] == "failed"
    again = built.bst("build", "a.bst", expect=255)
    assert "BUG" not in again.stderr
    (built.project_directory / "a/fail").unlink()
    built.bst("build", "a.bst")
    assert installed(built)["built"] == "built built"


def test_configured_in_a_subdirectory_once(space: TestSpace) -> None:
    start(space, subdir="deep")
    space.bst("build", "a.bst")
    space.write("a/deep/input", "two\n")
    assert "Skipping configure-commands" in space.bst("build", "a.bst").stderr
    assert installed(space)["configured"] == "configured"


def test_closing_gives_the_former_key_back(built: TestSpace) -> None:
    workspaced = built.keys("a.bst")["a.bst"]
    built.bst("workspace", "close", "a.bst")
    assert built.keys("a.bst")["a.bst"] != workspaced
    assert built.states("a.bst")["a.bst"] == "buildable"


def test_live_shell_changes_the_workspace(built: TestSpace) -> None:
    built.bst("shell", "--build", "a.bst", "--", "sh", "-c", "echo copy > copy")
    built.bst("shell", "--build", "--live", "a.bst", "--", "sh", "-c", "cat input > live")
    assert built.tree("a") == [".bstproject.yaml", "input", "live"]
    assert built.read("a/live") == "one\n"
    result = built.bst("shell", "--build", "--live", "tool.bst", "--", "true", expect=255)
    assert "tool.bst has no open workspace" in result.stderr
