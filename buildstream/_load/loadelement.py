"""An element file as loaded: its node and its place in the graph, no plugin yet."""

from dataclasses import field
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from ..node import MappingNode, Node
from .dependencies import Declaration

if TYPE_CHECKING:
    from .project import Project

# kinds that are loaded before project.conf is complete
FIRST_PASS_KINDS = frozenset({"junction", "link"})


@dataclass(slots=True)
class Dependency:
    """An edge of the graph; all declarations that lead to one element, merged."""

    element: "LoadElement"
    kinds: int  # bits of DependencyType
    is_strict: bool
    path: str  # as first declared; also what plugins are told of the configs of later declarations
    configs: list[MappingNode]  # in declaration order
    node: Node


@dataclass(slots=True, eq=False)
class LoadElement:
    """One element file, its conditionals and includes resolved."""

    name: str  # in its own project, normalised
    project: "Project"
    kind: str
    node: MappingNode
    declarations: list[Declaration]
    # in declaration order while loading, then in canonical order
    dependencies: list[Dependency] = field(default_factory=list)
    is_expanded: bool = False  # whether its dependencies have been, or are being, loaded
    index: int = -1  # position in an order in which dependencies come first

    @property
    def full_name(self) -> str:
        """Name as seen from the toplevel project."""
        return self.project.full_name(self.name)

    @property
    def is_first_pass(self) -> bool:
        """Whether the project's second pass has no influence on the element."""
        return self.kind in FIRST_PASS_KINDS

    def set_dependencies(self, resolved: "list[tuple[Declaration, LoadElement]]") -> None:
        """Takes the elements that the declarations lead to; edges to one element become one."""
        edges: dict[int, Dependency] = {}
        for declaration, element in resolved:
            edge = edges.get(id(element))
            if edge is None:
                edges[id(element)] = Dependency(
                    element,
                    declaration.kinds,
                    declaration.is_strict,
                    declaration.path,
                    list(declaration.configs),
                    declaration.node,
                )
            else:
                edge.kinds |= declaration.kinds
                edge.is_strict |= declaration.is_strict
                edge.configs += declaration.configs
        self.dependencies = list(edges.values())
