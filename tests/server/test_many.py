"""Requests about many blobs, which other processes answer: the same as those about few."""

import os
import time
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from psutil import STATUS_ZOMBIE, NoSuchProcess, Process

from buildstream._config.values import DiskShare
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._server.settings import Quota
from buildstream._zstd import compressed
from tests.server.conftest import Client, Servers, message, status_of
from tests.testutils.artifactserver import ArtifactServer

MANY = 300
LIMIT_S = 120.0
ZSTD = reapi.Compressor.ZSTD
INVALID = StatusCode.INVALID_ARGUMENT.value[0]


def some(kind: str, count: int = MANY) -> list[bytes]:
    return [f"{kind} {number} ".encode() * 40 for number in range(count)]


@pytest.fixture
def client(client: Client) -> Client:
    """One whose server has started its processes."""
    client.upload(*some("first of all"))
    return client


def read_all(client: Client, digests: list[Digest], *, zstd: bool = False) -> list[tuple[bytes, int, int]]:
    """Content, status, and compressor of each, in the order of the answers."""
    request = reapi.BatchReadBlobsRequest(
        digests=map(message, digests), acceptable_compressors=[ZSTD] if zstd else []
    )
    responses = client.contents.BatchReadBlobs(request).responses
    assert [response.digest for response in responses] == list(map(message, digests))
    return [(response.data, response.status.code, response.compressor) for response in responses]


def test_what_is_uploaded_is_there_and_given(client: Client) -> None:
    blobs = some("blob")
    absent = digest_from_bytes(b"absent")
    digests = [digest_from_bytes(blob) for blob in blobs]
    assert client.missing(*digests, absent) == {digest.hash for digest in (*digests, absent)}
    client.upload(*blobs)
    client.upload(*blobs)  # again
    assert client.missing(*digests, absent) == {absent.hash}
    assert read_all(client, digests) == [(blob, 0, 0) for blob in blobs]
    assert client.missing(*(Digest(digest.hash, digest.size + 1) for digest in digests)) == {
        digest.hash for digest in digests
    }


def test_each_has_its_status_if_not_all_went_well(client: Client) -> None:
    blobs = some("blob")
    request = reapi.BatchUpdateBlobsRequest()
    for number, blob in enumerate(blobs):
        data = b"something else" if number == 200 else blob
        request.requests.add(digest=message(digest_from_bytes(blob)), data=data)
    request.requests[100].digest.hash = "../" * 21 + "x"
    codes = [answer.status.code for answer in client.contents.BatchUpdateBlobs(request).responses]
    assert codes == [INVALID if number in (100, 200) else 0 for number in range(MANY)]
    digests = [digest_from_bytes(blob) for blob in blobs]
    assert client.missing(*digests) == {digests[100].hash, digests[200].hash}
    found = read_all(client, digests)
    assert [data for data, _, _ in found] == [b"" if n in (100, 200) else blobs[n] for n in range(MANY)]
    assert {code for _, code, _ in found} == {0, StatusCode.NOT_FOUND.value[0]}


def test_compressed_blobs(client: Client) -> None:
    blobs = some("blob")
    request = reapi.BatchUpdateBlobsRequest()
    for blob in blobs:
        request.requests.add(digest=message(digest_from_bytes(blob)), data=compressed(blob), compressor=ZSTD)
    assert {answer.status.code for answer in client.contents.BatchUpdateBlobs(request).responses} == {0}
    digests = [digest_from_bytes(blob) for blob in blobs]
    assert [data for data, _, _ in read_all(client, digests)] == blobs
    for blob, (data, code, compressor) in zip(blobs, read_all(client, digests, zstd=True), strict=True):
        assert (code, len(data) < len(blob)) == (0, compressor == ZSTD)
    # more than they say
    request.requests[7].data = compressed(bytes(1 << 24))
    request.requests[7].digest.hash = "0" * 64
    codes = [answer.status.code for answer in client.contents.BatchUpdateBlobs(request).responses]
    assert codes == [INVALID if number == 7 else 0 for number in range(MANY)]


