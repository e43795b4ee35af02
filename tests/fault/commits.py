"""Artifacts that are committed to a store, without building them, and a look at all that is there."""

import tempfile
from pathlib import Path

from buildstream._act.artifactmessage import view_from_bytes
from buildstream._act.artifacts import ArtifactCache
from buildstream._act.retention import artifact_references
from buildstream._model.digest import Digest
from buildstream._protos.buildstream.v2.artifact_pb2 import Artifact
from buildstream._store.cas import Cas
from buildstream._store.diskfiles import DiskFiles
from buildstream._store.records import artifact_records

NAMES = [f"project/element-{number}/{number:064x}" for number in range(4)]


class Session:
    """A program that commits artifacts to the store below TOP."""

    def __init__(self, top: Path, disk: DiskFiles, *, durable: bool = True) -> None:
        self.cas = Cas(str(top / "cas"), durable=durable, disk=disk)
        self.cas.begin_session()
        records = artifact_records(str(top), protecting=self.cas.protecting, disk=disk)
        self.cache = ArtifactCache(self.cas, records)
        self._top = top

    def add(self, number: int) -> bytes:
        """Puts all that artifact NUMBER needs into the store; its message.

        Each shares contents with the one before, and adopts files as a build does.
        """
        made = Path(tempfile.mkdtemp(prefix="made-", dir=self._top))
        (made / "folder").mkdir()
        for each in range(number, number + 3):
            (made / f"file-{each}").write_text(f"content {each}\n" * 100)
        (made / "folder" / "same").write_text("in all\n")
        files = self.cas.import_directory(str(made), consume=True)
        meta = self.cas.add_bytes(b"meta: %d\n" % (number // 2))
        return _message(number, files, meta)

    def add_many(self, number: int, count: int) -> bytes:
        """As `add`, with COUNT files that workers store."""
        made = Path(tempfile.mkdtemp(prefix="made-", dir=self._top))
        for each in range(count):
            (made / f"file-{each}").write_text(f"content {each}\n")
        files = self.cas.digest_directory(str(made), stores_many=True)
        return _message(number, files, self.cas.add_bytes(b"meta\n"))

    def commit(self, number: int, data: bytes) -> None:
        """Makes artifact NUMBER findable, as a job does."""
        view = view_from_bytes(data)
        assert view is not None
        self.cache.store_pulled(NAMES[number], data, view)


def whole_artifacts(top: Path) -> set[str]:
    """The NAMES of a store, all of whose contents can be read; those by weak keys are only looked at.

    Raises:
        CASError: One that counts as complete is not.
    """
    cas = Cas(str(top / "cas"), durable=False)
    cache = ArtifactCache(cas, artifact_records(str(top)))
    found = set()
    for name in cache.records.names():
        if cache.load_complete(name) is None:
            continue
        data = cache.records.read(name)
        assert data is not None
        for reference in artifact_references(data):
            read_all(cas, reference.digest, is_tree=reference.is_tree)
        found.add(name)
    return found & set(NAMES)


def read_all(cas: Cas, digest: Digest, *, is_tree: bool) -> None:
    cas.read_bytes(digest)
    if is_tree:
        directory = cas.read_directory(digest)
        for file in directory.files:
            cas.read_bytes(file.digest)
        for child in directory.directories:
            read_all(cas, child.digest, is_tree=True)


def _message(number: int, files: Digest, meta: Digest) -> bytes:
    key = f"{number:064x}"
    message = Artifact(version=2, build_success=True, strong_key=key, strict_key=key, weak_key="b" * 64)
    message.files.hash, message.files.size_bytes = files.hash, files.size
    for name in ("public_data", "low_diversity_meta", "high_diversity_meta"):
        getattr(message, name).hash, getattr(message, name).size_bytes = meta.hash, meta.size
    return bytes(message.SerializeToString(deterministic=True))
