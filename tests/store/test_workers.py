"""Many files, which several processes read and write: the result is that of one, whatever happens."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._store.cas import Cas
from buildstream._store.checkout import export_directory
from buildstream._store.layout import StoreLayout
from buildstream._store.usage import StoreLimits
from buildstream._store.workers import WORTHWHILE, Size, Workers

_COUNT = 3 * WORTHWHILE


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of more files than one process stores, with everything special among them."""
    top = tmp_path / "tree"
    for number in range(_COUNT):
        path = top / f"d{number % 20}" / f"f{number}"
        if number < 20:
            path.parent.mkdir(parents=True)
        path.write_text(f"content {number}")
    (top / "empty").touch()
    (top / "large").write_bytes(b"x" * 300_000)
    (top / "larger").write_bytes(b"x" * 400_000)
    (top / "program").write_text("content 1")  # as another file, but executable
    (top / "program").chmod(0o755)
    (top / "other-program").write_text("#!/bin/sh")
    (top / "other-program").chmod(0o700)
    (top / "link").symlink_to("empty")
    (top / "directory" / "empty").mkdir(parents=True)
    os.mkfifo(top / "pipe")
    hidden = top / "unreadable"
    hidden.write_text("secret")
    hidden.chmod(0o000)
    return top


@pytest.fixture
def cas(tmp_path: Path) -> Iterator[Cas]:
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False)
    yield cas
    cas.close()


@pytest.fixture
def expected(tmp_path: Path, tree: Path) -> Digest:
    """What the tree is, as one process finds out that remembers nothing."""
    return Cas(str(tmp_path / "other" / "cas"), durable=False).import_directory(str(tree))


def children() -> list[int]:
    """The processes that this one has started."""
    return [
        int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()
    ]


def started_workers(cas: Cas) -> list[int]:
    """The workers of CAS, which are started if need be."""
    others = set(children())
    with cas._objects.workers.borrowed():
        return [pid for pid in children() if pid not in others]


def bytes_read() -> int:
    """What this process and the children it has waited for have read."""
    (line,) = (line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar"))
    return int(line.split()[1])


@pytest.mark.parametrize("mtimes", [False, True])
def test_same_tree_as_by_one_process(tmp_path: Path, tree: Path, cas: Cas, mtimes: bool) -> None:
    alone = Cas(str(tmp_path / "alone" / "cas"), durable=False)
    digest = alone.import_directory(str(tree), mtimes=mtimes)
    assert cas.digest_directory(str(tree), mtimes=mtimes) == digest
    assert size_of_objects(cas) == 0
    assert cas.store_directory(str(tree), mtimes=mtimes) == digest
    assert cas.stored_bytes == size_of_objects(cas) == size_of_objects(alone)
    assert Cas(cas.directory).missing_blobs(digest) == []
    assert os.listdir(cas.incoming_directory) == []
    extracted = Path(cas.extracted_tree(digest))
    assert sum(1 for path in extracted.rglob("*") if path.is_file()) == _COUNT + 7
    assert (extracted / "unreadable").read_text() == "secret"


def test_what_is_read_for_the_digest_is_stored_if_it_is_much(tree: Path, cas: Cas, expected: Digest) -> None:
    assert cas.digest_directory(str(tree), stores_many=True) == expected
    assert cas.missing_blobs(expected) == []
    assert Cas(cas.directory).missing_blobs(expected) == []  # it is true


def test_few_files_are_not_stored(tree: Path, cas: Cas) -> None:
    cas.digest_directory(str(tree / "d0"), stores_many=True)
    assert size_of_objects(cas) == 0


def test_only_what_is_missing_is_read(tree: Path, cas: Cas, expected: Digest) -> None:
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1e9, 1e9))
    settle(tree)
    assert cas.store_directory(str(tree)) == expected
    gone = [digest_from_bytes(text) for text in (b"content 7", b"x" * 300_000)]
    for digest in gone:
        Path(cas.object_path(digest)).unlink()
    again = Cas(cas.directory, durable=False)
    missing = again.missing_blobs(expected)
    assert sorted(missing) == sorted(gone)
    before = bytes_read()
    assert again.store_directory(str(tree), missing) == expected
    assert bytes_read() - before < 1_000_000
    assert again.missing_blobs(expected) == []


def test_missing_directory_stands_for_all_below(tree: Path, cas: Cas, expected: Digest) -> None:
    settle(tree)
    cas.digest_directory(str(tree))
    assert cas.missing_blobs(expected) == [expected]
    assert cas.store_directory(str(tree), [expected]) == expected
    assert cas.missing_blobs(expected) == []


