"""`bst cache`: what it shows, finds, repairs and deletes."""

import json
import os
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    """The stack all.bst over two imports; all is built."""
    space.project()
    for name in ("one", "two"):
        space.write(f"files/{name}/{name}", name * 1000)
        space.element(f"{name}.bst", f"kind: import\nsources:\n- kind: local\n  path: files/{name}\n")
    space.element("all.bst", "kind: stack\ndepends: [one.bst, two.bst]\n")
    space.bst("build", "all.bst")
    return space


def objects(space: TestSpace) -> list[Path]:
    return sorted(path for path in (space.cache_directory / "cas" / "objects").rglob("*") if path.is_file())


def object_of(space: TestSpace, text: str) -> Path:
    return next(path for path in objects(space) if path.read_bytes() == text.encode())


def refs(space: TestSpace) -> set[str]:
    directory = space.cache_directory / "artifacts" / "refs" / "test"
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def age(space: TestSpace) -> None:
    """Makes all that was used so far an hour older."""
    for path in (*(space.cache_directory / "artifacts" / "refs").rglob("*"), *objects(space)):
        if path.is_file():
            is_object = "objects" in path.parts
            status = path.lstat()
            mtime_ns = status.st_mtime_ns - (0 if is_object else 3600 * 10**9)
            os.utime(path, ns=(status.st_atime_ns - 3600 * 10**9, mtime_ns))
    for top in ("elementsources", "source_protos"):
        for path in (space.cache_directory / top).rglob("*"):
            if path.is_file():
                os.utime(path, ns=(0, path.lstat().st_mtime_ns - 3600 * 10**9))


def test_sizes_add_up(project: TestSpace) -> None:
    info = json.loads(project.bst("cache", "info", "--json").stdout)
    total = sum(path.lstat().st_size for path in objects(project))
    assert info["used_bytes"] == total
    assert info["unused_bytes"] == 0
    assert info["artifacts"] == 3
    assert set(info["by_element"]) == {"test/all", "test/one", "test/two"}
    for group in ("by_kind", "by_age"):
        assert sum(share["size_bytes"] for share in info[group].values()) == total
    assert "test/one" in project.bst("cache", "info").stdout


def test_sound_cache_is_called_so(project: TestSpace) -> None:
    assert "Everything is as it should be" in project.bst("cache", "check").stdout


def test_flipped_bit_is_found_and_nothing_is_changed(project: TestSpace) -> None:
    path = object_of(project, "one" * 1000)
    damage(path)
    for _ in range(2):
        report = json.loads(project.bst("cache", "check", "--json", expect=255).stdout)
        assert report["corrupt"] == [path.parent.name + path.name]
    assert path.exists()


def test_repaired_cache_builds_what_was_lost(project: TestSpace) -> None:
    damage(object_of(project, "one" * 1000))
    project.bst("cache", "check", "--repair")
    project.bst("cache", "check")
    project.bst("build", "all.bst")
    project.bst("artifact", "checkout", "--directory", "out", "all.bst")
    assert project.read("out/one") == "one" * 1000


@pytest.mark.parametrize("what", ["folder", "link", "empty", "shorter", "longer"])
def test_object_that_became_something_else_is_found(project: TestSpace, what: str) -> None:
    path = object_of(project, "one" * 1000)
    content = path.read_bytes()
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(project.write("elsewhere", content.decode()))
    else:
        path.write_bytes({"empty": b"", "shorter": content[:-1], "longer": content + b"x"}[what])
    report = json.loads(project.bst("cache", "check", "--json", expect=255).stdout)
    assert len(report["corrupt"]) == 1
    project.bst("cache", "check", "--repair")
    project.bst("build", "all.bst")
    project.bst("artifact", "checkout", "--directory", "out", "all.bst")
    assert project.read("out/one") == "one" * 1000


def test_missing_content_makes_records_incomplete(project: TestSpace) -> None:
    object_of(project, "one" * 1000).unlink()
    report = json.loads(project.bst("cache", "check", "--json", expect=255).stdout)
    assert {entry[1].split("/")[1] for entry in report["incomplete"] if entry[0] == "artifact"} == {"one"}


