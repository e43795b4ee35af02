"""The local artifact cache: artifact messages, by name, over the content store."""

from .._load.elementhost import artifact_name
from .._load.resolved import ResolvedElement
from .._load.yaml import load_text
from .._load.yamldump import dump
from .._model.digest import Digest
from .._plan.artifactview import ArtifactView
from .._plan.record import ArtifactState, ElementRecord
from .._store.cas import Cas
from .._store.records import Records
from ..node import MappingNode, NodeFile
from .artifactmessage import bytes_from_view, view_from_bytes


class ArtifactCache:
    """Looks up and stores artifacts.

    Args:
        cas: Where the content is.
        records: Where the messages are.
    """

    def __init__(self, cas: Cas, records: Records) -> None:
        self.cas = cas
        self.records = records
        self._last_stored: dict[str, tuple[str, Digest]] = {}  # by slot

    # looking up

    def load(self, name: str) -> ArtifactView | None:
        """The artifact called NAME, None if there is none or its message can't be read."""
        data = self.records.read(name)
        return None if data is None else self.decode(data)

    @staticmethod
    def decode(data: bytes) -> ArtifactView | None:
        """The artifact that a message describes, None if it can't be read."""
        artifact = view_from_bytes(data)
        return artifact if artifact is not None and _is_well_formed(artifact) else None

    def load_complete(self, name: str) -> ArtifactView | None:
        """The artifact called NAME if everything it must have is in the store (keys specification 2.5)."""
        artifact = self.load(name)
        if artifact is None or not self._is_complete(artifact):
            return None
        return artifact

    def _is_complete(self, artifact: ArtifactView) -> bool:
        logs = [digest for _, digest in artifact.logs]
        metadata = [artifact.low_diversity_meta, artifact.high_diversity_meta, artifact.public_data]
        if not (self.cas.bring_all(metadata) and self.cas.contains_all(logs)):
            return False
        return artifact.files is None or self.cas.contains_tree(artifact.files)

    def has_buildtrees(self, artifact: ArtifactView) -> bool:
        """Whether what the build left is in the store, as far as the artifact has recorded it."""
        trees = (artifact.buildtree, artifact.buildroot)
        return all(tree is None or self.cas.contains_tree(tree) for tree in trees)

    def query(
        self,
        record: ElementRecord,
        *,
        is_strict: bool,
        may_pull: bool = False,
        with_buildtrees: bool = False,
    ) -> None:
        """Finds out what the cache holds for RECORD and notes it there.

        Args:
            record: Of the element.
            is_strict: Whether an artifact is good only if its strict key fits.
            may_pull: Whether what is not complete is marked as to be pulled; nothing else is
                looked for then (keys specification 1.11).
            with_buildtrees: Whether an artifact without its build tree is not complete.
        """
        keys = record.keys
        record.artifact, record.artifact_state = None, ArtifactState.UNKNOWN
        record.is_pull_pending = False
        if keys.strict is None and (is_strict or keys.weak is None):
            return
        artifact = None
        if keys.strict is not None:
            artifact = self.load_complete(artifact_name(record.element, keys.strict))
        if may_pull and keys.strict is not None:
            if artifact is None:
                record.is_pull_pending = True
                return
            record.is_pull_pending = with_buildtrees and not self.has_buildtrees(artifact)
        if artifact is None and not is_strict and keys.weak is not None:
            artifact = self.load_complete(artifact_name(record.element, keys.weak))
        self.note(record, artifact)

    @staticmethod
    def note(record: ElementRecord, artifact: ArtifactView | None) -> None:
        """Notes ARTIFACT as what the cache holds for RECORD."""
        record.artifact = artifact
        if artifact is None:
            record.artifact_state = ArtifactState.MISSING
            return
        record.artifact_state = ArtifactState.CACHED if artifact.is_success else ArtifactState.FAILED
        record.strong_key = artifact.strong_key

    # content

    def public_data(self, artifact: ArtifactView) -> MappingNode:
        """The public data that the artifact recorded, every scalar a string."""
        return self._load_yaml(artifact.public_data, "public data")

    def environment(self, artifact: ArtifactView) -> MappingNode:
        """`environment` and `sandbox-config` that the artifact was built with."""
        return self._load_yaml(artifact.low_diversity_meta, "metadata")

    def variables(self, artifact: ArtifactView) -> dict[str, str]:
        """The variables of the element when the artifact was built."""
        node = self._load_yaml(artifact.high_diversity_meta, "metadata").get_mapping("variables")
        return {name: node.get_str(name) for name in node.keys()}

    def _load_yaml(self, digest: Digest, what: str) -> MappingNode:
        text = self.cas.read_bytes(digest).decode("utf-8")
        return load_text(text, NodeFile(f"<{what} {digest.hash}>", what, what))

    def logs(self, artifact: ArtifactView) -> list[str]:
        """The texts of the build logs kept in the artifact."""
        return [self.cas.read_bytes(digest).decode("utf-8", "replace") for _, digest in artifact.logs]

    # storing

    def store(self, element: ResolvedElement, artifact: ArtifactView) -> None:
        """Makes ARTIFACT findable by its strong and its weak key.

        Everything that it refers to is on disk before its name is: the record is the commit point.
        """
        data = bytes_from_view(artifact)
        self._share(artifact)
        self.cas.flush()
        names = [artifact_name(element, artifact.strong_key), artifact_name(element, artifact.weak_key)]
        self.records.write(names[0], data)
        if names[1] != names[0]:
            self.records.link(names[0], names[1])

    def store_pulled(self, name: str, data: bytes, artifact: ArtifactView) -> None:
        """Makes an artifact findable that came from elsewhere with its message DATA and all that it needs.

        It gets NAME and those by its strong, strict and weak key.
        """
        self._share(artifact)
        self.cas.flush()
        self.records.write(name, data)
        prefix = name.rpartition("/")[0]
        for key in dict.fromkeys((artifact.strong_key, artifact.strict_key, artifact.weak_key)):
            if f"{prefix}/{key}" != name:
                self.records.link(name, f"{prefix}/{key}")

    def _share(self, artifact: ArtifactView) -> None:
        """Puts what ARTIFACT refers to elsewhere too, if there is such a place."""
        elsewhere = self.cas.elsewhere
        if elsewhere is not None:
            trees = [] if artifact.files is None else [artifact.files]
            trees += filter(self.cas.contains_tree, artifact.optional_trees)
            elsewhere.take("an artifact", artifact.metadata, trees)

    def store_yaml(self, value: object, *, slot: str = "") -> Digest:
        """Stores VALUE as YAML text.

        Args:
            value: Dicts and lists of texts.
            slot: What kind of value it is, if those of many elements are equal: the last one is remembered.
        """
        if not slot:
            return self.cas.add_bytes(dump(value).encode("utf-8"))
        appearance = repr(value)  # dicts that differ in order alone are equal, but not their texts
        known = self._last_stored.get(slot)
        if known is not None and known[0] == appearance:
            return known[1]
        digest = self.cas.add_bytes(dump(value).encode("utf-8"))
        self._last_stored[slot] = (appearance, digest)
        return digest


def _is_well_formed(artifact: ArtifactView) -> bool:
    """Whether ARTIFACT was read from an intact record, as far as its digests tell."""
    digests = [
        artifact.public_data,
        artifact.low_diversity_meta,
        artifact.high_diversity_meta,
        *(digest for _, digest in artifact.logs),
        *filter(None, (artifact.files, artifact.buildtree, artifact.sources, artifact.buildroot)),
    ]
    return all(digest.is_well_formed() for digest in digests)
