"""Whatever becomes of the files of a store, no wrong byte is read from it.

    python -m tests.store.test_damage [COUNT]

flips a bit in each of COUNT objects, and tells what became of them: when they are read, and when trees
that they are part of leave the store in each of the ways that there are.
"""

import os
import random
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from buildstream._act.artifactmessage import view_from_bytes
from buildstream._act.artifacts import ArtifactCache
from buildstream._act.retention import artifact_references
from buildstream._exceptions import CASError
from buildstream._model.digest import Digest
from buildstream._model.tree import DirectoryEntry, FileEntry, TreeDirectory
from buildstream._store.cas import Cas
from buildstream._store.checkout import export_directory, export_tar
from buildstream._store.frozen import FrozenDirectory
from buildstream._store.records import artifact_records

FLIPS = 200


@dataclass(frozen=True, slots=True)
class Flips:
    """What became of objects in which one bit was flipped."""

    found: int
    delivered: int


def flip_bits(directory: str, count: int, seed: int) -> Flips:
    """Stores COUNT blobs, flips a bit in each behind the back of the store, and reads them all."""
    chance = random.Random(seed)
    cas = Cas(os.path.join(directory, "cas"), durable=False)
    digests = [cas.add_bytes(b"%d " % number + chance.randbytes(40)) for number in range(count)]
    for digest in digests:
        _flip(_path(cas, digest), chance)
    found = delivered = 0
    # half of them as the process that stored them, half as another one
    readers = (cas, Cas(cas.directory))
    for number, digest in enumerate(digests):
        try:
            if number % 4 < 2:
                readers[number % 2].read_bytes(digest)
            else:
                readers[number % 2].object_path(digest)
            delivered += 1
        except CASError as error:
            found += error.reason == "corrupt-blob"
    return Flips(found, delivered)


EXPORTS: dict[str, Callable[[Cas, Digest, str], object]] = {
    "copies": export_directory,
    "links": lambda cas, digest, path: export_directory(cas, digest, path, hardlinks=True),
    "tar": lambda cas, digest, path: _unpack(cas, digest, path),  # noqa: PLW0108 - it comes below
    "extracted": lambda cas, digest, path: os.symlink(cas.extracted_tree(digest), path),
    "private": lambda cas, digest, path: cas.extract_private(FrozenDirectory(digest), path),
}
_FILES_A_TREE = 3


def flip_bits_of_trees(directory: str, count: int, seed: int) -> Flips:
    """Stores COUNT small trees, flips a bit in a file or directory of each, and exports them all.

    A tree counts as delivered if a file is exported with other bytes, or the damage is not told.
    Half of them were exported before, so that links and extracted trees exist already.
    """
    chance = random.Random(seed)
    writer = Cas(os.path.join(directory, "cas"), durable=False)
    damaged: list[tuple[Digest, str, set[bytes]]] = []
    for number in range(count):
        contents = [b"%d " % number + chance.randbytes(40) for _ in range(_FILES_A_TREE)]
        blobs = [writer.add_bytes(content) for content in contents]
        entries = tuple(FileEntry(f"f{position}", blob) for position, blob in enumerate(blobs))
        inner = writer.add_directory(TreeDirectory(files=entries))
        digest = writer.add_directory(TreeDirectory(directories=(DirectoryEntry("d", inner),)))
        name = list(EXPORTS)[number % len(EXPORTS)]
        if number // len(EXPORTS) % 2:
            EXPORTS[name](writer, digest, os.path.join(directory, f"early-{number}"))
        _flip(_path(writer, chance.choice([*blobs, inner])), chance)
        damaged.append((digest, name, set(contents)))
    found = delivered = 0
    reader = Cas(writer.directory, durable=False)
    for number, (digest, name, right) in enumerate(damaged):
        out = os.path.join(directory, f"out-{number}")
        try:
            EXPORTS[name](reader, digest, out)
            delivered += 1
        except CASError:
            is_right = all(path.read_bytes() in right for path in Path(out).rglob("f*"))
            found += is_right
            delivered += not is_right
    return Flips(found, delivered)


