"""The remote caches of every project of an invocation, connected when they are first needed."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .._messenger import Messenger
from .._model.message import MessageType
from .._remote.remote import CacheRemotes, Remote, RemotePool
from .._remote.retry import Effects
from .._remote.selection import RemoteChoice
from .._remotespec import RemoteSpec
from .jobcontrol import CurrentJob

if TYPE_CHECKING:
    from .._load.project import Project
    from .._load.resolved import ResolvedElement
    from .._remote.errors import RemoteError


class RemoteCaches:
    """Tells which remotes to ask for the artifacts and sources of a project.

    Args:
        artifacts: Where artifact caches come from.
        sources: Where source caches come from.
        messenger: Is told of remotes that can't be used.
        jobs: Can end what their job has under way.
        suspects_path: Of the file for blobs that remotes gave wrong.
    """

    def __init__(
        self,
        artifacts: RemoteChoice,
        sources: RemoteChoice,
        messenger: Messenger,
        jobs: CurrentJob,
        *,
        suspects_path: str | None = None,
    ) -> None:
        self._artifact_choice = artifacts
        self._source_choice = sources
        self._messenger = messenger
        # the job is that of the thread that asks
        self.effects = Effects(supervise=lambda child: jobs.control.supervise(child))  # noqa: PLW0108
        self._pool = RemotePool(self.effects, self._warn, suspects_path)
        self._uses_artifacts = False
        self._uses_sources = False
        # what was found out of each project, as every element of it asks
        self._artifacts: dict[tuple[Project | None, str], CacheRemotes] = {}
        self._sources: dict[Project, CacheRemotes] = {}

    def artifact_specs(self, project: "Project | None", name: str = "") -> tuple[RemoteSpec, ...]:
        """The artifact caches of PROJECT, or of one that is not loaded and called NAME."""
        own = [] if project is None else [p.second.artifact_caches for p in _chain(project) if p.second]
        return self._artifact_choice.specs(project.name if project else name, own)

    def source_specs(self, project: "Project") -> tuple[RemoteSpec, ...]:
        """The source caches of PROJECT."""
        own = [p.second.source_caches for p in _chain(project) if p.second]
        return self._source_choice.specs(project.name, own)

    def connect(
        self,
        projects: "Iterable[Project]",
        *,
        artifacts: bool = False,
        sources: bool = False,
        named: Iterable[str] = (),
    ) -> None:
        """Connects to all caches that may be needed, at the same time.

        Args:
            projects: Whose caches; those of which nothing is used are left out.
            artifacts: Whether artifact caches will be needed.
            sources: Whether source caches will be needed.
            named: Names of projects that are not loaded, whose artifact caches will be needed too.
        """
        self._uses_artifacts, self._uses_sources = artifacts, sources
        specs: list[RemoteSpec] = []
        for project in projects:
            specs += self.connected_artifact_specs(project)
            specs += self.connected_source_specs(project)
        for name in named:
            specs += self.artifact_specs(None, name)
        with self._messenger.simple_task("Initializing remote caches"):
            self._pool.open(specs)

    def connected_artifact_specs(self, project: "Project") -> tuple[RemoteSpec, ...]:
        """The artifact caches of PROJECT, if the command uses such."""
        return self.artifact_specs(project) if self._uses_artifacts and project.second else ()

    def connected_source_specs(self, project: "Project") -> tuple[RemoteSpec, ...]:
        """The source caches of PROJECT, if the command uses such."""
        return self.source_specs(project) if self._uses_sources and project.second else ()

    def artifacts(self, project: "Project | None", name: str = "") -> CacheRemotes:
        """The usable artifact caches of PROJECT, or of one that is not loaded and called NAME."""
        found = self._artifacts.get((project, name))
        if found is None:
            found = self._pool.usable(self.artifact_specs(project, name))
            self._artifacts[project, name] = found
        return found

    def artifacts_of(self, element: "ResolvedElement") -> CacheRemotes:
        """The usable artifact caches of the project that ELEMENT belongs to."""
        return self.artifacts(element.project, element.project_name)

    def sources(self, project: "Project") -> CacheRemotes:
        """The usable source caches of PROJECT."""
        found = self._sources.get(project)
        if found is None:
            found = self._sources[project] = self._pool.usable(self.source_specs(project))
        return found

    def known_storages(self) -> list[Remote]:
        """The usable storages connected to so far; if there are none, those of the user configuration."""
        specs = self._pool.specs or (
            *self._artifact_choice.specs("", ()),
            *self._source_choice.specs("", ()),
        )
        return self._pool.usable(specs).storages if specs else []

    def usable_storages(self, specs: Sequence[RemoteSpec]) -> list[Remote]:
        """The storages that SPECS describe, connected to if need be; without those that can't be used."""
        return self._pool.usable(specs).storages

    def close(self) -> None:
        """Ends all connections."""
        self._pool.close()

    def _warn(self, remote: Remote, error: "RemoteError") -> None:
        self._messenger.send(
            MessageType.WARN, f"Failed to initialize remote {remote.url}: {error}", detail=error.detail
        )


def _chain(project: "Project") -> "list[Project]":
    """The projects on the way to PROJECT, the outermost first."""
    chain = [project]
    while chain[-1].junction is not None:
        chain.append(chain[-1].junction.parent)
    return chain[::-1]
