"""What loading found out about elements, as plain values for reports that programs read."""

from typing import Any

from .._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A place in a file of a project."""

    file: str  # absolute path
    line: int  # counted from one
    column: int  # counted from zero, as in messages


@dataclass(frozen=True, slots=True)
class DependencyData:
    """An edge from an element to one that it needs itself."""

    name: str  # full name of what is needed
    is_build: bool
    is_runtime: bool
    is_strict: bool

    @property
    def types(self) -> list[str]:
        """One or both of "build" and "runtime"."""
        return ["build"] * self.is_build + ["runtime"] * self.is_runtime


@dataclass(frozen=True, slots=True)
class SourceData:
    """A source as it is declared, and its ref."""

    kind: str
    directory: str | None  # below the root of what is staged, as written; None for the root
    ref: Any  # as the plugin gives it: text, list or mapping; None without one
    key: str | None  # None without a ref
    place: FilePlace | None


@dataclass(frozen=True, slots=True)
class ElementData:
    """One element; keys are 64 hexadecimal digits, None while they can't be known."""

    name: str  # full name, from the toplevel project
    local_name: str  # in its own project
    junction: str | None  # full name of the junction to that project; None for the toplevel project
    project: str
    kind: str
    description: str
    state: str  # value of a DisplayState
    strong_key: str | None
    strict_key: str | None
    weak_key: str | None
    workspace: str | None  # absolute directory
    dependencies: tuple[DependencyData, ...]  # direct ones, those needed to build first
    sources: tuple[SourceData, ...]
    place: FilePlace | None


@dataclass(frozen=True, slots=True)
class GraphNode:
    """An element of a graph."""

    name: str  # full name
    project: str
    kind: str
    is_target: bool  # asked for by name


@dataclass(frozen=True, slots=True)
class ElementGraph:
    """Elements and what they need, as far as it was asked for."""

    nodes: tuple[GraphNode, ...]  # dependencies first
    edges: tuple[tuple[str, DependencyData], ...]  # from the element of that full name
