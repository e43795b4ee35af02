"""`bst artifact show`, `list-contents`, `log` and `delete`."""

from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace

_CONTENTS = "\tusr\n\tusr/share\n\tusr/share/alias\n\tusr/share/main.c\n\tusr/share/object.o\n"
_LONG_CONTENTS = (
    "\tdrwxr-xr-x  dir    0           usr\n"
    "\tdrwxr-xr-x  dir    0           usr/share\n"
    "\tlrwxrwxrwx  link   6           usr/share/alias -> main.c\n"
    "\t-rw-r--r--  reg    10          usr/share/main.c\n"
    "\t-rw-r--r--  reg    7           usr/share/object.o\n"
)
_NOTHING = "None of the specified artifacts are cached.\n"


def _name(space: TestSpace, element: str) -> str:
    return f"test/{element.removesuffix('.bst')}/{space.keys(element)[element]}"


def test_contents_by_element_name_and_glob(built: TestSpace, tmp_path: Path) -> None:
    name = _name(built, "hello.bst")
    listing = ("artifact", "list-contents")
    assert built.bst(*listing, "hello.bst").stdout == f"  hello.bst:\n{_CONTENTS}\n"
    assert built.bst(*listing, "h*.bst", "--long").stdout == f"  hello.bst:\n{_LONG_CONTENTS}\n"
    for target in (name, "test/hello/*"):
        assert built.bst(*listing, target, cwd=tmp_path).stdout == f"  {name}:\n{_CONTENTS}\n"


@pytest.mark.parametrize(
    ("target", "stdout"),
    [
        ("good.bst", "  good.bst:\n\tThis element has no associated artifacts\n\n"),
        ("broken.bst", "  broken.bst:\n\tThis element has no associated artifacts\n\n"),
    ],
)
def test_contents_of_artifacts_without_files(built: TestSpace, target: str, stdout: str) -> None:
    assert built.bst("artifact", "list-contents", target).stdout == stdout


@pytest.mark.parametrize("target", ["needs-broken.bst", f"test/x/{'0' * 64}", "test/x*", "x*.bst"])
def test_contents_of_nothing(built: TestSpace, target: str) -> None:
    result = built.bst("artifact", "list-contents", target, expect=1)
    assert result.stdout == ""
    assert result.stderr.endswith(_NOTHING)


def test_log_is_the_same_however_it_is_asked_for(built: TestSpace, tmp_path: Path) -> None:
    logs = {
        built.bst("artifact", "log", target).stdout
        for target in ("hello.bst", _name(built, "hello.bst"), "h*.bst", "test/hello/*")
    }
    assert len(logs) == 1
    lines = logs.pop().splitlines()
    key = built.keys("hello.bst")["hello.bst"][:8]
    assert lines[1] == f"[--:--:--] START   [{key}] hello.bst: Build"
    assert "[--:--:--] START   hello.bst: Running commands" in lines, "sandboxes tell no key"
    assert lines[-2:] == [f"[--:--:--] START   [{key}] hello.bst: Caching artifact", ""]


def test_logs_in_files(built: TestSpace, tmp_path: Path) -> None:
    place = tmp_path / "logs"
    arguments = ("artifact", "log", "--out", str(place), "broken.bst", _name(built, "hello.bst"))
    assert built.bst(*arguments).stdout == ""
    assert sorted(path.name for path in place.iterdir()) == ["broken.log", "hello.log"]
    assert built.bst(*arguments, expect=1).stderr.endswith(f"Error: {place} already exists\n")


def test_states_of_artifacts(built: TestSpace, tmp_path: Path) -> None:
    name, absent = _name(built, "hello.bst"), f"test/absent/{'0' * 64}"
    assert built.bst("artifact", "show", name, "needs-broken.bst", "broken.bst", absent).stdout == (
        "  not cached needs-broken.bst\n      failed broken.bst\n"
        f"      cached {name}\n  not cached {absent}\n\n"
    )
    base = _name(built, "base.bst")
    assert (
        built.bst("artifact", "show", "--deps", "build", name, cwd=tmp_path).stdout
        == f"      cached {base}\n\n"
    )
    result = built.bst("artifact", "show", "--deps", "all", name, expect=255)
    assert result.error == RecordedError("STREAM", "deps-not-supported")
    assert built.bst("artifact", "show").stdout == "\n"


def test_delete_removes_every_name(project: TestSpace) -> None:
    references = project.cache_directory / "artifacts" / "refs" / "test"
    project.bst("build", "hello.bst")
    key = project.keys("hello.bst")["hello.bst"]
    result = project.bst("artifact", "delete", "hello.bst", f"test/hello/{key}")
    assert f"INFO    Removed: test/hello/{key}\n" in result.stderr
    assert not (references / "hello").exists()
    result = project.bst("artifact", "delete", "--deps", "build", "hello.bst")
    assert sorted(path.name for path in references.iterdir()) == ["data"]
    result = project.bst("artifact", "delete", "hello.bst", f"test/x/{'0' * 64}")
    assert f"WARNING Could not find ref 'test/hello/{key}'\n" in result.stderr
    assert f"WARNING Could not find ref 'test/x/{'0' * 64}'\n" in result.stderr
    assert "INFO    No artifacts were removed\n" in result.stderr
