"""Sandboxes for artifacts that are known by what they recorded alone, without their elements."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._load.sandboxsettings import read_sandbox
from .._model.digest import Digest
from .._plan.artifactview import ArtifactView
from .artifacts import ArtifactCache
from .sandboxes import SandboxOwner
from .services import EngineServices

if TYPE_CHECKING:
    from .._sandbox.local import LocalSandbox
    from ..node import MappingNode


@dataclass(frozen=True, slots=True)
class RecordedArtifact:
    """A cached artifact with the name that messages give it."""

    name: str
    view: ArtifactView


@contextmanager
def recorded_sandbox(
    services: EngineServices, cache: ArtifactCache, artifact: RecordedArtifact, digest: Digest | None = None
) -> "Iterator[LocalSandbox]":
    """A sandbox configured as the build of ARTIFACT was, holding the tree DIGEST."""
    metadata = cache.environment(artifact.view)
    owner = SandboxOwner(artifact.name, read_sandbox(metadata.get_mapping("sandbox-config")))
    with services.open_sandbox(owner, digest) as sandbox:
        sandbox.set_environment(_environment(metadata))
        yield sandbox


@contextmanager
def staged_recorded_sandbox(
    services: EngineServices,
    cache: ArtifactCache,
    target: RecordedArtifact,
    artifacts: Sequence[RecordedArtifact],
    *,
    integrates: bool,
) -> "Iterator[LocalSandbox]":
    """A sandbox with ARTIFACTS staged at its root, in order.

    Args:
        services: Effects.
        cache: Where what the artifacts recorded is read from.
        target: Whose sandbox configuration and environment are used.
        artifacts: What is staged.
        integrates: Whether the integration commands of ARTIFACTS are run.
    """
    with recorded_sandbox(services, cache, target) as sandbox:
        with services.activity(None, target.name, "Staging dependencies", detail=None, silent_nested=True):
            root = sandbox.get_virtual_directory()
            for artifact in artifacts:
                if artifact.view.files is not None:
                    services.import_tree(root, artifact.view.files)
        if integrates:
            with (
                services.activity(None, target.name, "Integrating sandbox", detail=None, silent_nested=False),
                sandbox.batch(),
            ):
                for artifact in artifacts:
                    _integrate(cache, artifact.view, sandbox)
        yield sandbox


def _integrate(cache: ArtifactCache, artifact: ArtifactView, sandbox: "LocalSandbox") -> None:
    public = cache.public_data(artifact).get_mapping("bst", None)
    commands = [] if public is None else public.get_str_list("integration-commands", [])
    if not commands:
        return
    environment = _environment(cache.environment(artifact))
    for command in commands:
        sandbox.run(["sh", "-e", "-c", command], env=environment, cwd="/", label=command)


def _environment(metadata: "MappingNode") -> dict[str, str]:
    environment = metadata.get_mapping("environment")
    return {name: environment.get_str(name) for name in environment.keys()}
