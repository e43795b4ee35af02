"""Processes that store the messages of cache servers, and put together what these are sent."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    BatchReadBlobsResponse,
    BatchUpdateBlobsRequest,
    Compressor,
)
from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage
from buildstream._store.blobworkers import BlobWorkers
from buildstream._store.cas import Cas
from buildstream._store.layout import MTIME_NS, StoreLayout
from buildstream._zstd import Decompressor, compressed

LIMIT_S = 120.0


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return StoreLayout(str(tmp_path / "cas"))


@pytest.fixture
def workers(layout: StoreLayout) -> Iterator[BlobWorkers]:
    workers = BlobWorkers(layout, count=2, worthwhile=0)
    yield workers
    workers.close()


def some(count: int) -> list[tuple[Digest, bytes]]:
    contents = [b"%d" % number * 50 for number in range(count)]
    return [(digest_from_bytes(content), content) for content in contents]


def leftovers(layout: StoreLayout) -> list[Path]:
    """Files that were to become objects, and did not."""
    return [path for path in Path(layout.incoming).rglob("*") if not path.is_dir()]


def answer(message: BatchReadBlobsResponse, digest: Digest, data: bytes = b"", code: int = 0) -> None:
    response = message.responses.add(digest=DigestMessage(hash=digest.hash, size_bytes=digest.size))
    response.data = data
    if code:
        response.status.code, response.status.message = code, "because"


def test_each_blob_is_stored_or_told_of(workers: BlobWorkers, layout: StoreLayout) -> None:
    blobs = some(8)
    digests = [digest for digest, _ in blobs]
    message = BatchReadBlobsResponse()
    for digest, data in blobs[:3]:
        answer(message, digest, data)
    message.responses[2].status.SetInParent()  # says that it went well
    answer(message, digests[3], code=5)
    answer(message, digests[4], b"something else")
    answer(message, digests[5], code=14)
    answer(message, digests[6], b"smaller")
    message.responses[-1].compressor = Compressor.ZSTD
    answer(message, digests[7], blobs[7][1])
    answer(message, digest_from_bytes(b"not asked for"), b"not asked for")
    batch = workers.store(message.SerializeToString(), digests[:7], {digests[1].hash})
    assert batch is not None
    assert batch.stored == digests[:3]
    assert batch.missing == [digests[3]]
    assert batch.corrupt == [digests[4]]
    assert [(digest, code) for digest, code, _ in batch.refused] == [(digests[5], 14), (digests[6], -2)]
    assert batch.refused[0][2] == "because"
    assert batch.error is None
    objects = {str(path): path for path in Path(layout.objects).glob("*/*")}
    assert set(objects) == set(batch.made)
    for (digest, data), path in zip(blobs, batch.made, strict=False):
        status = os.stat(path)
        assert Path(path).read_bytes() == data
        assert status.st_mtime_ns == MTIME_NS
        assert batch.when[0] <= status.st_ctime_ns <= batch.when[1]
        assert status.st_mode & 0o777 == (0o755 if digest == digests[1] else 0o644)
    assert leftovers(layout) == []


def test_what_was_stored_is_read_again_only_if_it_was_changed(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"))
    blobs = some(2)
    message = BatchReadBlobsResponse()
    for digest, data in blobs:
        answer(message, digest, data)
    cas.store_batch(b"", [digest for digest, _ in some(3000)], set())  # from so many on it is worthwhile
    batch = cas.store_batch(message.SerializeToString(), [digest for digest, _ in blobs], set())
    if batch is None:  # there is one processor
        cas.insert(blobs[0][0], blobs[0][1])
        cas.insert(blobs[1][0], blobs[1][1])
    path = cas.object_path(blobs[1][0])
    stored_ns = time.time_ns()
    while os.stat(path).st_ctime_ns <= stored_ns:  # times of files are some milliseconds behind
        with open(path, "r+b") as file:
            file.write(b"X")
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    assert cas.verify(blobs[0][0])
    assert not cas.verify(blobs[1][0])
    cas.close()


def test_what_is_compressed_is_compared_as_it_was(workers: BlobWorkers, layout: StoreLayout) -> None:
    """Several frames are for the caller."""
    blobs = [(digest_from_bytes(content), content) for content in (b"a" * 5000, b"b" * 5000, b"c" * 5000)]
    message = BatchReadBlobsResponse()
    answer(message, blobs[0][0], compressed(blobs[0][1]))
    answer(message, blobs[1][0], compressed(b"x" * 5000))
    answer(message, blobs[2][0], compressed(b"c" * 2000) + compressed(b"c" * 3000))
    for response in message.responses:
        response.compressor = Compressor.ZSTD
    batch = workers.store(message.SerializeToString(), [digest for digest, _ in blobs], set())
    assert batch is not None
    assert batch.stored == [blobs[0][0]]
    assert Path(batch.made[0]).read_bytes() == blobs[0][1]
    assert batch.corrupt == [blobs[1][0]]
    assert [digest for digest, _, _ in batch.refused] == [blobs[2][0]]


def test_a_request_is_compressed_where_that_helps(workers: BlobWorkers, tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"))
    contents = [b"a" * 5000, os.urandom(5000), b"small"]
    digests = [cas.add_bytes(content) for content in contents]
    loaded = workers.load(b"", digests, compresses=True)
    assert loaded is not None
    parts = BatchUpdateBlobsRequest.FromString(loaded[0]).requests
    assert [part.compressor for part in parts] == [Compressor.ZSTD, 0, 0]
    assert b"".join(Decompressor().feed(parts[0].data)) == contents[0]
    assert [part.data for part in parts[1:]] == contents[1:]
    cas.close()


def test_a_damaged_message_is_for_the_caller(workers: BlobWorkers) -> None:
    digest, data = some(1)[0]
    message = BatchReadBlobsResponse()
    answer(message, digest, data)
    encoded = message.SerializeToString()
    for broken in (encoded[:-1], b"\x0f" + encoded, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"):
        assert workers.store(broken, [digest], set()) is None
    batch = workers.store(encoded, [digest], set())
    assert batch is not None
    assert batch.stored == [digest]


def test_a_disk_that_refuses_is_told_of(workers: BlobWorkers, layout: StoreLayout) -> None:
    (digest, data), (other, other_data) = some(2)
    message = BatchReadBlobsResponse()
    answer(message, digest, data)
    answer(message, other, other_data)
    Path(layout.objects, other.hash[:2]).write_text("in the way")
    batch = workers.store(message.SerializeToString(), [digest, other], set())
    assert batch is not None
    assert batch.stored == [digest]
    assert batch.error is not None
    assert other.hash[2:] in str(batch.error)
    assert leftovers(layout) == []


def test_a_request_has_what_is_intact(workers: BlobWorkers, layout: StoreLayout, tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"))
    blobs = [*some(4), (digest_from_bytes(b"x" * 200_000), b"x" * 200_000)]
    for number, (digest, data) in enumerate(blobs):
        cas.insert(digest, data, executable=number == 1)
    damaged, absent = blobs[2][0], digest_from_bytes(b"absent")
    Path(layout.objects, damaged.hash[:2], damaged.hash[2:]).write_bytes(b"y" * damaged.size)
    prefix = BatchUpdateBlobsRequest(instance_name="some").SerializeToString()
    loaded = workers.load(prefix, [*(digest for digest, _ in blobs), absent])
    assert loaded is not None
    request = BatchUpdateBlobsRequest.FromString(loaded[0])
    assert request.instance_name == "some"
    found = [(Digest(r.digest.hash, r.digest.size_bytes), r.data) for r in request.requests]
    assert found == [blob for blob in blobs if blob[0] != damaged]
    assert loaded[1] == [damaged, absent]
    assert request.SerializeToString() == loaded[0]
    cas.close()


def test_who_finds_a_process_dead_does_it_alone(workers: BlobWorkers) -> None:
    """Also those who wait for one meanwhile."""
    digest, data = some(1)[0]
    message = BatchReadBlobsResponse()
    answer(message, digest, data)
    encoded = message.SerializeToString()
    assert workers.store(encoded, [digest], set()) is not None
    workers.kill()
    results: list[object] = []
    threads = [
        Thread(target=lambda: results.append(workers.store(encoded, [digest], set()))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert len(results) == 6
    assert None in results
    assert workers.store(encoded, [digest], set()) is None
