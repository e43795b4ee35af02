"""Loading projects: the toplevel one, and those behind junctions."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._exceptions import BstError, LoadError
from ..exceptions import LoadErrorReason
from .loader import Loader
from .pipeline import PipelineResolver
from .pluginregistry import PluginRegistry, PluginType
from .project import JunctionLink, Project
from .services import Services
from .settings import LoadSettings

if TYPE_CHECKING:
    from ..node import Node
    from .loadelement import LoadElement
    from .resolved import ResolvedElement


class ProjectLoader:
    """Opens projects and makes loaders for them.

    Args:
        settings: What loading depends on besides files.
        services: The effects that plugins may ask for.
        progress: Called with the full name of each element that has been loaded.
        resolved: Called for each element of the pipeline that has been resolved.
    """

    def __init__(
        self,
        settings: LoadSettings,
        services: Services,
        *,
        progress: Callable[[str], None],
        resolved: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._progress = progress
        self.resolver = PipelineResolver(services, resolved)
        # junctions and links are constructed on their own: they are no part of the pipeline
        self._first_pass_resolver = PipelineResolver(services, lambda: None)
        self.projects: list[Project] = []  # in load order

    def open(self, directory: str) -> Project:
        """The toplevel project in DIRECTORY, with its loader."""
        project = Project(directory, self._settings, _new_registries())
        self._add_loader(project)
        return project

    def _add_loader(self, project: Project) -> None:
        self.projects.append(project)
        if project.loader is None:
            Loader(
                project,
                open_junction=self._open_junction,
                link_target=self._link_target,
                progress=self._progress,
            )

    def _link_target(self, element: "LoadElement") -> str:
        plugin = self._first_pass_resolver.resolve(element).plugin
        target: str = plugin.target  # type: ignore[attr-defined]
        return target

    def _open_junction(self, element: "LoadElement", node: "Node | None") -> Project:
        from ..plugins.elements.junction import JunctionElement

        resolved = self._first_pass_resolver.resolve(element)
        prefix = f"{node.get_provenance()}: " if node else ""
        for source in resolved.sources:
            if not source.plugin.is_resolved():
                raise LoadError(
                    f"{prefix}Subproject has no ref for junction: {element.full_name}",
                    LoadErrorReason.SUBPROJECT_INCONSISTENT,
                    detail=f"Try tracking the junction element with `bst source track {element.full_name}`",
                )
        plugin = resolved.plugin
        assert isinstance(plugin, JunctionElement)
        directory = os.path.join(self._source_directory(resolved, prefix), plugin.path)
        link = JunctionLink(
            full_name=element.full_name,
            local_name=element.name,
            parent=element.project,
            options=plugin.options,
            parent_alias=plugin.get_parent_alias,
            overrides=plugin.overrides,
            provenance=str(element.node.get_provenance()),
        )
        try:
            project = Project(directory, self._settings, _new_registries(), junction=link)
        except LoadError as error:
            if error.reason == LoadErrorReason.MISSING_PROJECT_CONF:
                raise LoadError(
                    f"{prefix}Could not find the project.conf file in the project referred to by "
                    f"junction element '{element.name}'",
                    LoadErrorReason.INVALID_JUNCTION,
                    detail="Was expecting it at path: " + (plugin.path or "."),
                ) from error
            raise
        self.projects.append(project)
        return project

    @staticmethod
    def _source_directory(resolved: "ResolvedElement", prefix: str) -> str:
        if len(resolved.sources) == 1:
            path = resolved.sources[0].plugin._get_local_path()
            if path is not None:
                return path
        raise BstError(
            f"{prefix}Junctions whose sources have to be fetched are not available yet: {resolved.full_name}"
        )


def _new_registries() -> dict[PluginType, PluginRegistry]:
    return {plugin_type: PluginRegistry(plugin_type) for plugin_type in PluginType}
