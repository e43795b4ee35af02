"""Resolved elements and sources: what loading gives to everything above it."""

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from ..node import MappingNode, Node
from .sandboxsettings import SandboxSettings
from .variables import Variables

if TYPE_CHECKING:
    from ..element import Element
    from ..source import Source
    from .project import Project


@dataclass(slots=True, eq=False)
class ResolvedSource:
    """A source of an element: its plugin and what the core knows of it."""

    index: int  # position in the element's list
    kind: str
    plugin: "Source"
    directory: str | None  # where it is staged, as written: neither expanded nor normalised
    config: MappingNode  # composed and expanded; mirror clones are configured from it again
    node: MappingNode  # the declaration, for tracking


@dataclass(slots=True, eq=False)
class ResolvedElement:
    """An element with its plugin configured; compared and hashed by identity."""

    index: int  # position in the pipeline, dependencies first
    name: str  # in its own project
    full_name: str  # from the toplevel project
    project: "Project"
    kind: str
    plugin: "Element"
    node: MappingNode
    is_first_pass: bool
    variables: Variables
    environment: dict[str, str]  # live: plugins may add to it after the keys are known
    environment_nocache: frozenset[str]
    public: MappingNode  # expanded, maybe shared between elements; run-time public data is a clone of it
    config: MappingNode
    sandbox: SandboxSettings
    description: str
    sources: list[ResolvedSource] = field(default_factory=list)
    # direct dependencies in canonical order
    build_dependencies: "list[ResolvedElement]" = field(default_factory=list)
    runtime_dependencies: "list[ResolvedElement]" = field(default_factory=list)
    strict_dependencies: "frozenset[ResolvedElement]" = frozenset()

    @property
    def project_name(self) -> str:
        """Name of the project that owns the element."""
        return self.project.name

    @property
    def provenance_node(self) -> Node:
        """The node that error messages about the element cite."""
        return self.node

    @property
    def has_unresolved_source(self) -> bool:
        """Whether some source has no ref, so that the element can have no key."""
        return not all(source.plugin.is_resolved() for source in self.sources)


def run_scope(elements: "Iterable[ResolvedElement]") -> "Iterator[ResolvedElement]":
    """ELEMENTS and everything they need at run time, dependencies first, each once."""
    visited: set[ResolvedElement] = set()
    for element in elements:
        yield from _walk_runtime(element, visited)


def build_scope(element: "ResolvedElement") -> "Iterator[ResolvedElement]":
    """What is staged to build ELEMENT: its build dependencies and what they need at run time."""
    return run_scope(element.build_dependencies)


def _walk_runtime(element: "ResolvedElement", visited: "set[ResolvedElement]") -> "Iterator[ResolvedElement]":
    """Post-order over runtime dependencies, without recursion."""
    if element in visited:
        return
    visited.add(element)
    stack = [(element, iter(element.runtime_dependencies))]
    while stack:
        top, children = stack[-1]
        for child in children:
            if child not in visited:
                visited.add(child)
                stack.append((child, iter(child.runtime_dependencies)))
                break
        else:
            stack.pop()
            yield top


def pipeline_order(targets: "Iterable[ResolvedElement]") -> "list[ResolvedElement]":
    """TARGETS and everything they reach, each once, in staging order (scope ALL of format 8.1)."""
    visited: set[ResolvedElement] = set()
    order = []
    for target in targets:
        if target in visited:
            continue
        visited.add(target)
        stack = [(target, iter([*target.build_dependencies, *target.runtime_dependencies]))]
        while stack:
            top, children = stack[-1]
            for child in children:
                if child not in visited:
                    visited.add(child)
                    stack.append((child, iter([*child.build_dependencies, *child.runtime_dependencies])))
                    break
            else:
                stack.pop()
                order.append(top)
    return order