def test_large_tree_is_looked_at_by_workers(tmp_path: Path, cas: Cas) -> None:
    top = tmp_path / "large"
    for number in range(5200):
        path = top / f"d{number % 40}" / "sub" / f"f{number}"
        if number < 40:
            path.parent.mkdir(parents=True)
        path.touch()
    settle(top)
    first = cas.digest_directory(str(top))
    started_workers(cas)
    assert Cas(cas.directory).digest_directory(str(top)) == cas.digest_directory(str(top)) == first
    (top / "d3" / "sub" / "f3").write_text("changed")
    (top / "d4" / "new" / "deep").mkdir(parents=True)
    (top / "d4" / "new" / "deep" / "link").symlink_to("nowhere")
    (top / "d5" / "sub" / "f5").chmod(0o755)
    (top / "d6" / "sub" / "f6").unlink()
    for mtimes in (False, True):
        expected = cas.import_directory(str(top), mtimes=mtimes)
        assert cas.digest_directory(str(top), mtimes=mtimes) == expected
        assert cas.digest_directory(str(top), mtimes=mtimes) == expected
    Path(os.fsdecode(os.fsencode(top / "d7") + b"/\xff")).touch()
    with pytest.raises(CASError, match="is not valid UTF-8"):
        cas.digest_directory(str(top))


def settle(tree: Path) -> None:
    """Waits until nothing of TREE has been changed lately, so that what is seen of it is kept."""
    newest_ns = max(path.lstat().st_ctime_ns for path in tree.rglob("*"))
    probe = tree.parent / "probe"
    while True:
        probe.write_text("")
        if probe.stat().st_ctime_ns > newest_ns + 150_000_000:
            return


def test_what_is_there_is_claimed_not_written_again(tree: Path, cas: Cas) -> None:
    first = cas.store_directory(str(tree))
    path = Path(cas.object_path(digest_from_bytes(b"content 7")))
    inode = path.stat().st_ino
    os.utime(path, ns=(0, path.stat().st_mtime_ns))  # last used long ago
    damaged = Path(cas.object_path(digest_from_bytes(b"content 8")))
    damaged.write_bytes(b"CONTENT 8")
    again = Cas(cas.directory, durable=False)
    again.begin_session()
    assert again.store_directory(str(tree), [first]) == first
    again.close()
    assert path.stat().st_ino == inode
    assert path.stat().st_atime_ns > 0
    assert damaged.read_bytes() == b"content 8"


def test_quota_counts(tmp_path: Path, tree: Path) -> None:
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False, limits=StoreLimits(quota_bytes=10_000))
    with pytest.raises(CASError) as caught:
        cas.store_directory(str(tree))
    assert caught.value.reason == "cache-too-full"
    cas.close()
    cas = Cas(str(tmp_path / "other" / "cas"), durable=False, limits=StoreLimits(quota_bytes=10_000_000))
    cas.store_directory(str(tree))
    assert cas.usage.used_bytes == size_of_objects(cas)
    cas.close()


# --- What may go wrong


@pytest.mark.parametrize("count", [1, 2, 8])
def test_workers_that_are_killed_at_work(tree: Path, cas: Cas, expected: Digest, count: int) -> None:
    workers = started_workers(cas)
    victims = workers[:count]
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)  # they take requests, and answer none
    results: list[Digest] = []
    thread = threading.Thread(target=lambda: results.append(cas.store_directory(str(tree))))
    thread.start()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    thread.join()
    assert results == [expected]
    assert Cas(cas.directory).missing_blobs(expected) == []
    assert os.listdir(cas.incoming_directory) == []
    assert len(started_workers(cas) + children()) >= 1  # others take their places


def test_interrupt_ends_workers_and_leaves_nothing_unfinished(tree: Path, cas: Cas, expected: Digest) -> None:
    workers = started_workers(cas)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)  # so that there is no end without the interrupt
    timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        cas.store_directory(str(tree))
    timer.join()
    assert set(workers).isdisjoint(children())
    assert os.listdir(cas.incoming_directory) == []
    assert cas.store_directory(str(tree)) == expected


# --- Counting


def counted(cas: Cas) -> int:
    """The size of all objects, as the next command takes it to be."""
    return Cas(cas.directory, limits=_LIMITS).usage.used_bytes


