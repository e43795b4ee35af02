"""What is damaged in the store is never delivered, counts as not cached, and is made anew."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._store.statrecords import is_settled
from tests.fault.background import Background
from tests.fault.storecheck import find_faults, find_incomplete_artifacts
from tests.testutils.space import TestSpace

_MOST_BUILDS = 4
CONTENT = "the content of the only file\n"


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def change(path: Path) -> None:
    """Other content of the same size."""
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def change_secretly(path: Path) -> None:
    """As `change`, with the old modification time."""
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


def fill_with_garbage(path: Path) -> None:
    path.write_bytes(b"\xff\x00garbage" * 10)


DAMAGES = [truncate, change, change_secretly, remove, empty]


@pytest.fixture
def built(space: TestSpace) -> TestSpace:
    """A project with file.bst, built, and user.bst, which needs it, not built yet."""
    space.project()
    space.shell_base()
    space.element(
        "file.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        f"  - printf '%s\\n' '{CONTENT.strip()}' > %{{install-root}}/file\n",
    )
    space.element(
        "user.bst",
        "kind: manual\nbuild-depends: [base.bst, file.bst]\nconfig:\n  install-commands:\n"
        "  - cp /file %{install-root}/copy\n",
    )
    space.bst("build", "file.bst")
    return space


@pytest.fixture
def remembered(built: TestSpace) -> TestSpace:
    """The same, of which a command has seen that all is there, so that later ones need not look."""
    objects = built.cache_directory / "cas" / "objects"
    newest_ns = max(directory.stat().st_ctime_ns for directory in objects.iterdir())
    while not is_settled(newest_ns, newest_ns, time.time_ns()):
        time.sleep(0.01)
    assert built.states("file.bst") == {"base.bst": "cached", "file.bst": "cached"}
    assert (built.cache_directory / "stats" / "complete-trees").exists()
    return built


def objects_with(space: TestSpace, content: str) -> list[Path]:
    """The objects with this content."""
    objects = (space.cache_directory / "cas" / "objects").glob("*/*")
    found = [path for path in objects if path.read_bytes() == content.encode()]
    assert found
    return found


def build_until_healed(space: TestSpace, target: str) -> None:
    """Builds TARGET; the first times may end with an error that tells of damage, which is gone then."""
    for _ in range(_MOST_BUILDS):
        if Background(space, "build", target).end().code == 0:
            return
        _, error = space.recorded_errors()
        assert error is not None
        assert error.reason in {"corrupt-blob", "missing-blob"}
        assert "failed" not in space.states(target).values()
    pytest.fail("the damage stays")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_never_checked_out(built: TestSpace, damage: Callable[[Path], None]) -> None:
    for path in objects_with(built, CONTENT):
        damage(path)
    failed = built.bst("artifact", "checkout", "file.bst", "--deps", "none", "--directory", "out", expect=255)
    assert "Traceback" not in failed.stderr
    assert not (built.project_directory / "out" / "file").exists()
    built.bst("build", "file.bst")
    built.bst("artifact", "checkout", "file.bst", "--deps", "none", "--directory", "again")
    assert built.read("again/file") == CONTENT


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_never_staged(built: TestSpace, damage: Callable[[Path], None]) -> None:
    for path in objects_with(built, CONTENT):
        damage(path)
    build_until_healed(built, "user.bst")
    built.bst("artifact", "checkout", "user.bst", "--deps", "none", "--directory", "out")
    assert built.read("out/copy") == CONTENT
    assert find_faults(built.cache_directory, built.directory / "scratch") == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_of_what_is_remembered_costs_one_command(
    remembered: TestSpace, damage: Callable[[Path], None]
) -> None:
    # what is damaged, not gone, is found when it is used; after that all is looked at again
    for path in objects_with(remembered, CONTENT):
        damage(path)
    if damage is remove:
        assert remembered.states("file.bst")["file.bst"] == "buildable"
    failed = remembered.bst(
        "artifact", "checkout", "file.bst", "--deps", "none", "--directory", "out", expect=255
    )
    assert "Traceback" not in failed.stderr
    assert not (remembered.project_directory / "out" / "file").exists()
    assert remembered.states("file.bst")["file.bst"] == "buildable"
    remembered.bst("build", "user.bst")
    remembered.bst("artifact", "checkout", "user.bst", "--deps", "none", "--directory", "again")
    assert remembered.read("again/copy") == CONTENT


def test_all_that_is_remembered_and_damaged_is_found_at_once(remembered: TestSpace) -> None:
    for path in (remembered.cache_directory / "cas" / "objects").glob("*/*"):
        if path.stat().st_size:
            truncate(path)
    build_until_healed(remembered, "user.bst")
    remembered.bst("artifact", "checkout", "user.bst", "--deps", "none", "--directory", "out")
    assert remembered.read("out/copy") == CONTENT
    assert find_incomplete_artifacts(remembered.cache_directory) == []


@pytest.mark.parametrize("damage", [truncate, remove, empty, fill_with_garbage])
def test_damaged_record_counts_as_not_cached(built: TestSpace, damage: Callable[[Path], None]) -> None:
    for path in (built.cache_directory / "artifacts" / "refs").rglob("*"):
        if path.is_file():
            damage(path)
    assert built.states("file.bst") == {"base.bst": "buildable", "file.bst": "waiting"}
    built.bst("build", "file.bst")
    assert set(built.states("file.bst").values()) == {"cached"}


@pytest.mark.parametrize("damage", [truncate, remove, empty, fill_with_garbage])
@pytest.mark.parametrize("kind", ["elementsources", "source_protos"])
def test_damaged_source_record_counts_as_not_cached(
    built: TestSpace, kind: str, damage: Callable[[Path], None]
) -> None:
    for path in (built.cache_directory / kind).rglob("*"):
        if path.is_file():
            damage(path)
    built.bst("source", "fetch", "user.bst", "--deps", "all")
    built.bst("build", "user.bst")


# secret damage is found one object after the other, by as many builds: see test_damaged_file_is_never_staged
@pytest.mark.parametrize("damage", [truncate, change, remove, empty])
def test_every_object_damaged(built: TestSpace, damage: Callable[[Path], None]) -> None:
    for path in (built.cache_directory / "cas" / "objects").glob("*/*"):
        if path.stat().st_size:
            damage(path)
    first = built.bst("show", "user.bst", "--format", "%{name} %{state}")
    assert "Traceback" not in first.stderr
    build_until_healed(built, "user.bst")
    built.bst("artifact", "checkout", "user.bst", "--deps", "none", "--directory", "out")
    assert built.read("out/copy") == CONTENT
    assert find_incomplete_artifacts(built.cache_directory) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_log_is_never_shown(built: TestSpace, damage: Callable[[Path], None]) -> None:
    for path in (built.cache_directory / "cas" / "objects").glob("*/*"):
        if b"Running commands" in path.read_bytes():
            damage(path)
    ended = Background(built, "artifact", "log", "file.bst").end()
    assert "Traceback" not in ended.output
    assert "Running commands" not in ended.output
