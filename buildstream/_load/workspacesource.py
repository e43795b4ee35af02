"""The source that stands for all sources of an element while it has an open workspace."""

from typing import TYPE_CHECKING

from ..node import MappingNode
from ..source import Source
from .pluginregistry import PluginType
from .resolved import ResolvedElement, ResolvedSource
from .services import Services
from .sourcehost import SourceHost
from .workspaces import Workspace

if TYPE_CHECKING:
    from .loadelement import LoadElement

WORKSPACE_KIND = "workspace"


def workspace_source(
    element: "LoadElement", owner: ResolvedElement, workspace: Workspace, services: Services
) -> ResolvedSource:
    """The source of OWNER, made of ELEMENT, whose files are those of WORKSPACE."""
    project = element.project
    directory = workspace.directory(project.toplevel.directory)
    config = MappingNode.from_dict({"path": directory, "last_build": workspace.last_build or ""})
    registry = project.registries[PluginType.SOURCE]
    plugin_class = registry.resolve(WORKSPACE_KIND, element.node).plugin_class
    host = SourceHost(
        project,
        element.full_name,
        element.node.get_provenance(),
        services,
        kind=WORKSPACE_KIND,
        element_name=element.name,
        source_provenance=None,
        is_first_pass=element.is_first_pass,
    )
    host.bind(owner)
    plugin = plugin_class(host, f"{element.name}-0")
    assert isinstance(plugin, Source)
    host.attach(plugin)
    plugin.configure(config)
    host.finish_configuring()
    return ResolvedSource(0, WORKSPACE_KIND, plugin, None, config, config)


def workspace_directory(element: ResolvedElement) -> str | None:
    """The absolute path of the open workspace of ELEMENT, None if there is none."""
    for source in element.sources:
        if source.kind == WORKSPACE_KIND:
            return source.config.get_str("path")
    return None
