"""`bst artifact list-contents`: which files artifacts hold."""

from collections.abc import Sequence

from .._dataclass import dataclass
from .._model.digest import Digest
from .._model.message import MessageType
from .._store.cas_directory import CasDirectory
from ..storage import FileType
from .app import App
from .artifacttargets import load_artifact_targets


@dataclass(frozen=True, slots=True)
class ContentEntry:
    """One entry of an artifact."""

    path: str
    kind: str  # "dir", "reg", "exe" or "link"
    size: int  # bytes; 0 for directories, the length of the target for links
    target: str | None  # of a link


@dataclass(frozen=True, slots=True)
class ArtifactContents:
    """The entries of one artifact, in staging order."""

    name: str  # of the element in its project, or of the artifact
    entries: tuple[ContentEntry, ...]  # empty if the artifact has no files


def artifact_contents(app: App, *, artifacts: Sequence[str]) -> list[ArtifactContents]:
    """The contents of those of ARTIFACTS that are cached; the others are warned of."""
    targets = load_artifact_targets(app, artifacts)
    result = []
    for target in targets:
        if target.artifact is None:
            app.messenger.send(MessageType.WARN, f"{target.ref} is not cached")
            continue
        files = target.artifact.files
        entries = () if files is None else _entries(app, files)
        name = target.name if target.record is None else target.record.element.name
        result.append(ArtifactContents(name, entries))
    return result


def _entries(app: App, digest: Digest) -> tuple[ContentEntry, ...]:
    directory = CasDirectory(app.cas, digest)
    entries = []
    for path in directory.list_relative_paths():
        facts = directory.stat(path)
        if facts.file_type == FileType.DIRECTORY:
            entries.append(ContentEntry(path, "dir", 0, None))
        elif facts.file_type == FileType.SYMLINK:
            target = directory.readlink(path)
            entries.append(ContentEntry(path, "link", len(target.encode()), target))
        else:
            entries.append(ContentEntry(path, "exe" if facts.executable else "reg", facts.size, None))
    return tuple(entries)
