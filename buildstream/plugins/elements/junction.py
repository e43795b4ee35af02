"""junction - another project

The sources of a junction hold another project, the subproject, whose elements
can be depended on as `{junction}:{element}`.

Configuration:

    path: ""              directory of the sources where the subproject's project.conf is
    options: {}           values for the options of the subproject
    overrides: {}         elements of the subproject to replace, by elements of this project
    aliases: {}           aliases of the subproject, and which alias of this project to use instead
    map-aliases: none     identity: all aliases of the subproject are those of this project
"""

from typing import Any

from buildstream import Element, ElementError, FastEnum, MappingNode, Sandbox, ScalarNode
from buildstream._exceptions import PipelineError


class MapAliases(FastEnum):
    """What to do with an alias of the subproject that `aliases` does not name."""

    NONE = "none"
    IDENTITY = "identity"


class JunctionElement(Element):
    """Stands for another project."""

    BST_MIN_VERSION = "2.0"
    BST_FORBID_BDEPENDS = True
    BST_FORBID_RDEPENDS = True

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["path", "options", "overrides", "aliases", "map-aliases"])
        self.path: str = node.get_str("path", "")
        self.options: MappingNode = node.get_mapping("options", MappingNode.from_dict({}))
        self.aliases: MappingNode = node.get_mapping("aliases", MappingNode.from_dict({}))
        self.map_aliases: MapAliases = node.get_enum("map-aliases", MapAliases, MapAliases.NONE)
        self.overrides: dict[str, ScalarNode] = {}
        overrides = node.get_mapping("overrides", MappingNode.from_dict({}))
        for path in overrides.keys():
            target = overrides.get_scalar(path)
            if target.as_str() == self.name:
                raise ElementError(
                    f"{target.get_provenance()}: Attempt to override subproject junction '{path}' "
                    f"with the overriding junction '{self.name}' itself",
                    reason="override-junction-with-self",
                )
            self.overrides[path] = target

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        # junctions are never built: the key only names what is staged
        return 1

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        raise PipelineError("Cannot build junction elements")

    def stage(self, sandbox: Sandbox) -> None:
        raise PipelineError("Cannot stage junction elements")

    def assemble(self, sandbox: Sandbox) -> str:
        raise PipelineError("Cannot build junction elements")

    def generate_script(self) -> str:
        raise PipelineError("Cannot build junction elements")

    def get_parent_alias(self, alias: str) -> str | None:
        """The alias of this project that the subproject's ALIAS means, None if it keeps its own."""
        mapped: str | None = self.aliases.get_str(alias, None)
        if mapped is None and self.map_aliases is MapAliases.IDENTITY:
            return alias
        return mapped


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return JunctionElement
