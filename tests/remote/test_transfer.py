"""Blobs and trees between a store and a server."""

import os
from pathlib import Path

import grpc
import pytest

from buildstream._act.exchange import look_ahead
from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._model.tree import (
    DirectoryEntry,
    FileEntry,
    TreeDirectory,
    encode_digest_field,
    encode_directory,
)
from buildstream._remote.download import Downloader
from buildstream._remote.errors import Failure, RemoteError
from buildstream._remote.remote import Remote
from buildstream._remote.retry import Cancellation
from buildstream._remote.tally import Tally
from buildstream._remote.upload import Uploader, tree_blobs
from buildstream._store.cas import Cas
from tests.remote.conftest import Waits
from tests.testutils.cacheserver import CacheServer
from tests.testutils.largeobjects import KNOWN_BYTES, flip_silently

LARGE = 3 << 20


@pytest.fixture
def downloader(remote: Remote, cas: Cas, tally: Tally) -> Downloader:
    return Downloader(remote.cas, cas, Cancellation(), tally)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Cas:
    """The store of somebody else."""
    return Cas(str(tmp_path / "elsewhere" / "cas"))


def uploader(remote: Remote, cas: Cas, tally: Tally) -> Uploader:
    return Uploader(remote.cas, cas, Cancellation(), tally, remote.suspects)


def add(server: CacheServer, data: bytes) -> Digest:
    digest = digest_from_bytes(data)
    server.blobs[digest.hash] = data
    return digest


def write_tree(tmp_path: Path) -> Path:
    top = tmp_path / "files"
    (top / "a" / "b").mkdir(parents=True)
    for number in range(30):
        (top / "a" / f"f{number}").write_bytes(b"%d" % number * 1000)
    (top / "a" / "b" / "program").write_bytes(b"#!/bin/sh\n")
    (top / "a" / "b" / "program").chmod(0o755)
    (top / "large").write_bytes(os.urandom(LARGE))
    (top / "empty").write_bytes(b"")
    (top / "link").symlink_to("a/f1")
    return top


def test_a_tree_arrives_as_it_was_sent(
    remote: Remote, elsewhere: Cas, cas: Cas, tally: Tally, tmp_path: Path
) -> None:
    root = elsewhere.import_directory(str(write_tree(tmp_path)))
    sent = uploader(remote, elsewhere, tally).push(tree_blobs(elsewhere, root))
    assert len(sent) == 35
    assert not Downloader(remote.cas, cas, Cancellation(), tally).fetch_trees([root])
    assert cas.contains_tree(root)
    assert Path(cas.extracted_tree(root), "a/b/program").read_bytes() == b"#!/bin/sh\n"
    assert os.access(Path(cas.extracted_tree(root), "a/b/program"), os.X_OK)


def test_a_server_is_asked_once_for_all_it_may_lack(
    remote: Remote, server: CacheServer, elsewhere: Cas, tally: Tally, tmp_path: Path
) -> None:
    root = elsewhere.import_directory(str(write_tree(tmp_path)))
    uploader(remote, elsewhere, tally).push(tree_blobs(elsewhere, root))
    server.calls.clear()
    assert uploader(remote, elsewhere, tally).push(tree_blobs(elsewhere, root)) == []
    assert server.calls == ["FindMissingBlobs"]


def test_batches_keep_below_the_limit_of_the_server(
    remote: Remote, server: CacheServer, elsewhere: Cas, tally: Tally, url: str
) -> None:
    server.batch_limit_bytes = 5000
    limited = Remote(remote.spec, remote.effects)
    limited.open(Cancellation())
    blobs = [elsewhere.add_bytes(bytes([number]) * 1500) for number in range(20)]
    uploader(limited, elsewhere, tally).push(blobs)
    sizes = [sum(len(r.data) for r in request.requests) for request in server.requests["BatchUpdateBlobs"]]
    assert max(sizes) <= 5000
    assert sum(sizes) == 20 * 1500
    limited.close()


def test_a_broken_stream_goes_on_where_it_was(server: CacheServer, downloader: Downloader, cas: Cas) -> None:
    digest = add(server, os.urandom(LARGE))
    server.truncate_after_bytes = 1 << 20
    assert not downloader.fetch_blobs({digest: False})
    assert cas.verify(digest)
    assert server.read_offsets == [0, 1 << 20]


