"""Which of many blobs are absent: the same answer with and without a listing."""

import os
from pathlib import Path

import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._store.batchwriter import Content
from buildstream._store.cas import Cas

MANY = 6000  # more than enough for every directory of objects to be listed


def some(first: int, count: int) -> list[tuple[Digest, bytes]]:
    contents = [b"%d" % number for number in range(first, first + count)]
    return [(digest_from_bytes(content), content) for content in contents]


@pytest.fixture
def cas(tmp_path: Path) -> Cas:
    return Cas(str(tmp_path / "cas"))


def test_what_is_absent_is_told_whatever_was_asked_before(cas: Cas) -> None:
    kept = [cas.add_bytes(content) for _, content in some(0, 50)]
    absent = [digest for digest, _ in some(1000, MANY)]
    for _ in range(2):
        assert cas.absent([*kept, EMPTY_DIGEST, *absent]) == absent


def test_what_was_stored_after_a_listing_is_there(cas: Cas) -> None:
    new = some(0, MANY)
    asked = [digest for digest, _ in new]
    assert cas.absent(asked) == asked
    contents = [Content(digest, data, number % 2 == 0) for number, (digest, data) in enumerate(new)]
    assert cas.insert_all(contents) == []
    assert cas.absent(asked) == []


def test_what_was_deleted_after_a_listing_is_absent(cas: Cas, tmp_path: Path) -> None:
    kept = [cas.add_bytes(content) for _, content in some(0, 50)]
    cas.absent([digest for digest, _ in some(1000, MANY)])
    for path in (tmp_path / "cas" / "objects").glob("*/*"):
        path.unlink()
    assert cas.absent(kept) == kept


def test_only_what_is_what_it_should_be_is_stored(cas: Cas) -> None:
    """The others are told, and do no harm to those around them."""
    good, bad = some(0, 3), some(10, 2)
    contents = [Content(good[0][0], good[0][1]), Content(bad[0][0], b"else"), Content(good[1][0], good[1][1])]
    assert cas.insert_all([*contents, Content(bad[1][0], bad[1][1] + b"!")]) == [bad[0][0], bad[1][0]]
    assert [cas.contains(digest) for digest, _ in (*good, *bad)] == [True, True, False, False, False]
    assert cas.read_bytes(good[1][0]) == good[1][1]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_objects_have_their_mode_whatever_the_umask(cas: Cas, tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        contents = [
            Content(digest, data, number % 2 == 0) for number, (digest, data) in enumerate(some(0, 6))
        ]
        cas.insert_all(contents)
    finally:
        os.umask(previous)
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in (tmp_path / "cas" / "objects").glob("*/*")}
    assert modes == {"": 0o644, ".x": 0o755}
