"""Blobs: insertion, verification, maintenance."""

import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._model.tree import FileEntry, TreeDirectory
from buildstream._store.cas import Cas

MTIME = 1321009871


def attributes(path: str) -> tuple[int, float]:
    status = os.stat(path)
    return stat.S_IMODE(status.st_mode), status.st_mtime


def overwrite(path: str, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.write(data)


def test_what_was_added_can_be_read(cas: Cas) -> None:
    digest = cas.add_bytes(b"hello")
    assert digest == digest_from_bytes(b"hello")
    assert cas.read_bytes(digest) == b"hello"
    assert cas.contains(digest)


def test_the_empty_blob_is_always_there(cas: Cas) -> None:
    assert cas.contains(EMPTY_DIGEST)
    assert cas.read_bytes(EMPTY_DIGEST) == b""
    assert attributes(cas.object_path(EMPTY_DIGEST, executable=True)) == (0o755, MTIME)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_objects_have_fixed_modes_and_times(cas: Cas, umask: int) -> None:
    previous = os.umask(umask)
    try:
        digest = cas.add_bytes(b"hello")
        assert attributes(cas.object_path(digest)) == (0o644, MTIME)
        assert attributes(cas.object_path(digest, executable=True)) == (0o755, MTIME)
    finally:
        os.umask(previous)


def test_absent_blobs_are_reported(cas: Cas) -> None:
    absent = digest_from_bytes(b"nowhere")
    assert not cas.contains(absent)
    for read in (cas.read_bytes, cas.object_path, cas.read_directory, cas.extracted_tree):
        with pytest.raises(CASError) as raised:
            read(absent)
        assert raised.value.reason == "missing-blob"


def test_large_files_are_stored(cas: Cas, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "large").write_bytes(data)
    digest = cas.add_file(str(tmp_path / "large"))
    assert digest == digest_from_bytes(data)
    assert cas.read_bytes(digest) == data
    assert cas.add_file(str(tmp_path / "large"), executable=True) == digest


def test_consumed_files_are_not_copied(cas: Cas, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    digest = cas.add_file(str(path), executable=True, consume=True)
    assert os.path.samefile(path, cas.object_path(digest, executable=True))
    assert attributes(str(path)) == (0o755, MTIME)


def test_files_with_two_names_are_copied_even_if_consumed(cas: Cas, tmp_path: Path) -> None:
    # The second name could be used to write to the object.
    path = tmp_path / "file"
    path.write_text("content")
    os.link(path, tmp_path / "other")
    digest = cas.add_file(str(path), consume=True)
    (tmp_path / "other").write_text("changed")
    assert cas.read_bytes(digest) == b"content"


def test_corrupt_objects_go_into_quarantine(cas: Cas) -> None:
    digest = cas.add_bytes(b"hello")
    path = cas.object_path(digest)
    overwrite(path, b"jello")

    with pytest.raises(CASError) as raised:
        cas.read_bytes(digest)

    assert raised.value.reason == "corrupt-blob"
    assert not os.path.exists(path)
    assert len(os.listdir(cas.quarantine_directory)) == 1
    assert cas.add_bytes(b"hello") == digest
    assert cas.read_bytes(digest) == b"hello"


def test_corruption_after_a_good_look_is_noticed(cas: Cas) -> None:
    # Same size, same modification time: the change time tells.
    digest = cas.add_bytes(b"hello")
    path = cas.object_path(digest)
    overwrite(path, b"jello")
    os.utime(path, (MTIME, MTIME))
    with pytest.raises(CASError):
        cas.object_path(digest)


def test_the_intact_twin_replaces_a_corrupt_object(cas: Cas) -> None:
    digest = cas.add_bytes(b"hello")
    cas.object_path(digest, executable=True)
    overwrite(cas.object_path(digest), b"jello")
    assert cas.read_bytes(digest) == b"hello"
    assert not cas.verify(digest_from_bytes(b"jello"))
    assert cas.verify(digest)


def test_a_truncated_object_counts_as_absent(cas: Cas) -> None:
    digest = cas.add_bytes(b"hello")
    os.truncate(cas.object_path(digest), 2)
    assert not cas.contains(digest)
    cas.add_bytes(b"hello")
    assert cas.read_bytes(digest) == b"hello"


def test_changed_modes_of_objects_are_repaired(tmp_path: Path) -> None:
    first = Cas(str(tmp_path / "cas"))
    digest = first.add_bytes(b"hello")
    os.chmod(first.object_path(digest), 0o777)
    assert attributes(Cas(str(tmp_path / "cas")).object_path(digest)) == (0o644, MTIME)


_ON_A_SMALL_DISK = """
import sys
from buildstream._exceptions import CASError
from buildstream._store.cas import Cas
cas = Cas(sys.argv[1] + "/cas")
small = cas.add_bytes(b"small")
for add in (lambda: cas.add_bytes(bytes(3_000_000)), lambda: cas.add_file(sys.argv[2])):
    try:
        add()
    except CASError as error:
        assert error.reason == "cache-too-full", error
        assert sys.argv[1] in str(error) or sys.argv[2] in str(error)
    else:
        raise AssertionError("no error")
assert cas.read_bytes(small) == b"small"
cas.add_bytes(b"still room for this")
"""


def test_a_full_disk_is_a_full_cache(tmp_path: Path) -> None:
    # Half-written objects do not stay, so that there is room for small ones.
    (tmp_path / "disk").mkdir()
    (tmp_path / "large").write_bytes(os.urandom(3_000_000))
    script = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$3" -c "$4" "$1" "$2"'
    arguments = [str(tmp_path / "disk"), str(tmp_path / "large"), sys.executable, _ON_A_SMALL_DISK]
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    subprocess.run([*unshare, "sh", "-c", script, "sh", *arguments], check=True)


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    Cas(str(tmp_path / "cas"))
    assert (tmp_path / "store-version").read_text() == "1\n"
    (tmp_path / "store-version").write_text("2\n")
    with pytest.raises(CASError, match="version '2'"):
        Cas(str(tmp_path / "cas"))


def test_an_unusable_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cas").write_text("a file")
    with pytest.raises(CASError, match="Can't use the store"):
        Cas(str(tmp_path / "cas"))


def test_a_blob_that_is_no_directory_is_an_error(cas: Cas) -> None:
    digest = cas.add_bytes(b"\xff\xff")
    with pytest.raises(CASError, match="not a directory"):
        cas.read_directory(digest)


def test_missing_blobs_of_a_tree_are_found(cas: Cas, make_tree: Callable[..., str]) -> None:
    tree = cas.import_directory(make_tree({"a/b/c": "deep", "f": "top", "same": "top"}))
    assert cas.missing_blobs(tree) == []
    assert cas.contains_tree(tree)

    gone = [digest_from_bytes(b"deep"), digest_from_bytes(b"top")]
    for digest in gone:
        os.unlink(cas.object_path(digest))

    assert cas.contains_tree(tree)  # remembered
    cas.forget_presence()
    assert not cas.contains_tree(tree)
    assert sorted(cas.missing_blobs(tree)) == sorted(gone)
    absent = Digest("0" * 64, 5)
    assert cas.missing_blobs(absent) == [absent]


def test_very_deep_trees_are_checked(cas: Cas) -> None:
    from buildstream._model.tree import DirectoryEntry, TreeDirectory

    digest = EMPTY_DIGEST
    for _ in range(3000):
        digest = cas.add_directory(TreeDirectory(directories=(DirectoryEntry("d", digest),)))
    assert cas.contains_tree(digest)


def test_discarded_trees_disappear_at_once(cas: Cas, make_tree: Callable[..., str], tmp_path: Path) -> None:
    tree = make_tree({"a/b": "c", "locked/f": "x", "link": ("->", "/nowhere")})
    os.chmod(os.path.join(tree, "locked"), 0)
    cas.discard(tree)
    cas.discard(tree)
    assert not os.path.exists(tree)
    trash = tmp_path / "cache" / "trash"
    assert len(os.listdir(trash)) == 1
    cas.empty_trash()
    assert os.listdir(trash) == []


def test_trash_is_emptied_while_work_goes_on(cas: Cas, make_tree: Callable[..., str], tmp_path: Path) -> None:
    trash = tmp_path / "cache" / "trash"
    deadline = time.monotonic() + 120
    with cas.trash_emptied_in_background(interval_s=0.01):
        for number in range(3):
            cas.discard(make_tree({"a/b": f"{number}", "locked/f": "x"}))
            while os.listdir(trash):
                assert time.monotonic() < deadline, "nobody empties it"
                time.sleep(0.01)


def test_emptying_the_trash_stops_when_it_should(
    cas: Cas, make_tree: Callable[..., str], tmp_path: Path
) -> None:
    from buildstream._store.trash import delete_tree

    tree = make_tree({f"d{number}/f": "x" for number in range(100)})
    answers = iter([False] * 10)
    delete_tree(tree, lambda: next(answers, True))
    assert 0 < sum(len(files) for _, _, files in os.walk(tree)) < 100
    delete_tree(tree)
    assert not os.path.exists(tree)


def test_what_a_killed_process_left_goes_with_the_trash(
    cas: Cas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [tmp_path / "cache" / "cas" / "tmp", tmp_path / "cache" / "tmp"]
    for directory in left:
        (directory / "4711-17d0123456789-3").write_text("half")
        (directory / "other").write_text("of somebody else")
    cas.empty_trash()
    assert [len(os.listdir(directory)) for directory in left] == [2, 2]
    a_day_later = time.time_ns() + 25 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: a_day_later)
    cas.empty_trash()
    assert [os.listdir(directory) for directory in left] == [["other"], ["other"]]


def test_flush_is_harmless(cas: Cas, tmp_path: Path) -> None:
    cas.add_bytes(b"hello")
    cas.flush()
    cas.flush()
    Cas(str(tmp_path / "other" / "cas"), durable=False).flush()


def _add_many(directory: str) -> None:
    cas = Cas(directory)
    for number in range(300):
        cas.add_bytes(b"%d" % number)


def test_processes_may_add_the_same_blobs(cas: Cas) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add_many, args=(cas.directory,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert all(cas.verify(digest_from_bytes(b"%d" % number)) for number in range(300))
    assert os.listdir(os.path.join(cas.directory, "tmp")) == []


def test_what_was_seen_before_is_claimed_nevertheless(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"), durable=False)
    file = cas.add_bytes(b"content")
    digest = cas.add_directory(TreeDirectory(files=(FileEntry("f", file),)))
    path = cas.object_path(file)
    os.utime(path, ns=(0, os.stat(path).st_mtime_ns))  # last used long ago
    reader = Cas(cas.directory, durable=False)
    reader.begin_session()
    assert reader.contains_tree(digest)
    assert os.stat(path).st_atime_ns == 0
    assert reader.missing_blobs(digest) == []
    assert os.stat(path).st_atime_ns > 0
