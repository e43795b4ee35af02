"""ByteStream: blobs of any size, interrupted and continued, compressed, never damaged."""

import os
import threading
from collections.abc import Iterator
from random import Random

import pytest
from grpc import StatusCode

from buildstream._model.digest import digest_from_bytes
from buildstream._protos.google.bytestream import bytestream_pb2 as streams
from buildstream._zstd import compressed
from tests.server.conftest import Client, Servers, status_of, upload_name

CONTENT = Random(5).randbytes(3_000_000)
DIGEST = digest_from_bytes(CONTENT)
ZSTD = "compressed-blobs/zstd"


def received(client: Client, name: str) -> tuple[int, bool]:
    """How much of an upload has arrived, and whether that is all."""
    answer = client.streams.QueryWriteStatus(streams.QueryWriteStatusRequest(resource_name=name))
    return answer.committed_size, answer.complete


def test_what_was_written_is_read_whole_and_in_parts(client: Client) -> None:
    assert client.write(upload_name(DIGEST), CONTENT) == DIGEST.size
    assert client.read(DIGEST) == CONTENT
    assert client.read(DIGEST, offset=1000) == CONTENT[1000:]
    assert client.read(DIGEST, offset=2_999_990, limit=5) == CONTENT[2_999_990:2_999_995]
    assert client.read(DIGEST, offset=DIGEST.size) == b""


def test_the_empty_blob_needs_no_upload(client: Client) -> None:
    empty = digest_from_bytes(b"")
    assert client.read(empty) == b""
    assert client.missing(empty) == set()
    assert client.write(upload_name(empty), b"") == 0


def test_an_upload_goes_on_where_it_was_interrupted(client: Client) -> None:
    name = upload_name(DIGEST)
    client.write(name, CONTENT[:1_000_000], finish=False)
    assert received(client, name) == (1_000_000, False)
    assert client.missing(DIGEST) == {DIGEST.hash}
    client.write(name, CONTENT[1_000_000:], offset=1_000_000)
    assert received(client, name) == (DIGEST.size, True)
    assert client.read(DIGEST) == CONTENT


def test_an_upload_goes_on_after_the_server_was_started_again(servers: Servers) -> None:
    name = upload_name(DIGEST)
    servers.start().write(name, CONTENT[:1_000_000], finish=False)
    servers.stop()
    client = servers.start()
    assert received(client, name) == (1_000_000, False)
    client.write(name, CONTENT[1_000_000:], offset=1_000_000)
    assert client.read(DIGEST) == CONTENT


def test_bytes_that_were_sent_before_are_skipped(client: Client) -> None:
    name = upload_name(DIGEST)
    client.write(name, CONTENT[:1_000_000], finish=False)
    client.write(name, CONTENT[900_000:], offset=900_000)
    assert client.read(DIGEST) == CONTENT


def test_a_gap_is_refused(client: Client) -> None:
    name = upload_name(DIGEST)
    code, text = status_of(lambda: client.write(name, CONTENT[10:], offset=10))
    assert code is StatusCode.INVALID_ARGUMENT
    assert "must begin at 0" in text


def test_a_second_call_takes_an_upload_over_from_one_that_hangs(client: Client) -> None:
    name = upload_name(DIGEST)
    may_go_on = threading.Event()

    def hanging() -> Iterator[streams.WriteRequest]:
        yield streams.WriteRequest(resource_name=name, data=CONTENT[:500_000])
        may_go_on.wait()
        yield streams.WriteRequest(resource_name=name, write_offset=500_000, data=CONTENT[500_000:600_000])

    first = client.streams.Write.future(hanging())
    while received(client, name)[0] < 500_000:  # until the server has it: else the first came last
        assert not first.done()
    client.write(name, CONTENT)
    may_go_on.set()
    assert first.exception() is not None or first.result().committed_size == DIGEST.size
    assert client.read(DIGEST) == CONTENT


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(CONTENT[:-1] + b"?", id="a wrong byte"),
        pytest.param(CONTENT[:-1], id="too few"),
        pytest.param(CONTENT + b"?", id="too many"),
    ],
)
def test_another_content_is_never_stored(servers: Servers, client: Client, sent: bytes) -> None:
    name = upload_name(DIGEST)
    assert status_of(lambda: client.write(name, sent))[0] is StatusCode.INVALID_ARGUMENT
    assert client.missing(DIGEST) == {DIGEST.hash}
    assert servers.objects(DIGEST) == []
    assert received(client, name) == (0, False)
    client.write(upload_name(DIGEST), CONTENT)
    assert client.read(DIGEST) == CONTENT