def test_a_stream_that_was_given_up_goes_on_in_another_program(
    server: CacheServer, remote: Remote, tmp_path: Path, tally: Tally
) -> None:
    """The first program loses the server in the middle; the second one begins there."""
    digest = add(server, os.urandom(LARGE))

    def refuse(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name == "Read" and server.read_offsets:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no more")

    server.truncate_after_bytes = 1 << 20
    server.fault = refuse
    first = Downloader(remote.cas, Cas(str(tmp_path / "cas")), Cancellation(), tally)
    with pytest.raises(RemoteError):
        first.fetch_blobs({digest: False})
    server.fault = lambda *_: None
    second = Cas(str(tmp_path / "cas"))
    assert not Downloader(remote.cas, second, Cancellation(), tally).fetch_blobs({digest: False})
    assert second.verify(digest)
    assert server.read_offsets == [0, 1 << 20]


def test_a_broken_upload_goes_on_where_the_server_is(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally
) -> None:
    data = os.urandom(LARGE)
    digest = elsewhere.add_bytes(data)
    server.lose_upload_after_bytes = 1 << 20
    assert uploader(remote, elsewhere, tally).push([digest]) == [digest]
    assert server.blobs[digest.hash] == data
    assert server.calls.count("Write") == 2
    assert "QueryWriteStatus" in server.calls


@pytest.mark.parametrize("size", [100, LARGE], ids=["batch", "stream"])
def test_wrong_content_is_never_stored(
    server: CacheServer, downloader: Downloader, cas: Cas, size: int
) -> None:
    digest = add(server, os.urandom(size))
    server.corrupt = lambda hash_, data: data[:-1] + bytes([data[-1] ^ 1])
    assert downloader.fetch_blobs({digest: False}).corrupt == [digest]
    assert not cas.contains(digest)


@pytest.mark.parametrize("size", [100, LARGE], ids=["batch", "stream"])
def test_content_that_was_damaged_on_its_way_is_asked_for_again(
    server: CacheServer, downloader: Downloader, cas: Cas, size: int
) -> None:
    digest = add(server, os.urandom(size))
    damaged: list[str] = []

    def damage_once(hash_: str, data: bytes) -> bytes:
        if damaged:
            return data
        damaged.append(hash_)
        return data[:-1] + bytes([data[-1] ^ 1])

    server.corrupt = damage_once
    assert not downloader.fetch_blobs({digest: False})
    assert cas.verify(digest)


@pytest.mark.parametrize("size", [100, LARGE], ids=["batch", "stream"])
def test_more_than_was_asked_for_is_refused(
    server: CacheServer, downloader: Downloader, cas: Cas, size: int
) -> None:
    digest = add(server, os.urandom(size))
    server.corrupt = lambda hash_, data: data + bytes(LARGE)
    assert downloader.fetch_blobs({digest: False}).corrupt == [digest]
    assert not cas.contains(digest)


def test_what_the_server_lacks_is_named(server: CacheServer, downloader: Downloader) -> None:
    small, large = digest_from_bytes(b"lost"), Digest("0" * 64, LARGE)
    assert set(downloader.fetch_blobs({small: False, large: False}).missing) == {small, large}


def test_a_suspect_blob_is_uploaded_over_the_one_the_server_has(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally
) -> None:
    digest = elsewhere.add_bytes(b"right")
    server.blobs[digest.hash] = b"wrong"
    assert uploader(remote, elsewhere, tally).push([digest]) == []
    remote.suspects.update([digest])
    assert uploader(remote, elsewhere, tally).push([digest]) == [digest]
    assert server.blobs[digest.hash] == b"right"


def test_a_tree_without_end_is_refused(server: CacheServer, downloader: Downloader) -> None:
    """Forty levels that each show the next one twice: small to send, boundless to stage."""
    digest = add(server, encode_directory(TreeDirectory(files=(FileEntry("f", add(server, b"x")),))))
    for _ in range(40):
        entries = (DirectoryEntry("a", digest), DirectoryEntry("b", digest))
        digest = add(server, encode_directory(TreeDirectory(directories=entries)))
    with pytest.raises(RemoteError, match="too large") as caught:
        downloader.fetch_trees([digest])
    assert caught.value.failure is Failure.CORRUPT


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_names_that_lead_elsewhere_are_refused(
    server: CacheServer, downloader: Downloader, name: str
) -> None:
    bad = encode_directory(TreeDirectory(files=(FileEntry(name, add(server, b"x")),)))
    with pytest.raises(RemoteError) as caught:
        downloader.fetch_trees([add(server, bad)])
    assert caught.value.failure is Failure.CORRUPT


@pytest.mark.parametrize("size_bytes", [5, LARGE])
def test_a_corrupt_local_blob_is_not_sent(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally, size_bytes: int
) -> None:
    digest = elsewhere.add_bytes(b"r" * size_bytes)
    path = Path(elsewhere.object_path(digest))
    status = path.stat()
    path.write_bytes(b"r" * (size_bytes - 1) + b"w")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(CASError):
        uploader(remote, elsewhere, tally).push([digest])
    assert digest.hash not in server.blobs


def test_what_is_known_to_be_right_is_not_read_twice(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally
) -> None:
    digest = elsewhere.add_bytes(os.urandom(KNOWN_BYTES))
    elsewhere.close()
    again = Cas(elsewhere.directory)
    descriptor, is_known = again.open(digest)
    os.close(descriptor)
    assert is_known
    uploader(remote, again, tally).push([digest])
    assert digest_from_bytes(server.blobs[digest.hash]) == digest


@pytest.mark.parametrize("is_healed", [False, True])
def test_a_server_finds_what_a_disk_has_lost_without_telling(
    server: CacheServer, remote: Remote, tmp_path: Path, tally: Tally, is_healed: bool
) -> None:
    directory = str(tmp_path / "store" / "cas")
    content = os.urandom(KNOWN_BYTES)
    cas = Cas(directory)
    digest = cas.add_bytes(content)
    cas.close()
    flip_silently(directory, digest)
    cas = Cas(directory)

    def heal(digest: Digest) -> bool:
        cas.insert(digest, content)
        return True

    if is_healed:
        cas.heal = heal
        uploader(remote, cas, tally).push([digest])
        assert server.blobs[digest.hash] == content
        return
    with pytest.raises(CASError) as caught:
        uploader(remote, cas, tally).push([digest])
    assert caught.value.reason == "corrupt-blob"
    assert digest.hash not in server.blobs


def asked(server: CacheServer) -> list[int]:
    """About how many blobs each question was."""
    return [len(request.blob_digests) for request in server.requests.get("FindMissingBlobs", [])]


def test_what_was_asked_ahead_is_not_asked_again(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally, waits: Waits
) -> None:
    there = add(server, b"there")
    lacking = [elsewhere.add_bytes(b"%d" % number) for number in range(30)]
    remote.cas.look_ahead(map(encode_digest_field, [there, *lacking]), Cancellation())
    assert asked(server) == [31]
    push = uploader(remote, elsewhere, tally).push
    assert push([there, *lacking[:20]]) == lacking[:20]
    assert push([there, *lacking[:20]]) == []  # it has got them
    assert asked(server) == [31]
    other = elsewhere.add_bytes(b"other")
    assert push([lacking[20], other]) == [lacking[20], other]
    assert asked(server) == [31, 1]
    waits.now_s += 601  # it may have forgotten some since
    assert push([lacking[0], lacking[29]]) == [lacking[29]]
    assert asked(server) == [31, 1, 2]
    assert all(digest.hash in server.blobs for digest in (*lacking[:21], lacking[29], other))


def test_answers_ahead_are_for_encoded_digests_too(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally
) -> None:
    fields = [encode_digest_field(elsewhere.add_bytes(b"%d" % number)) for number in range(5)]
    remote.cas.look_ahead(fields, Cancellation())
    assert uploader(remote, elsewhere, tally).push_fields(fields) == 5
    assert uploader(remote, elsewhere, tally).push_fields(fields) == 0
    assert asked(server) == [5]
    assert len(server.blobs) == 5


def test_an_answer_that_fails_ahead_is_asked_for_when_it_is_needed(
    server: CacheServer, remote: Remote, elsewhere: Cas, tally: Tally
) -> None:
    digest = elsewhere.add_bytes(b"blob")

    def refuse(name: str, request: object, context: grpc.ServicerContext) -> None:
        if name == "FindMissingBlobs" and len(server.requests[name]) == 1:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yet")

    server.fault = refuse
    look_ahead(remote.effects, [remote, remote], [encode_digest_field(digest)])
    assert uploader(remote, elsewhere, tally).push([digest]) == [digest]
