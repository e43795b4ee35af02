"""Workspaces that are opened with the build tree of the cached artifact."""

import json
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
  path: files/{files}
variables: {{command-subdir: "{subdir}"}}
config:
  configure-commands:
  - {configure}
  build-commands:
  - mkdir -p obj
  - |
    for part in one two; do
      if [ ! -e obj/$part ] || [ $part -nt obj/$part ]; then
        cp $part obj/$part; echo $part >> built
        ln -sf $part obj/link
      fi
    done
  - test ! -e fail
  install-commands:
  - mkdir -p %{{install-root}}
  - cp obj/one obj/two built configured generated %{{install-root}}
"""
DEFAULTS = {
    "files": "src",
    "subdir": ".",
    "configure": "echo configured >> configured && echo made > generated",
}
CONFIGURED = "Skipping configure-commands"


@pytest.fixture
def space(tmp_path: Path, shell_base: Callable[[], Path]) -> TestSpace:
    """A directory of its own to run the program in, quickly."""
    (tmp_path / "space").mkdir()
    return ForkedSpace(tmp_path / "space", shell_base)


@pytest.fixture
def cached(space: TestSpace) -> TestSpace:
    """a.bst, built with its build tree."""
    start(space)
    build(space)
    return space


def start(space: TestSpace, **values: str) -> None:
    """Writes the project."""
    space.project()
    space.shell_base()
    space.write("files/tool/tool", "1")
    space.element("tool.bst", "kind: import\nsources:\n- kind: local\n  path: files/tool\n")
    define(space, "a.bst", **values)


def define(space: TestSpace, name: str, **values: str) -> None:
    """Writes the element NAME and its sources."""
    all_values = {**DEFAULTS, **values}
    space.element(name, ELEMENT.format(**all_values))
    top = f"files/{all_values['files']}/{all_values['subdir']}"
    for part in ("one", "two"):
        space.write(f"{top}/{part}", f"{part}\n")
    space.write(f"{top}/generated", "given\n")


def build(space: TestSpace, *names: str, expect: int = 0) -> None:
    """Builds a.bst, or NAMES, and keeps build trees."""
    space.bst("--cache-buildtrees", "always", "build", *(names or ("a.bst",)), expect=expect)


def installed(space: TestSpace, name: str = "a.bst") -> dict[str, str]:
    """Contents of the files of the artifact by name, lines joined by blanks."""
    space.bst("artifact", "checkout", name, "--force", "--directory", "out")
    out = space.project_directory / "out"
    return {path.name: " ".join(path.read_text().split()) for path in out.iterdir()}


AS_BUILT = {"one": "one", "two": "two", "built": "one two", "configured": "configured", "generated": "made"}


def test_products_are_there_and_younger_than_sources(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    assert cached.tree("a") == [
        *(".bst-buildtree", ".bst-prepared", ".bstproject.yaml", "built", "configured", "generated"),
        *("obj/", "obj/link -> two", "obj/one", "obj/two", "one", "two"),
    ]
    directory = cached.project_directory / "a"
    sources = {(directory / name).stat().st_mtime_ns for name in ("one", "two")}
    products = {
        (directory / name).stat().st_mtime_ns for name in ("obj/one", "obj/two", "generated", "built")
    }
    assert len(sources) == len(products) == 1
    assert sources.pop() < products.pop()
    assert cached.read("a/generated") == "made\n", "the build has changed the source"


def test_first_build_does_what_the_edit_needs(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    result = cached.bst("build", "a.bst")
    assert "INFO    Incremental build" in result.stderr
    assert CONFIGURED in result.stderr
    assert installed(cached) == AS_BUILT
    cached.write("a/two", "edited\n")
    result = cached.bst("build", "a.bst")
    assert CONFIGURED in result.stderr
    assert installed(cached) == {**AS_BUILT, "two": "edited", "built": "one two two"}


def test_edit_before_the_first_build_and_a_deleted_product(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    cached.write("a/two", "edited\n")
    (cached.project_directory / "a/obj/one").unlink()
    assert CONFIGURED in cached.bst("build", "a.bst").stderr
    assert installed(cached) == {**AS_BUILT, "two": "edited", "built": "one two one two"}


def test_without_the_option_nothing_is_taken_over(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "a.bst")
    assert cached.tree("a") == [".bstproject.yaml", "generated", "one", "two"]
    assert "Incremental build" not in cached.bst("build", "a.bst").stderr


def test_key_is_that_of_the_files(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    before = cached.keys("a.bst")
    assert "last_build" in cached.read(".bst2/workspaces.yml")
    cached.bst("workspace", "reset", "--soft", "a.bst")
    assert "last_build" not in cached.read(".bst2/workspaces.yml")
    assert cached.keys("a.bst") == before


def test_changed_configuration_is_run_again(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    define(cached, "a.bst", configure="echo again >> configured")
    result = cached.bst("build", "a.bst")
    assert "Running configure-commands again" in result.stderr
    assert installed(cached) == {**AS_BUILT, "configured": "configured again"}
    cached.write("a/other", "")
    assert CONFIGURED in cached.bst("build", "a.bst").stderr


def test_changed_dependency_or_soft_reset_builds_from_the_sources(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    cached.write("files/tool/tool", "2")
    result = cached.bst("build", "a.bst")
    assert "Build from scratch: tool.bst has changed" in result.stderr
    assert CONFIGURED not in result.stderr
    assert installed(cached) == AS_BUILT
    listing = cached.bst("shell", "--build", "a.bst", "--", "ls", "-A").stdout.split()
    assert "obj" in listing, "that is the incremental build again"
    cached.bst("workspace", "reset", "--soft", "a.bst")
    cached.write("a/obj/mine", "")
    listing = cached.bst("shell", "--build", "a.bst", "--", "sh", "-c", "echo $(ls -A . obj)").stdout.split()
    assert sorted(listing) == [".:", ".bstproject.yaml", "generated", "mine", "obj", "obj:", "one", "two"]


def test_build_tree_of_a_failed_build(space: TestSpace) -> None:
    start(space)
    space.write("files/src/fail", "")
    build(space, expect=255)
    result = space.bst("workspace", "open", "--use-buildtree", "a.bst")
    assert "Using the build tree of a failed build" in result.stderr
    assert space.read("a/built") == "one\ntwo\n"
    (space.project_directory / "a/fail").unlink()
    result = space.bst("build", "a.bst")
    assert CONFIGURED not in result.stderr
    assert installed(space) == {**AS_BUILT, "configured": "configured configured"}


def test_several_in_directories_and_across_a_junction(space: TestSpace) -> None:
    start(space)
    define(space, "b.bst", files="deep", subdir="sub/directory")
    space.write("sub/project.conf", "name: sub\nmin-version: 2.0\nelement-path: elements\n")
    os.rename(space.project_directory / "files", space.project_directory / "sub/files")
    os.rename(space.project_directory / "elements", space.project_directory / "sub/elements")
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    result = space.bst("workspace", "open", "--use-buildtree", "j.bst", expect=255)
    assert "No build tree is cached of 'j.bst'" in result.stderr
    build(space, "j.bst:a.bst", "j.bst:b.bst")
    space.bst("workspace", "open", "--use-buildtree", "j.bst:a.bst", "j.bst:b.bst")
    space.write("b/sub/directory/one", "edited\n")
    assert space.bst("build", "j.bst:a.bst", "j.bst:b.bst").stderr.count(CONFIGURED) == 2
    assert installed(space, "j.bst:a.bst") == AS_BUILT
    assert installed(space, "j.bst:b.bst") == {**AS_BUILT, "one": "edited", "built": "one two one"}


def test_force_replaces_and_reset_brings_the_sources_alone(cached: TestSpace) -> None:
    cached.write("here/mine", "")
    open_ = ("workspace", "open", "--use-buildtree", "--directory", "here")
    assert "To replace them, add --force" in cached.bst(*open_, "a.bst", expect=255).stderr
    assert cached.tree("here") == ["mine"]
    cached.bst(*open_, "--force", "a.bst")
    assert "obj/" in cached.tree("here")
    assert "mine" not in cached.tree("here")
    cached.bst("workspace", "reset", "a.bst")
    assert cached.tree("here") == [".bstproject.yaml", "generated", "one", "two"]
    assert "Incremental build" not in cached.bst("build", "a.bst").stderr


def test_no_build_tree(space: TestSpace) -> None:
    start(space)
    open_ = ("workspace", "open", "--use-buildtree")
    result = space.bst(*open_, "tool.bst", "a.bst", expect=255)
    assert "No build tree is cached of 'tool.bst', 'a.bst'" in result.stderr
    assert "tool.bst runs no commands" in result.stderr
    assert "bst --cache-buildtrees always build a.bst" in result.stderr
    assert "bst --pull-buildtrees artifact pull a.bst" in result.stderr
    space.bst("build", "a.bst")
    result = space.bst(*open_, "a.bst", expect=255)
    assert "bst artifact delete a.bst && bst --cache-buildtrees always build a.bst" in result.stderr
    assert not (space.project_directory / "a").exists()
    assert not (space.project_directory / ".bst2").exists()
    space.bst("artifact", "delete", "a.bst")
    build(space)
    space.bst(*open_, "a.bst")


def test_usage(cached: TestSpace) -> None:
    result = cached.bst("workspace", "open", "--use-buildtree", "--no-checkout", "a.bst", expect=2)
    assert "--no-checkout forbids" in result.stderr


def test_list_of_products_that_somebody_changed(cached: TestSpace) -> None:
    cached.bst("workspace", "open", "--use-buildtree", "a.bst")
    cached.bst("workspace", "reset", "--soft", "a.bst")
    file = cached.project_directory / "a/.bst-buildtree"
    assert json.loads(file.read_text())["built"]
    for data in (b"", b"[]", b'{"obj": 1, "one": {}}', b"[" * 100_000, b"\xff"):
        file.write_bytes(data)
        listing = cached.bst("shell", "--build", "a.bst", "--", "ls").stdout.split()
        assert listing == ["built", "configured", "generated", "obj", "one", "two"]
