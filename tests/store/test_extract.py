"""Trees extracted from the store, and directories adopted as such."""

import multiprocessing
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._store.cas import Cas

Make = Callable[..., str]
Read = Callable[[str], dict[str, object]]

MTIME = 1321009871
TREE = {"bin/tool": ("x", "tool"), "bin/alias": ("->", "tool"), "etc/a/conf": "conf", "empty": None, "é": "u"}


def entries(root: str) -> Iterator[tuple[str, os.stat_result]]:
    for directory, directories, files in os.walk(root):
        yield directory, os.lstat(directory)
        for name in [*directories, *files]:
            yield f"{directory}/{name}", os.lstat(f"{directory}/{name}")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_tree_comes_back_with_fixed_modes_and_times(
    cas: Cas, make_tree: Make, read_tree: Read, umask: int
) -> None:
    digest = cas.import_directory(make_tree(TREE))
    previous = os.umask(umask)
    try:
        path = cas.extracted_tree(digest)
    finally:
        os.umask(previous)
    assert {name: what for name, what in read_tree(path).items() if what is not None} == {
        name: what for name, what in TREE.items() if what is not None
    }
    for _, status in entries(path):
        assert status.st_mtime == MTIME
        if not stat.S_ISLNK(status.st_mode):
            expected = 0o644 if stat.S_ISREG(status.st_mode) and not status.st_mode & 0o100 else 0o755
            assert stat.S_IMODE(status.st_mode) == expected
    assert cas.import_directory(path) == digest


def test_a_tree_is_extracted_once(cas: Cas, make_tree: Make) -> None:
    digest = cas.import_directory(make_tree(TREE))
    first = os.stat(cas.extracted_tree(digest))
    assert os.path.samestat(first, os.stat(cas.extracted_tree(digest)))


def test_equal_files_do_not_look_like_hard_links(cas: Cas, make_tree: Make) -> None:
    digest = cas.import_directory(
        make_tree({"a": "same", "d/b": "same", "x": ("x", "same"), "e1": "", "e2": ""})
    )
    for _ in range(2):
        path = cas.extracted_tree(digest)
        inodes = [status.st_ino for _, status in entries(path) if stat.S_ISREG(status.st_mode)]
        assert len(inodes) == len(set(inodes)) == 5
        cas.discard(path)


def test_files_are_links_of_the_objects(cas: Cas, make_tree: Make) -> None:
    path = cas.extracted_tree(cas.import_directory(make_tree({"a": "content"})))
    assert os.path.samefile(f"{path}/a", cas.object_path(digest_from_bytes(b"content")))


