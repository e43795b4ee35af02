"""Whole trees, for which other processes do what there is to be done for each blob."""

import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._model.tree import (
    DirectoryEntry,
    FileEntry,
    SymlinkEntry,
    TreeDirectory,
    encode_digest_field,
    encode_directory,
)
from buildstream._remote.batches import batches, field_batches
from buildstream._remote.download import Downloader
from buildstream._remote.errors import RemoteError
from buildstream._remote.remote import Remote
from buildstream._remote.retry import Cancellation
from buildstream._remote.tally import Tally
from buildstream._remote.treereads import TreesRead
from buildstream._remote.upload import Uploader, tree_blobs
from buildstream._store.blobtrees import sizes_of, split_fields
from buildstream._store.cas import Cas
from tests.testutils.cacheserver import CacheServer

LIMIT_S = 120.0
FILES = 100  # of a directory


@pytest.fixture
def cas(tmp_path: Path) -> Iterator[Cas]:
    """A store that has processes from now on."""
    cas = Cas(str(tmp_path / "here" / "cas"))
    cas.many.works_beside(10_000)
    yield cas
    cas.close()


def add(server: CacheServer, data: bytes) -> Digest:
    digest = digest_from_bytes(data)
    server.blobs[digest.hash] = data
    return digest


def add_tree(server: CacheServer, name: str) -> Digest:
    """A tree of two directories, with a program, links, an empty file and an empty directory."""
    files = [FileEntry(f"f{n}", add(server, f"{name} {n}".encode())) for n in range(FILES)]
    files.append(FileEntry("empty", EMPTY_DIGEST))
    program = FileEntry("program", add(server, b"#!" + name.encode()), is_executable=True)
    shared = FileEntry("shared", add(server, b"of all"))
    below = add(server, encode_directory(TreeDirectory(files=(*files, program))))
    top = TreeDirectory(
        files=(shared, FileEntry("f0", files[0].digest, is_executable=True)),
        directories=(DirectoryEntry("below", below), DirectoryEntry("nothing", EMPTY_DIGEST)),
        symlinks=(SymlinkEntry("link", "below/program"),),
    )
    return add(server, encode_directory(top))


def fetch(
    remote: Remote, cas: Cas, tally: Tally, *roots: Digest, cancellation: Cancellation | None = None
) -> TreesRead | None:
    cancellation = cancellation or Cancellation()
    reads = remote.reads_into(cas)
    downloader = Downloader(remote.cas, cas, cancellation, tally, reads)
    assert not downloader.fetch_directories(roots)
    return remote.trees_into(cas).fetch(roots, downloader, cancellation, tally)


def asked(server: CacheServer) -> list[str]:
    """Hashes of all blobs that were asked for in batches."""
    return [d.hash for request in server.requests["BatchReadBlobs"] for d in request.digests]


def is_alone() -> bool:
    """Whether there is one processor only, and so no other processes."""
    return len(os.sched_getaffinity(0)) == 1


def test_trees_come_as_they_are(server: CacheServer, remote: Remote, cas: Cas, tally: Tally) -> None:
    roots = [add_tree(server, name) for name in ("one", "two", "three")]
    read = fetch(remote, cas, tally, *roots)
    if is_alone():
        assert read is None
        return
    assert read is not None
    assert all(map(cas.contains_tree, roots))
    blobs = {blob for root in roots for blob in tree_blobs(cas, root)} - {EMPTY_DIGEST}
    assert all(map(cas.verify, blobs))
    assert sorted(asked(server)) == sorted(blob.hash for blob in blobs)  # each once
    # what several have counts for the first; roots came before
    assert [read.blobs[root] for root in roots] == [FILES + 3, FILES + 2, FILES + 2]
    assert sum(read.size_bytes.values()) == sum(blob.size for blob in blobs - set(roots))
    assert tally.blobs == len(blobs)
    program = digest_from_bytes(b"#!one")
    assert os.access(cas.object_path(program, executable=True), os.X_OK)
    assert not cas.absent(blobs)
    # nothing of it is asked for again
    server.requests.clear()
    other = add_tree(server, "one")
    again = fetch(remote, cas, tally, other)
    assert again is not None
    assert sum(again.blobs.values()) == 0
    assert "BatchReadBlobs" not in server.requests


@pytest.mark.parametrize("fault", ["missing", "wrong"])
def test_what_the_server_can_not_give(
    server: CacheServer, remote: Remote, cas: Cas, tally: Tally, fault: str
) -> None:
    """All the rest is kept, and the ordinary way tells what is wrong."""
    root = add_tree(server, "one")
    blob = digest_from_bytes(b"one 7")
    if fault == "missing":
        del server.blobs[blob.hash]
    else:
        server.blobs[blob.hash] = b"X" * blob.size
    assert fetch(remote, cas, tally, root) is None
    assert not cas.contains(blob)
    lacking = Downloader(remote.cas, cas, Cancellation(), tally).fetch_trees([root])
    assert (lacking.missing, lacking.corrupt) == (([blob], []) if fault == "missing" else ([], [blob]))
    assert cas.missing_blobs(root) == [blob]


