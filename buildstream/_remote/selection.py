"""Which of the remotes that command line, user and projects name apply to a project (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from .._dataclass import dataclass
from .._remotespec import CacheSettings, RemoteSpec


@dataclass(frozen=True, slots=True)
class RemoteChoice:
    """Where the remotes of one kind, artifacts or sources, come from (command specification 3.6)."""

    configured: CacheSettings = field(default_factory=CacheSettings)  # for all projects
    by_project: Mapping[str, CacheSettings] = field(default_factory=dict)
    given: tuple[RemoteSpec, ...] = ()  # on the command line
    ignores_recommended: bool = False

    def specs(self, project_name: str, recommended: Sequence[Sequence[RemoteSpec]]) -> tuple[RemoteSpec, ...]:
        """The remotes of a project, in the order they are asked, each once.

        Args:
            project_name: As user configurations name the project.
            recommended: What the projects say on the way to it, the outermost first and its own last.
        """
        override = self.by_project.get(project_name)
        chosen = self.given
        if not chosen and override is not None:
            chosen = override.servers
        if not chosen:
            chosen = self.configured.servers
        is_overridden = (
            self.ignores_recommended
            or self.configured.override_project_caches
            or (override is not None and override.override_project_caches)
        )
        added = () if is_overridden else tuple(spec for specs in recommended for spec in specs)
        return tuple(dict.fromkeys((*chosen, *added)))
