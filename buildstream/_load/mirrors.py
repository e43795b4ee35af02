"""Making the mirrors that a project, or the user for it, declares."""

from typing import TYPE_CHECKING

from ..node import MappingNode, ProvenanceInformation
from .elementhost import BasePluginHost
from .pluginlocation import PluginType
from .services import Services

if TYPE_CHECKING:
    from ..sourcemirror import SourceMirror
    from .project import Project


class MirrorHost(BasePluginHost):
    """Implements `_hosts.MirrorHost` for one mirror."""

    def __init__(
        self, project: "Project", provenance: ProvenanceInformation, services: Services, name: str
    ) -> None:
        super().__init__(project, project.name, provenance, services)
        self.name = name


def make_mirror(project: "Project", node: MappingNode) -> "SourceMirror":
    """The mirror that NODE, whose variables are expanded, declares.

    Raises:
        LoadError: The declaration is not valid.
        PluginError: There is no plugin of its kind, or it can't be loaded.
    """
    from ..sourcemirror import SourceMirror

    name = node.get_str("name")
    kind = node.get_str("kind", "default")
    loaded = project.registries[PluginType.SOURCE_MIRROR].resolve(kind, node)
    config = node
    if kind != "default":
        node.validate_keys(["name", "kind", "config"])
        config = node.get_mapping("config", {})
    host = MirrorHost(project, node.get_provenance(), project.services, name)
    mirror = loaded.plugin_class(host, name)
    assert isinstance(mirror, SourceMirror)
    mirror._configure(config)
    return mirror
