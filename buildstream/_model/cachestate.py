"""What is known of the local cache: sizes, what a clean-up would do, what a check has found."""

from dataclasses import field

from .._dataclass import dataclass


@dataclass(slots=True)
class Share:
    """What one group of records takes."""

    records: int = 0
    size_bytes: int = 0  # what is counted for them; all shares add up to what is in use

    def add(self, size_bytes: int, *, records: int = 1) -> None:
        """Counts one more record, or part of one."""
        self.records += records
        self.size_bytes += size_bytes


@dataclass(slots=True)
class CacheInfo:
    """The local cache, in bytes; a content that several need is counted for the last used one."""

    directory: str
    used_bytes: int  # all objects
    quota_bytes: int | None  # the effective quota
    free_bytes: int  # on the disk
    unused_bytes: int = 0  # what no record refers to
    quarantined: int = 0  # number of objects
    trees: int = 0  # number of extracted trees
    artifacts: int = 0
    by_project: dict[str, Share] = field(default_factory=dict)
    by_element: dict[str, Share] = field(default_factory=dict)  # `project/element`
    by_kind: dict[str, Share] = field(default_factory=dict)  # files, logs, metadata, build trees, sources
    by_age: dict[str, Share] = field(default_factory=dict)  # since the last use
    pins: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DoomedArtifact:
    """An artifact that is going to be deleted."""

    name: str  # <project>/<element>/<key>
    unused_s: float  # since it was last used
    build_s: float | None  # how long building it took; None if that is not known


@dataclass(frozen=True, slots=True)
class CleaningPlan:
    """What a clean-up would do."""

    artifacts: tuple[DoomedArtifact, ...]  # the least recently used last
    sources: int  # number of records of sources
    used_bytes: int  # now
    left_bytes: int  # afterwards, at least
    keep_bytes: int  # what the clean-up was asked to leave
    unused_since_ns: int | None

    @property
    def rebuild_s(self) -> float:
        """How long it took to build all that goes, as far as that is known."""
        return sum(artifact.build_s or 0.0 for artifact in self.artifacts)


@dataclass(slots=True)
class CheckReport:
    """What was found; paths and names are sorted."""

    objects: int = 0  # that were looked at
    object_bytes: int = 0
    records: int = 0
    trees: int = 0
    corrupt: list[str] = field(default_factory=list)  # hashes of objects with another content
    foreign: list[str] = field(default_factory=list)  # paths in `cas/objects` that are no objects
    incomplete: list[tuple[str, str, int]] = field(default_factory=list)  # kind, name, missing contents
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # kind and name of damaged records
    damaged_trees: list[str] = field(default_factory=list)  # hashes of extracted trees
    healed: list[str] = field(default_factory=list)  # hashes of contents that were found elsewhere

    @property
    def is_sound(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.corrupt or self.foreign or self.incomplete or self.unreadable or self.damaged_trees)
