"""Many small files, which several processes store: the result is the same as one by one."""

import os
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import digest_from_bytes
from buildstream._store.bulk import WORTHWHILE, store_files
from buildstream._store.cas import Cas
from buildstream._store.layout import StoreLayout, is_temporary_name
from buildstream._store.usage import StoreLimits


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of more files than one process stores, with everything special among them."""
    top = tmp_path / "tree"
    for number in range(WORTHWHILE):
        path = top / f"d{number % 20}" / f"f{number}"
        if number < 20:
            path.parent.mkdir(parents=True)
        path.write_text(f"content {number}")
    (top / "empty").touch()
    (top / "large").write_bytes(b"x" * 300_000)
    (top / "program").write_text("content 1")  # as another file, but executable
    (top / "program").chmod(0o755)
    (top / "other-program").write_text("#!/bin/sh")
    (top / "other-program").chmod(0o700)
    (top / "link").symlink_to("empty")
    os.mkfifo(top / "pipe")
    hidden = top / "unreadable"
    hidden.write_text("secret")
    hidden.chmod(0o000)
    return top


def test_same_tree_as_one_by_one(tmp_path: Path, tree: Path) -> None:
    together = Cas(str(tmp_path / "together" / "cas"), durable=False)
    digest = together.import_directory(str(tree), mtimes=True)
    assert together.stored_bytes == size_of_objects(together)
    parts = Cas(str(tmp_path / "parts" / "cas"), durable=False)
    for directory in tree.iterdir():
        if directory.is_dir() and not directory.is_symlink():
            parts.import_directory(str(directory), mtimes=True)
    # adopting is done by one process
    assert parts.import_directory(str(tree), mtimes=True, consume=True) == digest
    reader = Cas(together.directory, durable=False)
    assert reader.contains_tree(digest)
    extracted = Path(reader.extracted_tree(digest))
    assert sum(1 for path in extracted.rglob("*") if path.is_file()) == WORTHWHILE + 6
    assert (extracted / "unreadable").read_text() == "secret"
    assert os.listdir(tmp_path / "together" / "cas" / "tmp") == []


def test_what_is_there_is_claimed_not_written_again(tmp_path: Path, tree: Path) -> None:
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False)
    first = cas.import_directory(str(tree))
    path = Path(cas.object_path(digest_from_bytes(b"content 7")))
    inode = path.stat().st_ino
    os.utime(path, ns=(0, path.stat().st_mtime_ns))  # last used long ago
    damaged = Path(cas.object_path(digest_from_bytes(b"content 8")))
    damaged.write_bytes(b"CONTENT 8")
    again = Cas(cas.directory, durable=False)
    again.begin_session()
    assert again.import_directory(str(tree)) == first
    assert path.stat().st_ino == inode
    assert path.stat().st_atime_ns > 0
    assert damaged.read_bytes() == b"content 8"


def test_quota_counts(tmp_path: Path, tree: Path) -> None:
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False, limits=StoreLimits(quota_bytes=20_000))
    with pytest.raises(CASError) as caught:
        cas.import_directory(str(tree))
    assert caught.value.reason == "cache-too-full"
    cas = Cas(str(tmp_path / "other" / "cas"), durable=False, limits=StoreLimits(quota_bytes=10_000_000))
    cas.import_directory(str(tree))
    assert cas.usage.used_bytes == size_of_objects(cas)


def test_process_that_can_write_nothing_leaves_it_to_the_caller(tmp_path: Path, tree: Path) -> None:
    layout = StoreLayout(str(tmp_path / "store" / "cas"))
    os.rmdir(layout.incoming)
    paths = [str(path) for path in tree.rglob("f*")]
    assert store_files(layout, paths) == [None] * len(paths)


def test_temporary_names_are_known_to_clean_up(tmp_path: Path) -> None:
    layout = StoreLayout(str(tmp_path / "store" / "cas"))
    assert is_temporary_name(os.path.basename(layout.new_path(layout.incoming)) + "0" + "17")


def size_of_objects(cas: Cas) -> int:
    objects = Path(cas.directory, "objects").rglob("*")
    return sum(path.stat().st_size for path in objects if path.is_file())