def test_a_server_that_fails_is_an_error(server: CacheServer, remote: Remote, cas: Cas, tally: Tally) -> None:
    roots = [add_tree(server, "one")]
    failing = digest_from_bytes(b"one 7").hash

    def fail(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchReadBlobs" and any(digest.hash == failing for digest in request.digests):
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "of the test")

    server.fault = fail
    if not is_alone():
        with pytest.raises(RemoteError, match="of the test"):
            fetch(remote, cas, tally, *roots)
    server.fault = lambda *_: None
    assert not Downloader(remote.cas, cas, Cancellation(), tally).fetch_trees(roots)


def test_several_transfers_read_each_blob_once(
    server: CacheServer, remote: Remote, cas: Cas, waits: Any
) -> None:
    roots = [add_tree(server, name) for name in ("one", "two", "three", "four")]
    start = threading.Barrier(4)

    def transfer(number: int) -> bool:
        tally = Tally(lambda: waits.now_s, lambda _: None)
        start.wait(LIMIT_S)
        mine = roots[number:] + roots[:number]
        return fetch(remote, cas, tally, *mine) is not None

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(transfer, range(4)))
    if not is_alone():
        assert results == [True] * 4
        assert all(map(cas.contains_tree, roots))
        assert len(asked(server)) == len(set(asked(server)))


def test_who_waits_for_another_transfer_reads_what_that_did_not(
    server: CacheServer, remote: Remote, cas: Cas, waits: Any
) -> None:
    if is_alone():
        return
    root = add_tree(server, "one")
    is_asked, may_answer = threading.Event(), threading.Event()
    failing = iter([True])

    def fail(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchReadBlobs" and len(request.digests) > FILES // 2 and next(failing, False):
            is_asked.set()
            may_answer.wait(LIMIT_S)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "of the test")

    server.fault = fail
    with ThreadPoolExecutor(2) as threads:
        tallies = [Tally(lambda: waits.now_s, lambda _: None) for _ in range(2)]
        first = threads.submit(fetch, remote, cas, tallies[0], root)
        assert is_asked.wait(LIMIT_S)
        second = threads.submit(fetch, remote, cas, tallies[1], root)
        may_answer.set()
        with pytest.raises(RemoteError, match="of the test"):
            first.result(LIMIT_S)
        assert second.result(LIMIT_S) is not None
    assert cas.contains_tree(root)


def test_trees_that_lead_elsewhere_are_refused(
    server: CacheServer, remote: Remote, cas: Cas, tally: Tally
) -> None:
    file = add(server, b"content")
    bad = add(server, encode_directory(TreeDirectory(files=(FileEntry("..", file),))))
    root = add(server, encode_directory(TreeDirectory(directories=(DirectoryEntry("d", bad),))))
    assert fetch(remote, cas, tally, root) is None
    with pytest.raises(RemoteError):
        Downloader(remote.cas, cas, Cancellation(), tally).fetch_trees([root])
    assert not cas.contains(file)


def test_a_tree_without_end_is_refused(server: CacheServer, remote: Remote, cas: Cas, tally: Tally) -> None:
    top = add(server, encode_directory(TreeDirectory()))
    for _ in range(60):
        entries = (DirectoryEntry("a", top), DirectoryEntry("b", top))
        top = add(server, encode_directory(TreeDirectory(directories=entries)))
    if not is_alone():
        with pytest.raises(RemoteError, match="too large"):
            fetch(remote, cas, tally, top)


# --- The other way


def upload(remote: Remote, cas: Cas, tally: Tally, root: Digest) -> int:
    fields = cas.many.walk(encode_digest_field(root), b"")
    assert fields is not None
    return Uploader(remote.cas, cas, Cancellation(), tally, remote.suspects).push_fields(fields)


def write_tree(directory: Path) -> Path:
    (directory / "below").mkdir(parents=True)
    for number in range(FILES):
        (directory / "below" / f"f{number}").write_bytes(b"%d " % number * 100)
    (directory / "large").write_bytes(os.urandom(3 << 20))
    (directory / "empty").touch()
    return directory


def test_what_the_server_lacks_is_sent(
    server: CacheServer, remote: Remote, cas: Cas, tally: Tally, tmp_path: Path
) -> None:
    root = cas.import_directory(str(write_tree(tmp_path / "tree")))
    assert upload(remote, cas, tally, root) == FILES + 3  # directories and a large file
    blobs = set(tree_blobs(cas, root)) - {EMPTY_DIGEST}
    assert set(server.blobs) == {blob.hash for blob in blobs}
    assert all(digest_from_bytes(server.blobs[blob.hash]) == blob for blob in blobs)
    assert tally.moved_bytes == tally.expected_bytes == sum(blob.size for blob in blobs)
    assert upload(remote, cas, tally, root) == 0
    # but what it gave wrong is
    suspect = digest_from_bytes(b"3 " * 100)
    server.blobs[suspect.hash] = b"wrong"
    remote.suspects.update([suspect])
    assert upload(remote, cas, tally, root) == 1
    assert server.blobs[suspect.hash] == b"3 " * 100