_LIMITS = StoreLimits(quota_bytes=1 << 40)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Cas]:
    """A store whose objects are counted."""
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False, limits=_LIMITS)
    cas.add_bytes(b"something")
    cas.usage.synchronize()
    yield cas
    cas.close()


def test_objects_of_workers_are_counted(tree: Path, limited: Cas) -> None:
    limited.store_directory(str(tree))
    limited.close()
    assert counted(limited) == size_of_objects(limited)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_objects_that_nobody_told_of_are_counted(tree: Path, limited: Cas, number: signal.Signals) -> None:
    workers = started_workers(limited)
    objects = Path(limited.directory, "objects")
    before = sum(1 for path in objects.rglob("*"))
    main = threading.main_thread().ident
    assert main is not None

    def end_them() -> None:
        while sum(1 for path in objects.rglob("*")) <= before + 50:
            pass
        for pid in workers:  # they are in the middle of it
            os.kill(pid, signal.SIGSTOP)
        if number == signal.SIGINT:
            signal.pthread_kill(main, number)
            return
        for pid in workers:
            os.kill(pid, number)

    thread = threading.Thread(target=end_them)
    thread.start()
    with suppress(KeyboardInterrupt):
        limited.store_directory(str(tree))
    thread.join()
    limited.close()
    assert counted(limited) == size_of_objects(limited)


def test_objects_beyond_the_quota_are_not_counted(tmp_path: Path, tree: Path) -> None:
    limits = StoreLimits(quota_bytes=10_000)
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False, limits=limits)
    with pytest.raises(CASError):
        cas.store_directory(str(tree))
    cas.close()
    assert counted(cas) == size_of_objects(cas)


# --- Writing


@pytest.fixture
def stored(tree: Path, cas: Cas) -> Digest:
    """The tree in the store."""
    return cas.store_directory(str(tree))