def _unpack(cas: Cas, digest: Digest, path: str) -> None:
    """Writes an archive beside PATH; what it has of the files goes to PATH, also if it ends with an error."""
    stream = BytesIO()
    try:
        export_tar(cas, digest, stream)
    finally:
        os.mkdir(path)
        stream.seek(0)
        with suppress(tarfile.TarError), tarfile.open(fileobj=stream) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    Path(path, os.path.basename(member.name)).write_bytes(file.read())


def _flip(path: Path, chance: random.Random) -> None:
    """Flips a bit of a file and sets its time back."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_no_flipped_bit_leaves_the_store(tmp_path: Path) -> None:
    assert flip_bits_of_trees(str(tmp_path), FLIPS, seed=1) == Flips(found=FLIPS, delivered=0)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    assert flip_bits(str(tmp_path), FLIPS, seed=1) == Flips(found=FLIPS, delivered=0)


@pytest.mark.parametrize("what", ["folder", "link", "dangling", "empty", "shorter", "longer", "fifo"])
def test_what_is_no_object_any_more_is_missing(tmp_path: Path, what: str) -> None:
    cas = Cas(str(tmp_path / "cas"), durable=False)
    digest = cas.add_bytes(b"content")
    path = _path(cas, digest)
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what in ("link", "dangling"):
        path.symlink_to(tmp_path / "elsewhere")
        if what == "link":
            (tmp_path / "elsewhere").write_bytes(b"contenT")
    else:
        path.write_bytes({"empty": b"", "shorter": b"conten", "longer": b"content!"}[what])
    reader = Cas(cas.directory)
    assert not reader.verify(digest)
    with pytest.raises(CASError):
        reader.object_path(digest)
    assert reader.add_bytes(b"content") == digest
    assert reader.read_bytes(digest) == b"content"


def test_record_cut_at_every_byte_is_no_artifact(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"), durable=False)
    cache = ArtifactCache(cas, artifact_records(str(tmp_path)))
    data = _artifact(cas)
    cache.records.write("p/e/key", data)
    assert cache.load_complete("p/e/key") is not None
    for size in range(len(data)):
        cache.records.write("p/e/key", data[:size])
        artifact = cache.load_complete("p/e/key")
        # what is cut in the right place is a shorter message, whose contents must all be there
        assert artifact is None or cas.contains(artifact.public_data)
        artifact_references(data[:size])  # no error either


def test_blob_is_healed_from_elsewhere(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"), durable=False)
    digest = cas.add_bytes(b"content")

    def heal(wanted: Digest) -> bool:
        cas.insert(wanted, b"content")
        return True

    cas.heal = heal
    reads: list[Callable[[], bytes]] = [
        lambda: cas.read_bytes(digest),
        lambda: Path(cas.object_path(digest)).read_bytes(),
    ]
    for read in reads:
        path = _path(cas, digest)
        path.write_bytes(b"CONTENT")
        assert read() == b"content"
        path.unlink()
        assert read() == b"content"


def test_nobody_can_heal(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"), durable=False)
    digest = cas.add_bytes(b"content")
    cas.heal = lambda _: False
    _path(cas, digest).write_bytes(b"CONTENT")
    with pytest.raises(CASError) as caught:
        cas.read_bytes(digest)
    assert caught.value.reason == "corrupt-blob"


def _path(cas: Cas, digest: Digest) -> Path:
    return Path(cas.directory, "objects", digest.hash[:2], digest.hash[2:])


def _artifact(cas: Cas) -> bytes:
    """The message of an artifact of which all is in the store."""
    from buildstream._protos.buildstream.v2.artifact_pb2 import Artifact

    blob = cas.add_bytes(b"text: 1\n")
    message = Artifact(version=2, build_success=True, strong_key="a" * 64, weak_key="b" * 64)
    for name in ("public_data", "low_diversity_meta", "high_diversity_meta"):
        getattr(message, name).hash, getattr(message, name).size_bytes = blob.hash, blob.size
    log = message.logs.add(name="build.log")
    log.digest.hash, log.digest.size_bytes = blob.hash, blob.size
    data = message.SerializeToString(deterministic=True)
    assert view_from_bytes(data) is not None
    return bytes(data)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write(f"seed 1, {count} objects: {flip_bits(directory, count, seed=1)}\n")
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write(f"seed 2, {count} trees: {flip_bits_of_trees(directory, count, seed=2)}\n")


if __name__ == "__main__":
    main()
