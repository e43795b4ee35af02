"""Loading projects: the toplevel one, and those behind junctions."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from .conflicts import check_conflicts
from .elementfile import prefix_of
from .loader import Loader
from .pipeline import PipelineResolver
from .pluginregistry import PluginRegistry, PluginType
from .project import JunctionLink, Project
from .services import Services
from .settings import LoadSettings
from .workspaces import Workspace, load_workspaces

if TYPE_CHECKING:
    from ..node import Node, ScalarNode
    from .loadelement import LoadElement
    from .resolved import ResolvedElement


class ProjectLoader:
    """Opens projects and makes loaders for them.

    Args:
        settings: What loading depends on besides files.
        services: The effects that plugins may ask for.
        progress: Called with the full name of each element that has been loaded.
        resolved: Called for each element of the pipeline that has been resolved.
        stage_junction: Stages the sources of a junction, fetched if need be, and tells where.
    """

    def __init__(
        self,
        settings: LoadSettings,
        services: Services,
        *,
        progress: Callable[[str], None],
        resolved: Callable[[], None],
        stage_junction: "Callable[[ResolvedElement], str]",
    ) -> None:
        self._settings = settings
        self._services = services
        self._stage_junction = stage_junction
        self._progress = progress
        self.resolver = PipelineResolver(services, resolved)
        # junctions and links are constructed on their own: they are no part of the pipeline
        self._first_pass_resolver = PipelineResolver(services, lambda: None)
        self.projects: list[Project] = []  # in load order
        # open workspaces, by the full name of their element
        self.workspaces: Mapping[str, Workspace] = {}
        self._loaders: list[Loader] = []  # one a project, in the same order

    def open(self, directory: str) -> Project:
        """The toplevel project in DIRECTORY, with its loader."""
        project = Project(directory, self._settings, _new_registries(), self._services)
        self.workspaces = self.resolver.workspaces = load_workspaces(project.directory)
        self._add_loader(project)
        return project

    def check_conflicts(self) -> None:
        """Checks that the projects loaded so far may be used together.

        Raises:
            LoadError: CONFLICTING_JUNCTION, or MISSING_FILE for a path in a section `junctions`.
        """
        check_conflicts(self._loaders)

    def _add_loader(self, project: Project) -> Loader:
        self.projects.append(project)
        loader = Loader(
            project,
            open_junction=self._open_junction,
            link_target=self._link_target,
            progress=self._progress,
        )
        self._loaders.append(loader)
        project.make_first_pass()
        return loader

    def _link_target(self, element: "LoadElement") -> "ScalarNode":
        from ..plugins.elements.link import LinkElement

        plugin = self._first_pass_resolver.resolve(element).plugin
        assert isinstance(plugin, LinkElement)
        return plugin.target_node

    def _open_junction(self, element: "LoadElement", node: "Node | None") -> Loader:
        from ..plugins.elements.junction import JunctionElement

        resolved = self._first_pass_resolver.resolve(element)
        plugin = resolved.plugin
        assert isinstance(plugin, JunctionElement)
        directory = os.path.join(self._source_directory(resolved, node), plugin.path)
        link = JunctionLink(
            full_name=element.full_name,
            local_name=element.name,
            parent=element.project,
            options=plugin.options,
            parent_alias=plugin.get_parent_alias,
            overrides=plugin.overrides,
            provenance=str(element.node.get_provenance()),
            requested_by=str(node.get_provenance()) if node else None,
        )
        try:
            project = Project(directory, self._settings, _new_registries(), self._services, junction=link)
        except LoadError as error:
            if error.reason == LoadErrorReason.MISSING_PROJECT_CONF:
                raise LoadError(
                    f"{prefix_of(node)}Could not find the project.conf file in the project referred to by "
                    f"junction element '{element.name}'",
                    LoadErrorReason.INVALID_JUNCTION,
                    detail="Was expecting it at path: " + (plugin.path or "."),
                ) from error
            raise
        return self._add_loader(project)

    def _source_directory(self, resolved: "ResolvedElement", node: "Node | None") -> str:
        """Where the sources of a junction are: its workspace, a local directory, or a staged copy."""
        workspace = self.workspaces.get(resolved.full_name)
        if workspace is not None:
            return workspace.directory(resolved.project.toplevel.directory)
        if resolved.has_unresolved_source:
            raise LoadError(
                f"{prefix_of(node)}Subproject has no ref for junction: {resolved.full_name}",
                LoadErrorReason.SUBPROJECT_INCONSISTENT,
                detail=f"Try tracking the junction element with `bst source track {resolved.full_name}`",
            )
        if len(resolved.sources) == 1:
            path = resolved.sources[0].plugin._get_local_path()
            if path is not None:
                return path
        return self._stage_junction(resolved)


def _new_registries() -> dict[PluginType, PluginRegistry]:
    return {plugin_type: PluginRegistry(plugin_type) for plugin_type in PluginType}
