"""`bst workspace`: opening, closing, resetting and listing; what loading makes of an open workspace."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.testutils.forkedspace import ForkedSpace
from tests.testutils.space import RecordedError, TestSpace

IMPORT = "kind: import\nsources:\n- kind: local\n  path: files/{0}\n"


@pytest.fixture
def space(tmp_path: Path, shell_base: Callable[[], Path]) -> TestSpace:
    """A directory of its own to run the program in, quickly."""
    (tmp_path / "space").mkdir()
    return ForkedSpace(tmp_path / "space", shell_base)


@pytest.fixture
def opened(space: TestSpace) -> TestSpace:
    """a.bst with an open workspace, b.bst without; top.bst needs a.bst, filter.bst filters it."""
    start(space)
    space.bst("workspace", "open", "a.bst")
    return space


def start(space: TestSpace) -> None:
    """Writes the project."""
    space.project()
    for name in "ab":
        space.write(f"files/{name}/{name}.txt", f"{name}\n")
        space.element(f"{name}.bst", IMPORT.format(name))
    space.write("files/a/run", "#!/bin/sh\n", executable=True)
    space.element("top.bst", "kind: import\ndepends: [a.bst]\nsources:\n- kind: local\n  path: files/b\n")
    space.element("stack.bst", "kind: stack\ndepends: [a.bst]\n")
    space.element("filter.bst", "kind: filter\nbuild-depends: [a.bst]\n")


def listed(space: TestSpace) -> dict[str, str]:
    """Directories of the open workspaces, by element."""
    output = yaml.safe_load(space.bst("workspace", "list").stdout)
    return {entry["element"]: entry["directory"] for entry in output["workspaces"]}


# opening


def test_open_writes_sources_and_says_whose_they_are(opened: TestSpace) -> None:
    assert opened.tree("a") == [".bstproject.yaml", "a.txt", "run*"]
    directory = opened.project_directory
    assert opened.read("a/.bstproject.yaml") == (
        f"projects:\n- project-path: {directory}\n  element-name: a.bst\nformat-version: 1\n"
    )
    assert opened.read(".bst2/workspaces.yml") == ("format-version: 4\nworkspaces:\n  a.bst:\n    path: a\n")
    assert listed(opened) == {"a.bst": str(directory / "a")}
    assert not (directory / ".bst").exists(), "nothing is left of the preparation"


def test_files_keep_modes_and_times_and_are_nobody_elses(space: TestSpace) -> None:
    start(space)
    origin = space.project_directory / "files/a/a.txt"
    origin.chmod(0o640)
    os.utime(origin, (1e9, 1e9))
    space.bst("workspace", "open", "a.bst")
    status = (space.project_directory / "a/a.txt").stat()
    assert (status.st_mode & 0o777, status.st_mtime, status.st_nlink) == (0o640, 1e9, 1)
    space.write("a/a.txt", "changed\n")
    assert origin.read_text() == "a\n"


def test_downloads_are_not_changed_through_a_workspace(space: TestSpace, tmp_path: Path) -> None:
    space.project()
    (tmp_path / "one.txt").write_text("one\n")
    ref = hashlib.sha256(b"one\n").hexdigest()
    space.element(
        "r.bst", f"kind: import\nsources:\n- kind: remote\n  url: file://{tmp_path}/one.txt\n  ref: {ref}\n"
    )
    space.bst("workspace", "open", "r.bst")
    with (space.project_directory / "r/one.txt").open("a") as file:
        file.write("more\n")
    space.bst("workspace", "close", "--remove-dir", "r.bst")
    space.bst("workspace", "open", "r.bst")
    assert space.read("r/one.txt") == "one\n"


def test_sources_go_to_their_directories(space: TestSpace) -> None:
    start(space)
    space.element(
        "two.bst",
        IMPORT.format("a") + "- kind: local\n  path: files/b\n  directory: in/b\n",
    )
    space.bst("workspace", "open", "--directory", "elsewhere", "two.bst")
    assert space.tree("elsewhere") == [".bstproject.yaml", "a.txt", "in/", "in/b/", "in/b/b.txt", "run*"]


def test_several_at_once_below_the_configured_directory(space: TestSpace) -> None:
    start(space)
    outside = space.directory / "spaces"
    space.configure(f"workspacedir: {outside}\n")
    space.bst("workspace", "open", "b.bst", "filter.bst", "a.bst")
    assert listed(space) == {"b.bst": f"{outside}/b", "a.bst": f"{outside}/a"}
    entry = f"    path: {outside}/a\n"
    assert entry in space.read(".bst2/workspaces.yml")


def test_directory_beside_the_project_is_no_part_of_it(space: TestSpace) -> None:
    start(space)
    beside = f"{space.project_directory}-more"
    space.bst("workspace", "open", "--directory", beside, "a.bst")
    assert f"path: {beside}\n" in space.read(".bst2/workspaces.yml")


def test_no_checkout_uses_what_is_there(space: TestSpace) -> None:
    start(space)
    space.element("noref.bst", "kind: import\nsources:\n- kind: remote\n  url: file:///none\n")
    space.write("mine/own.txt", "own")
    space.bst("workspace", "open", "--no-checkout", "--directory", "mine", "noref.bst")
    assert space.tree("mine") == [".bstproject.yaml", "own.txt"]
    assert space.states("noref.bst") == {"noref.bst": "buildable"}


def test_force_replaces_content_and_an_open_workspace(opened: TestSpace) -> None:
    opened.write("a/added", "")
    opened.bst("workspace", "open", "a.bst", expect=255)
    result = opened.bst("workspace", "open", "--force", "a.bst")
    assert f"Replacing existing workspace for element 'a.bst' defined at: {opened.project_directory}/a" in (
        result.stderr
    )
    assert opened.tree("a") == [".bstproject.yaml", "a.txt", "run*"]


def test_force_elsewhere_keeps_the_files_of_the_old_workspace(opened: TestSpace) -> None:
    opened.write("a/added", "")
    opened.bst("workspace", "open", "--force", "--directory", "new", "a.bst")
    assert opened.tree("a") == ["a.txt", "added", "run*"], "nobody's workspace any more"
    assert listed(opened) == {"a.bst": str(opened.project_directory / "new")}


def test_track_looks_for_a_ref_first(space: TestSpace, tmp_path: Path) -> None:
    space.project()
    (tmp_path / "one.txt").write_text("one\n")
    space.element("r.bst", f"kind: import\nsources:\n- kind: remote\n  url: file://{tmp_path}/one.txt\n")
    space.bst("workspace", "open", "r.bst", expect=255)
    space.bst("workspace", "open", "--track", "r.bst")
    assert space.read("r/one.txt") == "one\n"


def test_file_of_that_name_in_the_sources_is_extended(space: TestSpace) -> None:
    start(space)
    space.write("files/a/.bstproject.yaml", "format-version: 9\n")
    result = space.bst("workspace", "open", "a.bst")
    assert ".bstproject.yaml was staged from this element's sources" in result.stderr
    assert "element-name: a.bst" in space.read("a/.bstproject.yaml")


@pytest.mark.parametrize(
    ("arguments", "reason", "text"),
    [
        (["stack.bst"], None, "The element stack.bst has no sources"),
        (["a.bst", "b.bst", "--directory", "x"], "directory-with-multiple-elements", "Exactly one element"),
        (["noref.bst"], "inconsistent-pipeline", "Inconsistent pipeline"),
        (["a.bst", "--directory", "files"], "bad-directory", "Directory path is not empty"),
        (["a.bst", "filelike.bst"], "bad-directory", "Directory path is not a directory"),
        (
            ["b.bst", "filelike/b.bst", "deep/b.bst"],
            "workspace-directory-failure",
            "Did not try to create workspaces for ",
        ),
        (["--force", "--directory", ".", "a.bst"], "bad-directory", "the project is in there"),
        (["nothing.bst"], "MISSING_FILE", "nothing.bst"),
        (["a.txt"], "invalid-element-names", "a.txt"),
    ],
)
def test_bad_input_changes_nothing_else(
    space: TestSpace, arguments: list[str], reason: str | None, text: str
) -> None:
    start(space)
    space.element("noref.bst", "kind: import\nsources:\n- kind: remote\n  url: file:///none\n")
    space.element("filelike.bst", IMPORT.format("b"))
    space.write("filelike", "")
    space.element("deep/b.bst", IMPORT.format("b"))
    space.element("filelike/b.bst", IMPORT.format("b"))
    result = space.bst("workspace", "open", *arguments, expect=255)
    assert result.error is not None
    assert result.error.reason == reason
    assert text in result.stderr
    assert list(listed(space)) == (["b.bst"] if text.startswith("Did not") else [])
    assert space.tree("files") == ["a/", "a/a.txt", "a/run*", "b/", "b/b.txt"]


def test_equal_names_in_two_projects_do_not_share_a_directory(space: TestSpace) -> None:
    start(space)
    space.write("sub/project.conf", "name: sub\nmin-version: 2.0\n")
    space.write("sub/a.bst", "kind: import\nsources:\n- kind: local\n  path: x\n")
    space.write("sub/x/x.txt", "")
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    result = space.bst("workspace", "open", "a.bst", "j.bst:a.bst", expect=255)
    assert result.error == RecordedError("STREAM", "bad-directory")
    assert listed(space) == {}


# closing


def test_close_keeps_files(opened: TestSpace) -> None:
    opened.write("a/added", "")
    opened.bst("workspace", "close", "a.bst")
    assert opened.tree("a") == ["a.txt", "added", "run*"]
    assert opened.read(".bst2/workspaces.yml") == "format-version: 4\nworkspaces: {}\n"


def test_close_removes_the_directory_when_told_to(opened: TestSpace) -> None:
    opened.bst("workspace", "close", "--remove-dir", "filter.bst")
    assert not (opened.project_directory / "a").exists()
    assert listed(opened) == {}


def test_close_all(opened: TestSpace) -> None:
    opened.bst("workspace", "open", "b.bst")
    opened.bst("workspace", "close", "--all")
    assert listed(opened) == {}
    assert opened.bst("workspace", "close", "--all").stderr.endswith("No open workspaces to close\n")


def test_close_what_does_not_exist_any_more(opened: TestSpace) -> None:
    opened.bst("workspace", "open", "b.bst")
    (opened.project_directory / "elements/a.bst").unlink()
    shutil.rmtree(opened.project_directory / "b")
    result = opened.bst("workspace", "close", "--remove-dir", "b.bst", expect=255)
    assert "Could not remove" in result.stderr
    opened.bst("workspace", "close", "a.bst", "b.bst")
    assert listed(opened) == {}


def test_close_nothing_if_one_has_no_workspace(opened: TestSpace) -> None:
    result = opened.bst("workspace", "close", "a.bst", "b.bst", "none.bst", expect=255)
    assert "Workspace does not exist\n\n    b.bst\n    none.bst\n" in result.stderr
    assert list(listed(opened)) == ["a.bst"]


def test_workspaces_move_with_their_project(opened: TestSpace) -> None:
    moved = opened.directory / "moved"
    opened.project_directory.rename(moved)
    opened.project_directory = moved
    assert listed(opened) == {"a.bst": str(moved / "a")}
    assert opened.states("a.bst") == {"a.bst": "buildable"}
    opened.bst("workspace", "close", "--remove-dir", "a.bst")
    assert not (moved / "a").exists()


def test_workspace_of_another_element_is_not_removed_along(opened: TestSpace) -> None:
    opened.bst("workspace", "open", "--directory", "a/b", "b.bst")
    result = opened.bst("workspace", "close", "--remove-dir", "a.bst", expect=255)
    assert "the open workspace of 'b.bst' is in there" in result.stderr
    opened.bst("workspace", "close", "--remove-dir", "--all")
    assert not (opened.project_directory / "a").exists()


def test_elements_that_share_a_directory_are_closed_one_by_one(opened: TestSpace) -> None:
    opened.bst("workspace", "open", "--no-checkout", "--directory", "a", "b.bst")
    opened.bst("workspace", "close", "a.bst")
    assert opened.read("a/.bstproject.yaml").count("element-name") == 1
    assert list(listed(opened)) == ["b.bst"]
    opened.bst("workspace", "close", "b.bst")
    assert opened.tree("a") == ["a.txt", "run*"]


# resetting


def test_reset_brings_the_sources_back(opened: TestSpace) -> None:
    opened.bst("workspace", "open", "b.bst")
    opened.write("a/a.txt", "changed\n")
    opened.write("a/added/x", "")
    inode = (opened.project_directory / "a").stat().st_ino
    opened.bst("workspace", "reset", "a.bst")
    assert opened.tree("a") == [".bstproject.yaml", "a.txt", "run*"]
    assert opened.read("a/a.txt") == "a\n"
    assert (opened.project_directory / "a").stat().st_ino == inode, "shells that are in there go on working"
    assert list(listed(opened)) == ["b.bst", "a.bst"]


def test_soft_reset_keeps_files_and_key(opened: TestSpace) -> None:
    opened.write("a/added", "")
    opened.bst("build", "a.bst")
    assert "last_build" in opened.read(".bst2/workspaces.yml")
    key = opened.keys("a.bst")
    result = opened.bst("workspace", "reset", "--soft", "a.bst")
    assert f"Reset workspace state for a.bst at: {opened.project_directory}/a" in result.stderr
    assert "last_build" not in opened.read(".bst2/workspaces.yml")
    assert opened.keys("a.bst") == key
    assert "added" in opened.tree("a")


def test_reset_without_sources_to_be_had_keeps_everything(opened: TestSpace) -> None:
    opened.write("a/a.txt", "changed\n")
    shutil.rmtree(opened.project_directory / "files/a")
    opened.bst("workspace", "reset", "a.bst", expect=255)
    assert opened.read("a/a.txt") == "changed\n"
    assert list(listed(opened)) == ["a.bst"]


@pytest.mark.parametrize(
    ("arguments", "domain", "text"),
    [
        (["--all", "a.bst"], "APP", "Specify either --all or elements, not both"),
        ([], "APP", "No elements specified to reset"),
        (["b.bst"], "STREAM", "Workspace does not exist\n\n    b.bst"),
        (["--soft", "b.bst"], "STREAM", "Workspace does not exist\n\n    b.bst"),
    ],
)
def test_bad_resets(opened: TestSpace, arguments: list[str], domain: str, text: str) -> None:
    result = opened.bst("workspace", "reset", *arguments, expect=255)
    assert result.error == RecordedError(domain, None)
    assert text in result.stderr


def test_reset_all(opened: TestSpace) -> None:
    opened.write("a/a.txt", "changed\n")
    opened.bst("workspace", "reset", "--all")
    assert opened.read("a/a.txt") == "a\n"
    opened.bst("workspace", "close", "--all")
    assert "No open workspaces to reset" in opened.bst("workspace", "reset", "-a", expect=255).stderr


# loading and building


def test_states_and_symbols(opened: TestSpace) -> None:
    directory = opened.project_directory / "a"
    assert opened.show("%{state}|%{workspaced}|%{workspace-dirs}", "top.bst") == {
        "a.bst": f"buildable|(workspaced)|Workspace: {directory}",
        "top.bst": "waiting||",
    }
    info = opened.bst("show", "--format", "%{source-info}", "a.bst").stdout
    assert f"- kind: workspace\n  url: {directory}\n  medium: workspace\n  version-type: cas-digest\n" in info


def test_each_change_of_the_files_changes_keys(opened: TestSpace) -> None:
    directory = opened.project_directory / "a"
    changes: list[Callable[[], object]] = [
        lambda: opened.write("a/a.txt", "changed\n"),
        lambda: opened.write("a/new", ""),
        lambda: (directory / "new").rename(directory / "renamed"),
        lambda: (directory / "run").chmod(0o644),
        (directory / "empty").mkdir,
        lambda: os.utime(directory / "a.txt", (1e9, 1e9)),
        (directory / "renamed").unlink,
    ]
    seen = [opened.keys("top.bst")]
    assert opened.keys("top.bst") == seen[0]
    for change in changes:
        change()
        keys = opened.keys("top.bst")
        assert all(keys[name] != earlier[name] for earlier in seen for name in keys)
        seen.append(keys)


def test_build_and_detection_of_changes(opened: TestSpace) -> None:
    opened.bst("build", "top.bst")
    assert set(opened.states("top.bst").values()) == {"cached"}
    opened.write("a/added", "")
    assert opened.states("top.bst") == {"a.bst": "buildable", "top.bst": "waiting"}
    opened.bst("build", "top.bst")
    opened.bst("artifact", "checkout", "top.bst", "--directory", "out")
    assert opened.tree("out") == [".bstproject.yaml", "a.txt", "added", "b.txt", "run*"]


def test_vanished_directory(opened: TestSpace) -> None:
    shutil.rmtree(opened.project_directory / "a")
    assert opened.states("a.bst") == {"a.bst": "no reference"}
    result = opened.bst("build", "a.bst", expect=255)
    assert result.error == RecordedError("PIPELINE", "inconsistent-pipeline-workspaced")
    assert "bst workspace close" in result.stderr


def test_track_and_fetch_leave_workspaces_alone(opened: TestSpace) -> None:
    assert "Element sources are not trackable" in opened.bst("source", "track", "a.bst").stderr
    opened.bst("source", "fetch", "a.bst")


def test_commands_from_inside_a_workspace(opened: TestSpace) -> None:
    inside = opened.project_directory / "a" / "deep"
    inside.mkdir()
    assert "a.bst" in opened.bst("show", "--deps", "none", "--format", "%{name}", cwd=inside).stdout
    opened.bst("build", cwd=inside)
    opened.bst("workspace", "open", "b.bst", cwd=inside)
    assert listed(opened) == {"a.bst": str(inside.parent), "b.bst": str(inside / "b")}
    opened.bst("workspace", "close", "b.bst", cwd=inside)
    opened.bst("workspace", "reset", cwd=inside.parent)
    opened.bst("workspace", "close", cwd=inside.parent)
    assert listed(opened) == {}
    assert "No elements specified" in opened.bst("workspace", "close", expect=255).stderr


def test_outside_of_a_project(space: TestSpace) -> None:
    for arguments in (
        ["list"],
        ["close", "--all"],
        ["close", "a.bst"],
        ["reset", "--all"],
        ["open", "a.bst"],
    ):
        result = space.bst("workspace", *arguments, expect=255)
        assert result.error == RecordedError("STREAM", "project-not-loaded"), arguments
        assert "No project.conf or active workspace was located" in result.stderr


def test_across_a_junction(space: TestSpace) -> None:
    space.project()
    space.write("sub/project.conf", "name: sub\nmin-version: 2.0\n")
    space.write("sub/x.bst", "kind: import\nsources:\n- kind: local\n  path: x\n")
    space.write("sub/x/x.txt", "x\n")
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    space.bst("workspace", "open", "j.bst:x.bst")
    assert listed(space) == {"j.bst:x.bst": str(space.project_directory / "x")}
    assert "element-name: j.bst:x.bst" in space.read("x/.bstproject.yaml")
    space.bst("build", cwd=space.project_directory / "x")
    space.write("x/x.txt", "changed\n")
    space.bst("workspace", "reset", "j.bst:x.bst")
    assert space.read("x/x.txt") == "x\n"
    space.bst("workspace", "close", cwd=space.project_directory / "x")
    assert listed(space) == {}


def test_junction_itself(space: TestSpace) -> None:
    space.project()
    space.write("sub/project.conf", "name: sub\nmin-version: 2.0\n")
    space.write("sub/x.bst", "kind: import\nsources:\n- kind: local\n  path: x\n")
    space.write("sub/x/x.txt", "x\n")
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    space.bst("workspace", "open", "j.bst")
    before = space.keys("j.bst:x.bst")
    space.write("j/x/x.txt", "changed\n")
    assert space.keys("j.bst:x.bst") != before
    space.bst("workspace", "reset", "j.bst")
    assert space.keys("j.bst:x.bst") == before
