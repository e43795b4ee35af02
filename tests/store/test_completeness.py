"""Trees that were seen to be complete are not looked at again, unless the store has changed."""

import os
import time
from pathlib import Path

import pytest

from buildstream._model.digest import Digest
from buildstream._store.cas import Cas
from buildstream._store.statrecords import clock_ns

_FILES = 2_500


@pytest.fixture
def tree(cas: Cas, tmp_path: Path) -> Digest:
    """A tree that is large enough to be remembered."""
    directory = tmp_path / "tree"
    directory.mkdir()
    for number in range(_FILES):
        (directory / str(number)).write_text(str(number))
    return cas.import_directory(str(directory))


def settle(cas: Cas) -> None:
    """Makes the store look as if nothing had happened in it for an hour."""
    then_s = time.time() - 3600
    for directory in objects(cas).iterdir():
        os.utime(directory, (then_s, then_s))


def objects(cas: Cas) -> Path:
    return Path(cas.directory) / "objects"


def notes(cas: Cas) -> list[Path]:
    return list((Path(cas.directory).parent / "stats").glob("complete-*"))


def an_object(cas: Cas) -> Path:
    """A file of the tree in the store."""
    return next(path for path in objects(cas).rglob("*") if path.is_file() and path.stat().st_size < 10)


def lose_without_trace(path: Path) -> None:
    """Deletes an object, and has its directory look as before."""
    times = path.parent.stat()
    path.unlink()
    os.utime(path.parent, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_later_commands_need_not_look(cas: Cas, tree: Digest) -> None:
    settle(cas)
    assert cas.contains_tree(tree)
    assert len(notes(cas)) == 1
    lose_without_trace(an_object(cas))
    assert Cas(cas.directory).contains_tree(tree), "it has not looked"


def test_deletion_is_noticed(cas: Cas, tree: Digest) -> None:
    settle(cas)
    assert cas.contains_tree(tree)
    an_object(cas).unlink()
    assert not Cas(cas.directory).contains_tree(tree)


def test_nothing_is_remembered_that_may_have_changed_meanwhile(cas: Cas, tree: Digest) -> None:
    assert cas.contains_tree(tree)
    assert notes(cas) == [], "objects have just been added: a deletion might leave the same times"


def test_incomplete_trees_are_not_remembered(cas: Cas, tree: Digest) -> None:
    an_object(cas).unlink()
    settle(cas)
    assert not cas.contains_tree(tree)
    assert notes(cas) == []


def test_small_trees_are_looked_at(cas: Cas, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "file").write_text("x")
    digest = cas.import_directory(str(tmp_path / "small"))
    settle(cas)
    assert cas.contains_tree(digest)
    assert notes(cas) == []


def test_what_was_seen_before_a_crash_does_not_count(cas: Cas, tree: Digest) -> None:
    settle(cas)
    assert cas.contains_tree(tree)
    (note,) = notes(cas)
    data = note.read_bytes()
    another_boot = data.replace(data[20:30], b"0123456789", 1)
    note.write_bytes(another_boot)
    lose_without_trace(an_object(cas))
    assert not Cas(cas.directory).contains_tree(tree)


def test_what_a_session_has_stored_is_complete(cas: Cas, tmp_path: Path) -> None:
    cas.begin_session()
    directory = tmp_path / "new"
    directory.mkdir()
    for number in range(_FILES):
        (directory / str(number)).write_text(f"new {number}")
    digest = cas.digest_directory(str(directory), stores_many=True)
    wait_for_the_clock(tmp_path)
    cas.close()
    assert len(notes(cas)) == 1
    path = next(path for path in objects(cas).rglob("*") if path.is_file() and path.stat().st_size < 10)
    lose_without_trace(path)
    assert Cas(cas.directory).contains_tree(digest), "it has not looked"
    (path.parent / path.name).write_text("")
    path.unlink()
    assert not Cas(cas.directory).contains_tree(digest)


def wait_for_the_clock(directory: Path) -> None:
    """Waits until what the file system is told from now on gets a later time than what it was told before."""
    (directory / "before").touch()
    while (directory / "before").stat().st_ctime_ns >= clock_ns(str(directory)):
        pass