def test_what_is_damaged_here_is_not_sent(
    server: CacheServer, remote: Remote, cas: Cas, tally: Tally, tmp_path: Path
) -> None:
    root = cas.import_directory(str(write_tree(tmp_path / "tree")))
    damaged = digest_from_bytes(b"3 " * 100)
    path = Path(cas.object_path(damaged))
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(b"X" * damaged.size)
    os.utime(path, ns=times)
    with pytest.raises(Exception, match="corrupt"):
        upload(remote, cas, tally, root)
    assert damaged.hash not in server.blobs


@pytest.mark.parametrize("refusal", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
def test_a_blob_that_is_not_taken_is_an_error(
    server: CacheServer,
    remote: Remote,
    cas: Cas,
    tmp_path: Path,
    refusal: grpc.StatusCode,
) -> None:
    """Also if it is tried again, and then not taken again."""
    tally = Tally(lambda: 0.0, lambda _: None)
    root = cas.import_directory(str(write_tree(tmp_path / "tree")))
    server.refusal = refusal
    server.refused.add(digest_from_bytes(b"3 " * 100).hash)
    with pytest.raises(RemoteError, match=refusal.name):
        upload(remote, cas, tally, root)


@pytest.mark.parametrize("limit_bytes", [1, 5000, 10 << 20])
def test_batches_of_encoded_digests_are_those_of_digests(limit_bytes: int) -> None:
    generator = random.Random(1)
    contents = (generator.randbytes(generator.randrange(3000)) for _ in range(5000))
    digests = list(dict.fromkeys(map(digest_from_bytes, contents)))
    fields = list(map(encode_digest_field, digests))
    assert sizes_of(fields) == [digest.size for digest in digests]
    expected = [
        (list(map(encode_digest_field, batch)), sum(digest.size for digest in batch))
        for batch in batches(digests, limit_bytes)
    ]
    assert list(field_batches(dict(zip(fields, sizes_of(fields), strict=True)), limit_bytes)) == expected
    assert split_fields(b"".join(fields)) == fields


def test_optional_trees_go_only_as_a_whole(cas: Cas, tmp_path: Path) -> None:
    root = cas.import_directory(str(write_tree(tmp_path / "tree")))
    other = cas.add_directory(TreeDirectory(files=(FileEntry("f", digest_from_bytes(b"absent")),)))
    complete = cas.add_directory(TreeDirectory(files=(FileEntry("f", cas.add_bytes(b"there")),)))
    fields = cas.many.walk(
        encode_digest_field(root), encode_digest_field(other) + encode_digest_field(complete)
    )
    assert fields is not None
    assert encode_digest_field(other) not in fields
    assert encode_digest_field(complete) in fields
    assert encode_digest_field(digest_from_bytes(b"there")) in fields


def test_a_file_may_be_what_a_directory_is(
    server: CacheServer, remote: Remote, cas: Cas, tally: Tally, tmp_path: Path
) -> None:
    elsewhere = Cas(str(tmp_path / "elsewhere" / "cas"))
    elsewhere.many.works_beside(10_000)
    content = elsewhere.add_bytes(b"content")
    below = TreeDirectory(files=(FileEntry("f", content),))
    file = FileEntry("same", elsewhere.add_bytes(encode_directory(below)))
    directory = DirectoryEntry("d", elsewhere.add_directory(below))
    assert file.digest == directory.digest
    middle = elsewhere.add_directory(TreeDirectory(directories=(directory,)))
    root = elsewhere.add_directory(
        TreeDirectory(files=(file,), directories=(DirectoryEntry("middle", middle),))
    )
    assert sorted(tree_blobs(elsewhere, root)) == sorted([content, file.digest, middle, root])
    assert upload(remote, elsewhere, tally, root) == 4
    read = fetch(remote, cas, tally, root)
    assert read is not None or is_alone()
    if read is not None:
        assert cas.contains_tree(root)
    elsewhere.close()


def test_many_trees_are_looked_through_at_once(cas: Cas, tmp_path: Path) -> None:
    root = cas.import_directory(str(write_tree(tmp_path / "tree")))
    lacking = cas.add_directory(TreeDirectory(files=(FileEntry("f", digest_from_bytes(b"absent")),)))
    absent = digest_from_bytes(b"no directory")
    cas.verify_on_use()
    cas.many.walk_ahead([root, lacking, absent])
    assert [cas.contains_tree(tree) for tree in (root, lacking, absent)] == [True, False, False]
    kept = cas.many._walked_count
    cas.many.walk_ahead([root, lacking, absent])
    assert cas.many._walked_count == kept
    fields = cas.many.walk(encode_digest_field(root), b"")
    assert fields is not None
    assert (kept, cas.many._walked_count) == (len(fields), 0)
    assert set(fields) == {encode_digest_field(blob) for blob in set(tree_blobs(cas, root)) - {EMPTY_DIGEST}}