def test_requests_that_can_not_be_answered(client: Client) -> None:
    digests = [message(digest_from_bytes(blob)) for blob in some("blob")]
    contents = client.contents
    elsewhere = reapi.FindMissingBlobsRequest(instance_name="elsewhere", blob_digests=digests)
    assert status_of(lambda: contents.FindMissingBlobs(elsewhere))[0] is StatusCode.NOT_FOUND
    other = reapi.BatchReadBlobsRequest(digests=digests, digest_function=reapi.DigestFunction.BLAKE3)
    assert status_of(lambda: contents.BatchReadBlobs(other))[0] is StatusCode.INVALID_ARGUMENT
    bad = reapi.FindMissingBlobsRequest(blob_digests=[*digests, reapi.Digest(hash="x" * 64)])
    assert status_of(lambda: contents.FindMissingBlobs(bad))[0] is StatusCode.INVALID_ARGUMENT
    large = reapi.BatchReadBlobsRequest(digests=[*digests, reapi.Digest(hash="0" * 64, size_bytes=1 << 30)])
    assert status_of(lambda: contents.BatchReadBlobs(large))[0] is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["FindMissingBlobs", "BatchUpdateBlobs", "BatchReadBlobs"])
def test_damaged_requests_are_refused(client: Client, method: str) -> None:
    service = "build.bazel.remote.execution.v2.ContentAddressableStorage"
    call = client.channel.unary_unary(f"/{service}/{method}")
    digests = [message(digest_from_bytes(blob)) for blob in some("blob")]
    encoded = reapi.FindMissingBlobsRequest(blob_digests=digests).SerializeToString()
    for broken in (encoded[:-1], encoded + b"\x12\xff\xff\xff\xff\x0f", encoded[:100]):
        assert status_of(lambda broken=broken: call(broken))[0] is StatusCode.INVALID_ARGUMENT  # type: ignore[misc] # mypy knows no defaults


def test_a_damaged_blob_is_put_away(servers: Servers, client: Client) -> None:
    blobs = some("blob")
    digests = client.upload(*blobs)
    (path,) = servers.objects(digests[5])
    status = path.stat()
    path.write_bytes(b"X" * digests[5].size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = read_all(client, digests)
    assert found[5] == (b"", StatusCode.NOT_FOUND.value[0], 0)
    assert [data for data, _, _ in found[6:]] == blobs[6:]
    assert client.missing(*digests) == {digests[5].hash}
    client.upload(*blobs)
    assert client.missing(*digests) == set()


def test_what_is_asked_for_or_uploaded_again_counts_as_used(servers: Servers, client: Client) -> None:
    blobs = some("blob")
    digests = client.upload(*blobs)
    paths = [servers.objects(digest)[0] for digest in digests]

    def forget_use() -> None:
        for path in paths:
            os.utime(path, ns=(1, path.stat().st_mtime_ns))

    uses = (
        lambda: client.missing(*digests),
        lambda: client.upload(*blobs),
        lambda: read_all(client, digests),
    )
    for use in uses:
        forget_use()
        use()
        assert all(path.stat().st_atime_ns > 1 for path in paths)


def test_the_quota_holds(servers: Servers) -> None:
    """What was there already takes no more room, and old blobs make room for new ones."""
    quota = Quota(
        limit=DiskShare(size_bytes=4096 * MANY * 4, percent=None),
        reserved=DiskShare(size_bytes=0, percent=None),
    )
    client = servers.start(quota=quota)
    for _ in range(8):
        client.upload(*some("first"))
    assert not [line for line in servers.log if "Clean-up" in line]
    for number in range(8):
        servers.clock.forward(3600)
        digests = client.upload(*some(f"number {number}"))
    assert client.missing(*digests) == set()
    used = sum(1 for path in (servers.directory / "cas" / "objects").glob("*/*"))
    assert used <= MANY * 4
    assert [line for line in servers.log if "Clean-up" in line]


def runs(process: Process) -> bool:
    """Whether PROCESS runs; nobody may be there to take note of its end."""
    try:
        return bool(process.is_running() and process.status() != STATUS_ZOMBIE)
    except NoSuchProcess:
        return False


def test_a_killed_server_leaves_no_processes(tmp_path: Path) -> None:
    server = ArtifactServer(tmp_path / "served", ("--bind-push", "127.0.0.1:0"))
    try:
        client = Client(grpc.insecure_channel(server.addresses[0]))
        client.upload(*some("blob"))
        client.upload(*some("other"))
        children = Process(server.pid).children()
        client.channel.close()
    finally:
        server.kill()
    assert children or len(os.sched_getaffinity(0)) == 1
    until_s = time.monotonic() + LIMIT_S
    while any(map(runs, children)) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not any(map(runs, children))