def content_of(top: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of all files below TOP, by relative path."""
    return {
        str(path.relative_to(top)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("hardlinks", [False, True])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_check_out(tmp_path: Path, cas: Cas, stored: Digest, hardlinks: bool, umask: int) -> None:
    out = tmp_path / "out"
    previous = os.umask(umask)
    try:
        export_directory(cas, stored, str(out), hardlinks=hardlinks)
    finally:
        os.umask(previous)
    found = content_of(out)
    assert len(found) == _COUNT + 6  # all but the link
    for name, executable in (("d3/f3", False), ("program", True), ("large", False)):
        mode, content = found[name]
        assert content == cas.read_bytes(digest_from_bytes(content))
        plain = 0o755 if executable else 0o644
        assert mode == (plain if hardlinks else (0o777 if executable else 0o666) & ~umask)
    assert (out / "link").readlink() == Path("empty")
    assert (out / "d3" / "f3").stat().st_nlink == (2 if hardlinks else 1)
    assert cas.store_directory(str(out)) == stored


def test_check_out_keeps_recorded_times(tmp_path: Path, tree: Path, cas: Cas) -> None:
    for path in tree.rglob("f*"):
        os.utime(path, ns=(0, 1425445567_123456_000))
    export_directory(cas, cas.store_directory(str(tree), mtimes=True), str(tmp_path / "out"))
    times = {path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("f*")}
    assert times == {1425445567_123456_000}


def test_files_of_an_extracted_tree_are_not_links_of_each_other(cas: Cas, tmp_path: Path) -> None:
    top = tmp_path / "same"
    top.mkdir()
    for number in range(2 * WORTHWHILE):
        (top / str(number)).write_text(f"{number % WORTHWHILE}")
    tree = Path(cas.extracted_tree(cas.store_directory(str(top))))
    assert len({path.stat().st_ino for path in tree.iterdir()}) == 2 * WORTHWHILE
    assert {(path.stat().st_mode, path.stat().st_mtime_ns) for path in tree.iterdir()} == {
        (0o100644, 1321009871_000_000_000)
    }


@pytest.mark.parametrize("hardlinks", [False, True])
def test_damaged_object_is_never_delivered(tmp_path: Path, cas: Cas, stored: Digest, hardlinks: bool) -> None:
    path = Path(cas.object_path(digest_from_bytes(b"content 77")))
    damage(path)
    again = Cas(cas.directory)
    with pytest.raises(CASError) as caught:
        export_directory(again, stored, str(tmp_path / "out"), hardlinks=hardlinks)
    again.close()
    assert caught.value.reason == "corrupt-blob"
    assert not list((tmp_path / "out").rglob("f77"))
    assert not path.exists()  # it is in quarantine


@pytest.mark.parametrize("hardlinks", [False, True])
def test_damaged_object_is_healed(tmp_path: Path, cas: Cas, stored: Digest, hardlinks: bool) -> None:
    damage(Path(cas.object_path(digest_from_bytes(b"content 77"))))
    again = Cas(cas.directory)

    def heal(digest: Digest) -> bool:
        again.insert(digest, b"content 77")
        return True

    again.heal = heal
    export_directory(again, stored, str(tmp_path / "out"), hardlinks=hardlinks)
    again.close()
    assert (tmp_path / "out" / "d17" / "f77").read_text() == "content 77"


def damage(path: Path) -> None:
    """Flips a bit behind the back of the store."""
    status = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_object_that_is_written_to_through_a_link_is_found(tmp_path: Path, cas: Cas, stored: Digest) -> None:
    out = tmp_path / "out"
    export_directory(cas, stored, str(out), hardlinks=True)
    with (out / "d3" / "f3").open("r+") as file:
        file.write("CONTENT")  # of the same size
    again = Cas(cas.directory)
    assert again.missing_blobs(stored) == [digest_from_bytes(b"content 3")]
    with pytest.raises(CASError):
        export_directory(again, stored, str(tmp_path / "again"), hardlinks=True)
    again.close()
    assert not (tmp_path / "again" / "d3" / "f3").exists()


@pytest.mark.parametrize("hardlinks", [False, True])
def test_workers_that_are_killed_while_they_write(
    tmp_path: Path, cas: Cas, stored: Digest, hardlinks: bool
) -> None:
    workers = started_workers(cas)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    out = tmp_path / "out"
    thread = threading.Thread(target=lambda: export_directory(cas, stored, str(out), hardlinks=hardlinks))
    thread.start()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    thread.join()
    assert cas.store_directory(str(out)) == stored


def test_form_of_an_object_that_is_not_there_is_made(tmp_path: Path, cas: Cas) -> None:
    top = tmp_path / "programs"
    top.mkdir()
    for number in range(WORTHWHILE):
        (top / str(number)).write_text(f"{number}")
    plain = cas.store_directory(str(top))
    for path in top.iterdir():
        path.chmod(0o755)
    programs = cas.store_directory(str(top))
    assert programs != plain
    export_directory(cas, programs, str(tmp_path / "out"), hardlinks=True)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o755}


def test_full_directory_is_refused_unless_forced(tmp_path: Path, cas: Cas, stored: Digest) -> None:
    (tmp_path / "out" / "d3").mkdir(parents=True)
    (tmp_path / "out" / "d3" / "f3").write_text("mine")
    with pytest.raises(CASError, match="there is a file already"):
        export_directory(cas, stored, str(tmp_path / "out"))
    assert (tmp_path / "out" / "d3" / "f3").read_text() == "mine"
    shutil.rmtree(tmp_path / "out" / "d4", ignore_errors=True)
    export_directory(cas, stored, str(tmp_path / "out"), force=True)
    assert cas.store_directory(str(tmp_path / "out")) == stored


def test_workers_end_with_the_store(tree: Path, cas: Cas) -> None:
    workers = started_workers(cas)
    assert workers
    cas.close()
    assert set(workers).isdisjoint(children())


def test_thread_that_finds_workers_at_work_does_without(tree: Path, cas: Cas, expected: Digest) -> None:
    with cas._objects.workers.borrowed() as group:
        assert group is not None
        assert cas.store_directory(str(tree)) == expected


def test_disk_that_refuses_is_one_error(tree: Path, cas: Cas) -> None:
    for number in range(256):
        Path(cas.directory, "objects", f"{number:02x}").write_text("")  # where a directory should be
    with pytest.raises(CASError, match="Not a directory"):
        cas.store_directory(str(tree))
    assert os.listdir(cas.incoming_directory) == []


def test_directory_that_is_gone_is_left_to_the_caller(tmp_path: Path) -> None:
    workers = Workers(StoreLayout(str(tmp_path / "store" / "cas")))
    answers: list[object] = []
    with workers.borrowed() as group:
        assert group is not None
        group.submit("hash", (str(tmp_path / "none"), ["f"], [1]), Size(1, 1), answers.append)
        group.submit("hash", (str(tmp_path), ["f"], [1]), Size(1, 1), answers.append)
        group.finish()
    workers.close()
    assert answers == [None, (b"\0", bytes(32))]


def size_of_objects(cas: Cas) -> int:
    objects = Path(cas.directory, "objects").rglob("*")
    return sum(path.stat().st_size for path in objects if path.is_file())