def test_record_that_is_cut_is_found(project: TestSpace) -> None:
    record = next((project.cache_directory / "artifacts" / "refs" / "test" / "one").iterdir())
    record.write_bytes(record.read_bytes()[:20])
    report = json.loads(project.bst("cache", "check", "--json", expect=255).stdout)
    assert report["unreadable"]
    project.bst("cache", "check", "--repair")
    project.bst("cache", "check")


def test_unused_contents_are_deleted(project: TestSpace) -> None:
    project.bst("artifact", "delete", "one.bst")
    age(project)
    for path in (project.cache_directory / "elementsources").iterdir():
        path.unlink()
    for path in (project.cache_directory / "source_protos").rglob("*"):
        if path.is_file():
            path.unlink()
    project.bst("cache", "clean")
    assert all(path.read_bytes() != b"one" * 1000 for path in objects(project))
    project.bst("artifact", "checkout", "--directory", "out", "--deps", "none", "two.bst")


def test_dry_run_changes_nothing(project: TestSpace) -> None:
    age(project)
    before = objects(project)
    result = project.bst("cache", "clean", "--size", "0", "--dry-run")
    assert "3 artifacts would go" in result.stdout
    assert objects(project) == before
    assert refs(project) == {"all", "one", "two"}


def test_everything_may_go(project: TestSpace) -> None:
    age(project)
    project.bst("cache", "clean", "--size", "0")
    assert objects(project) == []
    assert refs(project) == set()
    project.bst("build", "all.bst")


def test_time_to_build_is_told_of_elements_in_folders_too(space: TestSpace) -> None:
    space.project()
    space.write("files/a", "a")
    space.element("folder/a b.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    space.bst("build", "folder/a b.bst")
    age(space)
    result = space.bst("cache", "clean", "--size", "0", "--dry-run")
    assert "folder-a_b" in result.stdout
    assert ", built in " in result.stdout


def test_last_build_of_an_open_workspace_stays(project: TestSpace) -> None:
    project.bst("workspace", "open", "one.bst")
    project.bst("build", "one.bst")
    (key,) = project.keys("one.bst").values()
    project.bst("build", "two.bst")
    age(project)
    project.bst("cache", "clean", "--size", "0")
    assert refs(project) == {"one"}
    assert project.states("one.bst") == {"one.bst": "cached"}
    assert project.keys("one.bst") == {"one.bst": key}
    project.bst("workspace", "close", "one.bst")
    age(project)
    project.bst("cache", "clean", "--size", "0")
    assert refs(project) == set()


def test_pinned_artifact_stays(project: TestSpace) -> None:
    project.bst("cache", "pin", "one.bst")
    age(project)
    project.bst("cache", "clean", "--size", "0")
    assert refs(project) == {"one"}
    assert "test/one/" in project.bst("cache", "info").stdout
    project.bst("artifact", "checkout", "--directory", "out", "one.bst")
    project.bst("cache", "unpin", "one.bst")
    age(project)
    project.bst("cache", "clean", "--size", "0")
    assert refs(project) == set()


def test_what_is_not_cached_can_not_be_pinned(project: TestSpace) -> None:
    project.bst("artifact", "delete", "one.bst")
    result = project.bst("cache", "pin", "one.bst", expect=255)
    assert result.error is not None
    assert result.error.reason == "artifact-not-cached"
    assert json.loads(project.bst("cache", "info", "--json").stdout)["pins"] == []


def test_days_since_the_last_use(project: TestSpace) -> None:
    age(project)
    project.bst("artifact", "checkout", "--directory", "out", "--deps", "none", "two.bst")
    project.bst("cache", "clean", "--unused-for", "0.02")  # half an hour
    assert refs(project) == {"two"}


def test_size_that_is_none(project: TestSpace) -> None:
    for size in ("pony", "10%", "-1"):
        result = project.bst("cache", "clean", "--size", size, expect=255)
        assert "2G" in result.stderr


def damage(path: Path) -> None:
    """Flips one bit and hides it: size, mode and time stay."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
