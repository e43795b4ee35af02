"""Blobs compressed on their way, with a server that can do that."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildstream._model.digest import EMPTY_DIGEST
from buildstream._remote.cas import CasClient
from buildstream._remote.compression import Decompressor, decompressed
from buildstream._remote.download import Downloader
from buildstream._remote.errors import RemoteError
from buildstream._remote.remote import Remote
from buildstream._remote.retry import Cancellation, Effects
from buildstream._remote.tally import Tally
from buildstream._remote.upload import Uploader
from buildstream._remotespec import RemoteSpec
from buildstream._store.cas import Cas
from buildstream._zstd import compressed
from tests.testutils.artifactserver import artifact_server

TEXT = b"a line that comes again and again\n" * 200_000  # some seven mebibytes
NOISE = os.urandom(3 << 20)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[CasClient]:
    """A client of a real server that compresses although the server is near."""
    with artifact_server(tmp_path / "served") as server:
        remote = Remote(RemoteSpec(f"http://{server.addresses[0]}", push=True), Effects())
        remote.open(Cancellation())
        assert remote.cas.capabilities.reads_zstd
        yield CasClient(remote.cas.channel, remote.cas.capabilities, compresses=True)
        remote.close()


@pytest.mark.parametrize("contents", [[TEXT, NOISE], [b"small" * 1000, b"s", NOISE[:9000]], [b""]])
def test_what_went_compressed_comes_back(
    client: CasClient, cas: Cas, tally: Tally, tmp_path: Path, contents: list[bytes]
) -> None:
    elsewhere = Cas(str(tmp_path / "elsewhere" / "cas"))
    digests = [elsewhere.add_bytes(content) for content in contents]
    Uploader(client, elsewhere, Cancellation(), tally).push(digests)
    assert not Downloader(client, cas, Cancellation(), tally).fetch_blobs(dict.fromkeys(digests, False))
    assert [cas.read_bytes(digest) for digest in digests] == contents
    assert client.find_missing([d for d in digests if d != EMPTY_DIGEST], Cancellation()) == set()


def test_many_that_went_compressed_come_back(
    client: CasClient, cas: Cas, tally: Tally, tmp_path: Path
) -> None:
    """Other processes compress and decompress them."""
    elsewhere = Cas(str(tmp_path / "elsewhere" / "cas"))
    contents = [b"%d" % number * 500 for number in range(3000)] + [NOISE[n : n + 900] for n in range(500)]
    digests = [elsewhere.add_bytes(content) for content in contents]
    Uploader(client, elsewhere, Cancellation(), tally).push(digests)
    assert client.find_missing(digests, Cancellation()) == set()
    assert not Downloader(client, cas, Cancellation(), tally).fetch_blobs(dict.fromkeys(digests, False))
    assert [cas.read_bytes(digest) for digest in digests] == contents
    elsewhere.close()
    cas.close()


def test_little_that_stands_for_much_is_not_unpacked() -> None:
    bomb = compressed(bytes(256 << 20))
    assert len(bomb) < 1 << 20
    assert len(decompressed(bomb, 1000)) <= 1000 + (1 << 20)
    assert max(map(len, Decompressor().feed(bomb))) <= 1 << 20


def test_several_frames_are_one_content() -> None:
    frames = compressed(b"one") + compressed(b"two" * 1000)
    pieces = [b"".join(Decompressor().feed(frames))]
    decompressor = Decompressor()
    pieces.append(b"".join(b"".join(decompressor.feed(frames[i : i + 1])) for i in range(len(frames))))
    assert pieces == [b"one" + b"two" * 1000] * 2


def test_damage_is_an_error() -> None:
    with pytest.raises(RemoteError):
        decompressed(b"no frame at all", 100)
