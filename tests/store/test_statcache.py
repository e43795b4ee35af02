"""Digests of directories: always what storing them afresh gives, without reading what did not change."""

import os
import random
import time
from pathlib import Path

import pytest

from buildstream._store.cas import Cas
from tests.testutils.randomedits import change_something

# files that nobody has touched for a while
_SETTLED = Path(__file__).parents[2] / "doc" / "source"


def records(cas: Cas) -> list[Path]:
    """The files in which is kept what was seen."""
    directory = Path(cas.directory).parent / "stats"
    return sorted(path for path in directory.iterdir() if path.name != "swept")


def check(cas: Cas, path: Path) -> None:
    """Compares with a capture that remembers nothing."""
    for mtimes in (False, True):
        expected = cas.import_directory(str(path), mtimes=mtimes)
        assert cas.digest_directory(str(path), mtimes=mtimes) == expected


def new_tree(path: Path) -> Path:
    """A directory at PATH of which records are kept: it has more than a few files."""
    (path / "more").mkdir(parents=True)
    for number in range(9):
        (path / "more" / str(number)).write_text(str(number))
    return path


def bytes_read() -> int:
    """What this process has read since it runs."""
    (line,) = (line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar"))
    return int(line.split()[1])


def test_nothing_is_read_if_nothing_changed(cas: Cas) -> None:
    size = sum(path.stat().st_size for path in _SETTLED.rglob("*") if path.is_file())
    before = bytes_read()
    digest = cas.digest_directory(str(_SETTLED))
    first = bytes_read()
    assert Cas(cas.directory).digest_directory(str(_SETTLED)) == digest
    assert first - before > size > 10 * (bytes_read() - first)


def test_nothing_is_stored(cas: Cas) -> None:
    digest = cas.digest_directory(str(_SETTLED))
    assert not cas.contains(digest)
    assert cas.import_directory(str(_SETTLED)) == digest


def test_nothing_is_kept_of_small_trees(cas: Cas, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "file").write_text("small")
    check(cas, tmp_path / "one")
    assert not (Path(cas.directory).parent / "stats").exists()


@pytest.mark.parametrize("damage", [b"", b"bst-stat-1\n", b"x" * 100, None])
def test_damaged_record_is_ignored(cas: Cas, damage: bytes | None) -> None:
    digest = cas.digest_directory(str(_SETTLED))
    (record,) = records(cas)
    data = record.read_bytes()
    record.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if damage is None else damage)
    assert cas.digest_directory(str(_SETTLED)) == digest


def test_old_records_are_deleted_once_a_day(cas: Cas, tmp_path: Path) -> None:
    def capture(name: str) -> None:
        new_tree(tmp_path / name)
        cas.digest_directory(str(tmp_path / name))

    def age(path: Path, days: int) -> None:
        then_s = time.time() - days * 24 * 3600
        os.utime(path, (then_s, then_s))

    capture("one")
    (old,) = records(cas)
    age(old, 61)
    capture("two")
    assert old.exists()
    age(old.parent / "swept", 2)
    capture("three")
    assert not old.exists()
    assert len(records(cas)) == 2


def test_edits_of_the_same_size_at_the_same_time(cas: Cas, tmp_path: Path) -> None:
    file = new_tree(tmp_path / "tree") / "file"
    for count in range(60):
        # within one tick of the clock of the file system, most of them
        file.write_text(f"{count:03}")
        os.utime(file, (1e9, 1e9))
        check(cas, file.parent)


def test_file_that_takes_the_place_of_another(cas: Cas, tmp_path: Path) -> None:
    tree = new_tree(tmp_path / "tree")
    for name in ("one", "two"):
        (tree / name).write_text(name)
        os.utime(tree / name, (1e9, 1e9))
    check(cas, tree)
    (tree / "one").rename(tree / "x")
    (tree / "two").rename(tree / "one")
    (tree / "x").rename(tree / "two")
    check(cas, tree)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_changes(cas: Cas, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    tree = new_tree(tmp_path / "tree")
    for _ in range(40):
        for _ in range(chance.randrange(4)):
            change_something(tree, chance)
        check(cas, tree)


def test_special_files_are_left_out(cas: Cas, tmp_path: Path) -> None:
    tree = new_tree(tmp_path / "tree")
    os.mkfifo(tree / "fifo")
    (tree / "hidden").write_text("x")
    (tree / "hidden").chmod(0)
    check(cas, tree)
    assert (tree / "hidden").stat().st_mode & 0o777 == 0
