"""Servers in this process, and clients of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from buildstream._config.values import DiskShare
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._model.tree import DirectoryEntry, FileEntry, TreeDirectory, encode_directory
from buildstream._protos.build.bazel.remote.asset.v1 import remote_asset_pb2_grpc as asset_grpc
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as reapi_grpc
from buildstream._protos.google.bytestream import bytestream_pb2 as streams
from buildstream._protos.google.bytestream import bytestream_pb2_grpc as streams_grpc
from buildstream._server.server import ArtifactServer
from buildstream._server.settings import ListenAddress, Quota, Right, ServerSettings

PUSH = (ListenAddress("127.0.0.1:0", Right.PUSH),)
DEADLINE_S = 120.0  # of calls in tests


def message(digest: Digest) -> reapi.Digest:
    """DIGEST as the API writes it."""
    return reapi.Digest(hash=digest.hash, size_bytes=digest.size)


class Client:
    """All services of one server, as a client sees them."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.capabilities = reapi_grpc.CapabilitiesStub(channel)
        self.contents = reapi_grpc.ContentAddressableStorageStub(channel)
        self.actions = reapi_grpc.ActionCacheStub(channel)
        self.streams = streams_grpc.ByteStreamStub(channel)
        self.fetch = asset_grpc.FetchStub(channel)
        self.push = asset_grpc.PushStub(channel)

    def upload(self, *blobs: bytes) -> list[Digest]:
        """Uploads BLOBS in a batch; all must be taken."""
        request = reapi.BatchUpdateBlobsRequest()
        digests = [digest_from_bytes(blob) for blob in blobs]
        for digest, blob in zip(digests, blobs, strict=True):
            request.requests.add(digest=message(digest), data=blob)
        codes = [answer.status.code for answer in self.contents.BatchUpdateBlobs(request).responses]
        assert codes == [0] * len(blobs)
        return digests

    def upload_tree(self, files: dict[str, bytes], **directories: Digest) -> Digest:
        """Uploads a directory with FILES, and with DIRECTORIES that were uploaded before."""
        digests = self.upload(*files.values())
        entries = tuple(map(FileEntry, files, digests))
        below = tuple(DirectoryEntry(name, digest) for name, digest in directories.items())
        return self.upload(encode_directory(TreeDirectory(files=entries, directories=below)))[0]

    def missing(self, *digests: Digest) -> set[str]:
        """Hashes of those of DIGESTS that the server does not have."""
        request = reapi.FindMissingBlobsRequest(blob_digests=map(message, digests))
        return {found.hash for found in self.contents.FindMissingBlobs(request).missing_blob_digests}

    def read(self, digest: Digest, *, offset: int = 0, limit: int = 0, kind: str = "blobs") -> bytes:
        """What the stream of a blob gives."""
        name = f"{kind}/{digest.hash}/{digest.size}"
        request = streams.ReadRequest(resource_name=name, read_offset=offset, read_limit=limit)
        return b"".join(response.data for response in self.streams.Read(request, timeout=DEADLINE_S))

    def write(
        self, name: str, data: bytes, *, offset: int = 0, finish: bool = True, piece: int = 1 << 16
    ) -> int:
        """Sends DATA to a stream; gives the size that the server has committed to."""

        def requests() -> Iterator[streams.WriteRequest]:
            for start in range(0, len(data) or 1, piece):
                part = data[start : start + piece]
                is_last = start + piece >= len(data)
                yield streams.WriteRequest(
                    resource_name=name,
                    write_offset=offset + start,
                    data=part,
                    finish_write=finish and is_last,
                )

        return int(self.streams.Write(requests(), timeout=DEADLINE_S).committed_size)


def upload_name(digest: Digest, kind: str = "blobs") -> str:
    """A new name for the upload of a blob."""
    return f"uploads/{uuid4()}/{kind}/{digest.hash}/{digest.size}"


def status_of(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """Status and text that CALL, which must fail, ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code(), error.details()


@dataclass
class Clock:
    """A clock that tests put forward."""

    now_ns: int = 2_000_000_000 * 10**9

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        self.now_ns += int(seconds * 10**9)


@dataclass
class Servers:
    """Starts servers, and stops them in the end."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    log: list[str] = field(default_factory=list)
    running: list[tuple[ArtifactServer, list[Client]]] = field(default_factory=list)

    def start(self, **changes: Any) -> Client:
        """A client of a new server on the directory; CHANGES are settings."""
        settings = {
            "directory": str(self.directory),
            "addresses": PUSH,
            "durable": False,
            "grace_s": 5.0,
            "fresh_s": 0.0,
            "quota": Quota(reserved=DiskShare(size_bytes=0, percent=None)),
            **changes,
        }
        server = ArtifactServer(ServerSettings(**settings), self.log.append, self.clock)
        addresses = [text.split(" ")[0] for text in server.start()]
        clients = [Client(grpc.insecure_channel(address)) for address in addresses]
        self.running.append((server, clients))
        return clients[0]

    def stop(self) -> None:
        """Stops all that run."""
        while self.running:
            server, clients = self.running.pop()
            for client in clients:
                client.channel.close()
            server.stop()

    def objects(self, digest: Digest) -> list[Path]:
        """The files that hold a blob."""
        folder = self.directory / "cas" / "objects" / digest.hash[:2]
        return sorted(folder.glob(f"{digest.hash[2:]}*"))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """For tests that choose settings, or start a server again."""
    made = Servers(tmp_path / "served")
    yield made
    made.stop()


@pytest.fixture
def client(servers: Servers) -> Client:
    """A client that may push to a server."""
    return servers.start()
