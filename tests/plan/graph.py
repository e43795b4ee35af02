"""Small graphs with known times, as much of resolved elements as planning looks at."""

from dataclasses import dataclass, field
from typing import cast

from buildstream._load.resolved import ResolvedElement


@dataclass(eq=False)
class Node:
    """As much of a resolved element as the functions look at."""

    name: str
    seconds: float
    index: int
    build_dependencies: "list[Node]" = field(default_factory=list)
    runtime_dependencies: "list[Node]" = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return self.name


class Graph:
    """Elements written as `name seconds: build dependencies / runtime dependencies`."""

    def __init__(self, *lines: str) -> None:
        self.nodes: dict[str, Node] = {}
        for line in lines:
            head, _, tail = line.partition(":")
            name, seconds = head.split()
            build, _, runtime = tail.partition("/")
            node = Node(name, float(seconds), len(self.nodes))
            node.build_dependencies = [self.nodes[word] for word in build.split()]
            node.runtime_dependencies = [self.nodes[word] for word in runtime.split()]
            self.nodes[name] = node

    @property
    def order(self) -> list[ResolvedElement]:
        return cast("list[ResolvedElement]", list(self.nodes.values()))


def seconds(element: ResolvedElement) -> float:
    return cast("Node", element).seconds
