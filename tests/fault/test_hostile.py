"""Servers that mean harm: nothing outside of the store, little memory, a clear line, and then a build."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from buildstream._model.digest import digest_from_bytes
from buildstream._model.tree import DirectoryEntry, FileEntry, TreeDirectory, encode_directory
from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Digest as DigestMessage
from buildstream._protos.buildstream.v2.artifact_pb2 import Artifact
from buildstream._protos.google.bytestream import bytestream_pb2
from tests.fault.storecheck import find_faults
from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.space import TestSpace

MOST_MEMORY_MIB = 200
LARGE = b"large" * (1 << 20)
NAMES = ["../../../../escaped", "/escaped", "..", "."]


class HostileServer(CacheServer):
    """Streams that never end, if it is told to."""

    is_endless = False

    def Read(self, request: Any, context: Any) -> Iterator[Any]:
        while self.is_endless and context.is_active():
            yield bytestream_pb2.ReadResponse(data=bytes(1 << 20))
        yield from super().Read(request, context)


def put(server: CacheServer, data: bytes) -> DigestMessage:
    """Stores DATA in SERVER; the digest as a message."""
    digest = digest_from_bytes(data)
    server.blobs[digest.hash] = data
    return DigestMessage(hash=digest.hash, size_bytes=digest.size)


def replace_files(server: CacheServer, make: Callable[[], DigestMessage]) -> None:
    """Gives the artifact other files, under the same names."""
    (old,) = {message.hash for message in server.blob_names.values()}
    artifact = Artifact.FromString(server.blobs[old])
    artifact.files.CopyFrom(make())
    message = put(server, artifact.SerializeToString())
    server.blob_names = dict.fromkeys(server.blob_names, message)


def directory(
    server: CacheServer, *entries: DirectoryEntry, files: tuple[FileEntry, ...] = ()
) -> DigestMessage:
    return put(server, encode_directory(TreeDirectory(files=files, directories=entries)))


def bomb(server: CacheServer) -> DigestMessage:
    """Sixty levels that each show the next one three times."""
    message = directory(server)
    for _ in range(60):
        data = server.blobs[message.hash]
        below = digest_from_bytes(data)
        message = directory(server, *(DirectoryEntry(name, below) for name in "abc"))
    return message


def endless(server: CacheServer) -> DigestMessage:
    assert isinstance(server, HostileServer)
    server.is_endless = True
    large = digest_from_bytes(b"nobody has it")._replace(size=1 << 40)
    return directory(server, files=(FileEntry("f", large._replace(size=30 << 20)),))


def swollen(server: CacheServer) -> DigestMessage:
    """Every blob is five megabytes, whatever its digest says."""
    files = tuple(FileEntry(f"f{n:02}", digest_from_bytes(b"%d" % n)) for n in range(20))
    for number in range(20):
        put(server, b"%d" % number)
    message = directory(server, files=files)
    names = {file.digest.hash for file in files}
    server.corrupt = lambda hash_, data: bytes(5_000_000) if hash_ in names else data
    return message


def wrong(server: CacheServer) -> DigestMessage:
    file = digest_from_bytes(b"right")
    server.blobs[file.hash] = b"wrong"
    return directory(server, files=(FileEntry("f", file),))


def named(name: str) -> Callable[[CacheServer], DigestMessage]:
    def make(server: CacheServer) -> DigestMessage:
        content = put(server, b"content")
        digest = digest_from_bytes(b"content")
        assert content.hash == digest.hash
        return directory(server, files=(FileEntry(name, digest),))

    return make


def cyclic(server: CacheServer) -> DigestMessage:
    """A directory that contains itself; its digest can only be a lie."""
    lie = digest_from_bytes(b"myself")
    data = encode_directory(TreeDirectory(directories=(DirectoryEntry("a", lie._replace(size=79)),)))
    server.blobs[lie.hash] = data
    return DigestMessage(hash=lie.hash, size_bytes=79)


ATTACKS: dict[str, Callable[[CacheServer], DigestMessage]] = {
    "a tree without end": bomb,
    "a stream without end": endless,
    "blobs larger than they should be": swollen,
    "other content": wrong,
    "a directory that contains itself": cyclic,
    **{f"the name {name}": named(name) for name in NAMES},
}


# the memory of a process counts what that had which started it: so a small one does
MEASURE = (
    "import resource, subprocess, sys\n"
    "status = subprocess.run(sys.argv[2:]).returncode\n"
    "peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
    "open(sys.argv[1], 'w').write(str(peak_kib))\n"
    "sys.exit(status)\n"
)


def build(space: TestSpace) -> tuple[str, float]:
    """Builds file.bst; what was said, and the largest amount of memory the program used, in mebibytes."""
    log, peak = space.directory / "said", space.directory / "peak"
    program = [sys.executable, "-m", "buildstream", "--no-colors", "build", "file.bst"]
    with log.open("wb") as output:
        run = subprocess.run(
            [sys.executable, "-c", MEASURE, str(peak), *program],
            cwd=space.project_directory,
            env=space.environment(),
            stdout=output,
            stderr=output,
            check=False,
        )
    assert run.returncode == 0, log.read_text()
    return log.read_text(), int(peak.read_text()) / 1024


def files_outside(space: TestSpace) -> set[Path]:
    """All that is there beside the cache."""
    return {path for path in space.directory.rglob("*") if space.cache_directory not in path.parents}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_server_does_no_harm(space: TestSpace, attack: str) -> None:
    server = HostileServer()
    space.project()
    space.element("file.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    space.write("files/file", "content of the file\n")
    with running(server) as address:
        connection = "{retry-limit: 1, retry-delay: 10, request-timeout: 60}"
        server_block = f"  - {{url: 'http://{address}', push: true, connection-config: {connection}}}\n"
        space.configure(f"artifacts:\n  servers:\n{server_block}")
        space.bst("build", "file.bst")
        space.bst("artifact", "delete", "file.bst")
        replace_files(server, lambda: ATTACKS[attack](server))
        space.configure(f"artifacts:\n  servers:\n{server_block.replace('push: true', 'push: false')}")
        for name in ("said", "peak"):
            (space.directory / name).touch()
        before = files_outside(space)
        said, memory_mib = build(space)
    assert f"http://{address}" in said
    assert "BUG" not in said
    assert "Traceback" not in said
    assert files_outside(space) == before
    assert memory_mib < MOST_MEMORY_MIB
    space.bst("artifact", "checkout", "file.bst", "--directory", "../out")
    assert space.tree("../out") == space.tree("files")
    assert find_faults(space.cache_directory, space.directory / "scratch") == []