def test_recorded_times_are_kept_by_copies(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({"d/f": "content", "g": "content"})
    os.utime(f"{tree}/d/f", ns=(0, 1425445567_123456_000))
    os.utime(f"{tree}/d", ns=(0, 1425445568_000001_000))
    path = cas.extracted_tree(cas.import_directory(tree, mtimes=True))
    assert os.stat(f"{path}/d/f").st_mtime_ns == 1425445567_123456_000
    assert os.stat(f"{path}/d").st_mtime_ns == 1425445568_000001_000
    assert os.stat(cas.object_path(digest_from_bytes(b"content"))).st_mtime == MTIME


def test_corrupt_objects_are_not_extracted(cas: Cas, make_tree: Make) -> None:
    digest = cas.import_directory(make_tree(TREE))
    path = cas.object_path(digest_from_bytes(b"conf"))
    with open(path, "r+b") as file:
        file.write(b"junk")
    with pytest.raises(CASError) as raised:
        cas.extracted_tree(digest)
    assert raised.value.reason == "corrupt-blob"
    assert not os.path.exists(os.path.join(os.path.dirname(cas.directory), "trees", digest.hash))
    assert os.listdir(os.path.join(os.path.dirname(cas.directory), "tmp")) == []


def test_threads_may_extract_the_same_tree(cas: Cas, make_tree: Make, read_tree: Read) -> None:
    contents = {f"d{number % 7}/f{number}": f"{number}" for number in range(300)}
    digest = cas.import_directory(make_tree(contents))
    threads = [Thread(target=cas.extracted_tree, args=(digest,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_tree(cas.extracted_tree(digest))
    assert {name: what for name, what in found.items() if what is not None} == contents
    assert os.listdir(os.path.join(os.path.dirname(cas.directory), "tmp")) == []


def _extract(directory: str, digest: Digest) -> None:
    Cas(directory).extracted_tree(digest)


def test_processes_may_extract_the_same_tree(cas: Cas, make_tree: Make, read_tree: Read) -> None:
    contents = {f"f{number}": f"{number}" for number in range(300)}
    digest = cas.import_directory(make_tree(contents))
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_extract, args=(cas.directory, digest)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert read_tree(cas.extracted_tree(digest)) == contents


# --- Adoption


def test_a_captured_directory_becomes_the_extracted_tree(cas: Cas, make_tree: Make, read_tree: Read) -> None:
    contents = {**TREE, "e1": "", "same1": "same", "d/same2": "same"}
    tree = make_tree(contents)
    os.chmod(f"{tree}/etc", 0o2775)
    os.setxattr(f"{tree}/etc", "user.overlay.opaque", b"y")
    digest = cas.import_directory(tree, consume=True)
    before = os.stat(f"{tree}/bin/tool").st_ino

    assert cas.adopt_tree(digest, tree)

    path = cas.extracted_tree(digest)
    assert not os.path.exists(tree)
    assert os.stat(f"{path}/bin/tool").st_ino == before
    for name, status in entries(path):
        assert status.st_mtime == MTIME, name
        assert stat.S_ISLNK(status.st_mode) or os.listxattr(name) == []
    assert stat.S_IMODE(os.stat(f"{path}/etc").st_mode) == 0o755
    assert cas.import_directory(path) == digest


def _add_file(tree: str) -> None:
    Path(tree, "etc", "more").write_text("x")


def _add_fifo(tree: str) -> None:
    os.mkfifo(f"{tree}/fifo")


def _link_inside(tree: str) -> None:
    os.unlink(f"{tree}/é")
    os.link(f"{tree}/etc/a/conf", f"{tree}/é")


def _link_outside(tree: str) -> None:
    os.link(f"{tree}/etc/a/conf", f"{tree}-other-name")


def _remove_file(tree: str) -> None:
    os.unlink(f"{tree}/bin/tool")


def _change_size(tree: str) -> None:
    path = f"{tree}/etc/a/conf"
    os.unlink(path)
    Path(path).write_text("longer than before")


def _change_link(tree: str) -> None:
    os.unlink(f"{tree}/bin/alias")
    os.symlink("other", f"{tree}/bin/alias")


@pytest.mark.parametrize(
    "change",
    [_add_file, _add_fifo, _link_inside, _link_outside, _remove_file, _change_size, _change_link],
)
def test_a_directory_that_is_not_exactly_the_tree_is_left_alone(
    cas: Cas, make_tree: Make, change: Callable[[str], None]
) -> None:
    tree = make_tree(TREE)
    digest = cas.import_directory(tree, consume=True)
    change(tree)
    assert not cas.adopt_tree(digest, tree)
    assert os.path.isdir(tree)
    assert cas.import_directory(cas.extracted_tree(digest)) == digest


def test_hard_links_made_before_the_capture_prevent_adoption(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({"a": "content"})
    os.link(f"{tree}/a", f"{tree}/b")
    digest = cas.import_directory(tree, consume=True)
    assert not cas.adopt_tree(digest, tree)


def test_a_tree_that_exists_is_not_replaced(cas: Cas, make_tree: Make) -> None:
    tree = make_tree(TREE)
    digest = cas.import_directory(tree, consume=True)
    cas.extracted_tree(digest)
    assert not cas.adopt_tree(digest, tree)
