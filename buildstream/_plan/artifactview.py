"""What the layers above the store may know of an artifact."""

from .._dataclass import dataclass
from .._model.digest import Digest


@dataclass(frozen=True, slots=True)
class BuildDependencyName:
    """A build dependency as an artifact records it."""

    project_name: str
    element_name: str
    key: str
    was_workspaced: bool


@dataclass(frozen=True, slots=True)
class BuildSandboxState:
    """What a shell needs to continue in the build tree of an artifact."""

    environment: tuple[tuple[str, str], ...]  # sorted by name, as configured, without PWD
    working_directory: str
    marked_directories: tuple[str, ...]  # in marking order
    subsandboxes: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactView:
    """The facts of one artifact; see the keys specification 2.3 for the message they are stored in."""

    is_success: bool
    error: str
    error_detail: str
    strong_key: str
    strict_key: str
    weak_key: str
    was_workspaced: bool
    files: Digest | None
    build_dependencies: tuple[BuildDependencyName, ...]
    public_data: Digest
    logs: tuple[tuple[str, Digest], ...]  # (base name of the file, content)
    buildtree: Digest | None
    sources: Digest | None
    buildroot: Digest | None
    low_diversity_meta: Digest
    high_diversity_meta: Digest
    build_sandbox: BuildSandboxState | None = None

    @property
    def metadata(self) -> tuple[Digest, ...]:
        """The blobs that belong to it: both kinds of metadata, public data, logs."""
        return (
            self.low_diversity_meta,
            self.high_diversity_meta,
            self.public_data,
            *(digest for _, digest in self.logs),
        )

    @property
    def optional_trees(self) -> tuple[Digest, ...]:
        """The trees that it is complete without."""
        subsandboxes = () if self.build_sandbox is None else self.build_sandbox.subsandboxes
        trees = (self.buildtree, self.sources, self.buildroot, *subsandboxes)
        return tuple(tree for tree in trees if tree is not None)

    @property
    def is_tainted(self) -> bool:
        """Whether it, or something it was built with, came from a workspace."""
        return self.was_workspaced or any(dependency.was_workspaced for dependency in self.build_dependencies)
