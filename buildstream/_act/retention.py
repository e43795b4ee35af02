"""What keeps contents of the store alive: records, pins, and the last builds of workspaces."""

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256

from .._exceptions import LoadError
from .._load.yaml import load_file
from .._model.digest import Digest
from .._store.cleanup import RecordSet, Reference
from .._store.records import Records
from ..exceptions import LoadErrorReason
from .artifactmessage import view_from_bytes
from .artifacts import ArtifactCache
from .sourcemessage import files_of_message

PINS = os.path.join("artifacts", "pins")
_SECOND_NAME = b"second name"  # in the pin of a weak key
_WORKSPACE_PROJECTS = os.path.join("artifacts", "workspace-projects")


class Pins:
    """Artifacts that no clean-up deletes, as the user has said.

    Args:
        cache_directory: That of the store.
    """

    def __init__(self, cache_directory: str) -> None:
        self._records = Records(os.path.join(cache_directory, PINS))

    def add(self, names: Sequence[str]) -> None:
        """Pins an artifact by all its names, `<project>/<element>/<key>`; the first is the one to show."""
        for position, name in enumerate(names):
            self._records.write(name, _SECOND_NAME if position else b"")

    def remove(self, names: Sequence[str]) -> bool:
        """Gives an artifact free; whether one of its names was pinned."""
        removed = [self._records.remove(name) for name in names]
        return any(removed)

    def names(self) -> list[str]:
        """All pinned artifacts by the name to show, sorted."""
        return sorted(name for name in self._records.names() if self._records.read(name) != _SECOND_NAME)

    def contains(self, name: str) -> bool:
        """Whether the artifact is pinned."""
        return self._records.exists(name)


class WorkspaceProjects:
    """The projects that have, or had, open workspaces, so that what these need is kept.

    Args:
        cache_directory: That of the store.
    """

    def __init__(self, cache_directory: str) -> None:
        self._records = Records(os.path.join(cache_directory, _WORKSPACE_PROJECTS))

    def note(self, project_directory: str) -> None:
        """Remembers a project; to be called where a workspace of it was built."""
        path = os.fsencode(project_directory)
        self._records.write(sha256(path).hexdigest(), path)

    def needed_keys(self) -> frozenset[str]:
        """The strong keys of the last builds in open workspaces; forgets projects that have none any more."""
        keys: set[str] = set()
        for name in self._records.names():
            data = self._records.read(name, is_use=False)
            try:
                keys.update(_last_builds(os.fsdecode(data or b"")))
            except LoadError as error:
                # a damaged file may be repaired; a missing one tells that there are no workspaces
                if error.reason == LoadErrorReason.MISSING_FILE:
                    self._records.remove(name)
        return frozenset(keys)


def _last_builds(project_directory: str) -> list[str]:
    """The keys in the list of workspaces of a project; see cli specification 6.1."""
    node = load_file(os.path.join(project_directory, ".bst2", "workspaces.yml"), "workspaces.yml")
    entries = node.get_mapping("workspaces", {})
    keys = [entries.get_mapping(name).get_str("last_build", "") for name in entries.keys()]
    return [key for key in keys if key]


def record_sets(
    artifacts: ArtifactCache, sources: Iterable[Records], *, cache_directory: str
) -> Sequence[RecordSet]:
    """All that keeps contents of the store alive.

    Args:
        artifacts: The artifact cache.
        sources: The records of sources.
        cache_directory: That of the store.
    """
    pins = Pins(cache_directory)
    keys = WorkspaceProjects(cache_directory).needed_keys()

    def is_needed(name: str) -> bool:
        return name.rpartition("/")[2] in keys or pins.contains(name)

    return [
        RecordSet("artifact", artifacts.records, artifact_references, is_needed),
        *(RecordSet("source", records, source_references) for records in sources),
    ]


def artifact_references(data: bytes) -> Sequence[Reference]:
    """What the serialised artifact DATA needs."""
    view = view_from_bytes(data)
    if view is None:
        return ()
    metadata = (view.low_diversity_meta, view.high_diversity_meta, view.public_data)
    return [
        *_references([view.files], "files", is_tree=True),
        *_references([digest for _, digest in view.logs], "logs", is_tree=False),
        *_references(metadata, "metadata", is_tree=False),
        *_references([view.sources], "sources", is_tree=True),
        *_references([view.buildtree, view.buildroot], "build trees", is_tree=True),
    ]


def source_references(data: bytes) -> Sequence[Reference]:
    """What the serialised source DATA needs."""
    digest = files_of_message(data)
    return _references([digest], "sources", is_tree=True)


def _references(digests: Iterable[Digest | None], part: str, *, is_tree: bool) -> list[Reference]:
    return [
        Reference(digest, is_tree, part)
        for digest in digests
        if digest is not None and digest.is_well_formed()
    ]
