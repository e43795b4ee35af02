"""Disk space: what was not used for longest goes, and what is too much is refused."""

import time
from pathlib import Path

import pytest
from grpc import StatusCode

from buildstream._config.values import DiskShare
from buildstream._model.digest import digest_from_bytes
from buildstream._protos.build.bazel.remote.asset.v1 import remote_asset_pb2 as asset
from buildstream._server.settings import Quota
from buildstream._server.space import Space, Volume, disk_size
from buildstream._store.cas import Cas
from tests.server.conftest import Client, Servers, message, status_of, upload_name

KIB = 1 << 10
NONE = DiskShare(size_bytes=0, percent=None)


def quota(kib: int, low: float = 50.0) -> Quota:
    return Quota(DiskShare(size_bytes=kib * KIB, percent=None), NONE, low)


def blob(number: int) -> bytes:
    """8 KiB that no other number has."""
    return b"%8d" % number * KIB


def test_what_was_used_last_stays(servers: Servers) -> None:
    client = servers.start(quota=quota(100))
    digests = [client.upload(blob(number))[0] for number in range(9)]
    assert client.read(digests[0]) == blob(0)
    # the next ones pass the threshold, and then the limit
    late = [client.upload(blob(number))[0] for number in range(100, 106)]
    assert client.missing(late[-1], digests[0]) == set()
    assert digests[1].hash in client.missing(*digests)
    servers.stop()
    assert any("Clean-up deleted" in line for line in servers.log)
    total = sum(path.stat().st_size for path in (servers.directory / "cas" / "objects").rglob("*"))
    assert total < 100 * KIB + 256 * 4 * KIB  # directories count a block each


def test_what_can_never_fit_in_is_refused_and_leaves_nothing(servers: Servers) -> None:
    client = servers.start(quota=quota(100))
    kept = client.upload(blob(1))[0]
    content = bytes(200 * KIB)
    digest = digest_from_bytes(content)
    code, _ = status_of(lambda: client.write(upload_name(digest), content))
    assert code is StatusCode.RESOURCE_EXHAUSTED
    assert client.missing(kept, digest) == {digest.hash}
    assert list((servers.directory / "cas" / "tmp").iterdir()) == []


def test_names_go_with_what_they_stand_for(servers: Servers) -> None:
    client = servers.start(quota=quota(100))
    tree = client.upload_tree({"file": blob(1)})
    client.push.PushDirectory(asset.PushDirectoryRequest(uris=["urn:a"], root_directory_digest=message(tree)))
    for number in range(100, 130):
        client.upload(blob(number))
    request = asset.FetchDirectoryRequest(uris=["urn:a"])
    assert status_of(lambda: client.fetch.FetchDirectory(request))[0] is StatusCode.NOT_FOUND


def test_what_is_used_while_a_clean_up_looks_around_stays(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"), durable=False)
    used, unused = cas.add_bytes(b"used"), cas.add_bytes(b"unused")
    seen = list(cas.uses())
    cas.note_uses_since(time.time_ns())
    assert cas.claim(used)
    assert [use.size_bytes for use in cas.remove_unused(seen)] == [len(b"unused")]
    assert (cas.contains(used), cas.contains(unused)) == (True, False)


def test_uploads_that_were_given_up_do_not_count(servers: Servers) -> None:
    client = servers.start(quota=quota(100))
    content = bytes(60 * KIB)
    digest = digest_from_bytes(content)
    wrong = content[:-1] + b"?"
    for _ in range(3):
        assert status_of(lambda: client.write(upload_name(digest), wrong))[0] is StatusCode.INVALID_ARGUMENT
    assert client.write(upload_name(digest), content) == digest.size


@pytest.mark.parametrize(
    ("limit", "reserved", "used", "free", "expected"),
    [
        pytest.param(None, NONE, 100, 1000, 1100, id="all that is free"),
        pytest.param(None, DiskShare(300, None), 100, 1000, 800, id="the reserve stays free"),
        pytest.param(DiskShare(500, None), NONE, 100, 1000, 500, id="the quota"),
        pytest.param(DiskShare(None, 10.0), NONE, 100, 1000, 500, id="a share of the disk"),
        pytest.param(
            DiskShare(500, None), DiskShare(900, None), 100, 1000, 200, id="the reserve is stronger"
        ),
        pytest.param(None, DiskShare(2000, None), 100, 1000, 0, id="never negative"),
    ],
)
def test_limits(limit: DiskShare | None, reserved: DiskShare, used: int, free: int, expected: int) -> None:
    space = Space(Quota(limit, reserved, 80.0), lambda: Volume(total=5000, free=free))
    assert space.limit_bytes(used) == expected
    assert space.low_bytes(1000) == 800
    assert space.threshold_bytes(1000) == 930


def test_sizes_are_those_of_blocks() -> None:
    assert [disk_size(size) for size in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]


def test_uploaded_files_are_found_after_a_restart(tmp_path: Path, servers: Servers) -> None:
    first = servers.start(quota=quota(100))
    first.upload(*(blob(number) for number in range(5)))
    servers.stop()
    client: Client = servers.start(quota=quota(44))
    client.upload(blob(100))  # more than the limit: something has to go
    assert client.missing(*(digest_from_bytes(blob(number)) for number in range(5)))