def test_streams_are_compressed_when_asked_for(client: Client) -> None:
    plain = CONTENT[:1000] * 3000
    digest = digest_from_bytes(plain)
    sent = compressed(plain)
    assert client.write(upload_name(digest, ZSTD), sent) == len(sent) < digest.size // 100
    assert client.read(digest) == plain
    got = client.read(digest, kind=ZSTD)
    assert len(got) < digest.size // 100
    again = digest_from_bytes(plain + b"!")
    # two frames are as good as one
    client.write(upload_name(again, ZSTD), got + compressed(b"!"))
    assert client.read(again) == plain + b"!"


def test_an_answer_to_an_upload_of_a_known_blob_does_not_wait_for_it(client: Client) -> None:
    client.write(upload_name(DIGEST), CONTENT)
    assert client.write(upload_name(DIGEST), CONTENT[:10], finish=False) == DIGEST.size
    assert client.write(upload_name(DIGEST, ZSTD), b"?", finish=False) == -1


@pytest.mark.parametrize("sent", [b"no frame at all", compressed(CONTENT)[:-20], compressed(bytes(10 << 20))])
def test_damaged_or_endless_compressed_streams_are_refused(client: Client, sent: bytes) -> None:
    code, _ = status_of(lambda: client.write(upload_name(DIGEST, ZSTD), sent))
    assert code is StatusCode.INVALID_ARGUMENT
    assert client.missing(DIGEST) == {DIGEST.hash}


def test_a_blob_that_was_damaged_on_the_disk_is_not_sent_and_can_be_uploaded_again(
    servers: Servers, client: Client
) -> None:
    client.write(upload_name(DIGEST), CONTENT)
    (path,) = servers.objects(DIGEST)
    times = path.stat()
    damaged = bytearray(CONTENT)
    damaged[2_999_999] ^= 1
    path.write_bytes(damaged)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as if nothing had happened
    code, _ = status_of(lambda: client.read(DIGEST))
    assert code is StatusCode.DATA_LOSS
    code, _ = status_of(lambda: client.read(DIGEST, offset=5, limit=10))
    assert code is StatusCode.NOT_FOUND
    assert client.missing(DIGEST) == {DIGEST.hash}
    assert any("damaged" in line for line in servers.log)
    client.write(upload_name(DIGEST), CONTENT)
    assert client.read(DIGEST) == CONTENT


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", StatusCode.INVALID_ARGUMENT),
        ("blobs/../../etc/passwd/5", StatusCode.INVALID_ARGUMENT),
        (f"blobs/{DIGEST.hash.upper()}/5", StatusCode.INVALID_ARGUMENT),
        (f"blobs/{DIGEST.hash}/-5", StatusCode.INVALID_ARGUMENT),
        (f"compressed-blobs/brotli/{DIGEST.hash}/5", StatusCode.INVALID_ARGUMENT),
        (f"other/instance/blobs/{DIGEST.hash}/5", StatusCode.NOT_FOUND),
        (f"blobs/{DIGEST.hash}/5", StatusCode.NOT_FOUND),
    ],
)
def test_bad_names_get_an_answer_that_tells(client: Client, name: str, code: StatusCode) -> None:
    request = streams.ReadRequest(resource_name=name)
    assert status_of(lambda: list(client.streams.Read(request)))[0] is code


def test_offsets_outside_of_a_blob_are_out_of_range(client: Client) -> None:
    client.write(upload_name(DIGEST), CONTENT)
    assert status_of(lambda: client.read(DIGEST, offset=DIGEST.size + 1))[0] is StatusCode.OUT_OF_RANGE
    assert status_of(lambda: client.read(DIGEST, offset=-1))[0] is StatusCode.OUT_OF_RANGE


def test_a_stream_on_which_nothing_moves_is_ended(servers: Servers) -> None:
    client = servers.start(stall_timeout_s=1.0)
    release = threading.Event()

    def stalled() -> Iterator[streams.WriteRequest]:
        yield streams.WriteRequest(resource_name=upload_name(DIGEST), data=CONTENT[:10])
        release.wait()

    call = client.streams.Write.future(stalled())
    assert call.exception(timeout=60) is not None
    release.set()


def test_many_clients_upload_the_same_at_once(client: Client) -> None:
    sizes: list[int] = []
    threads = [
        threading.Thread(target=lambda: sizes.append(client.write(upload_name(DIGEST), CONTENT)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [DIGEST.size] * 20
    assert client.read(DIGEST) == CONTENT
