"""`bst graph`: a graph for Graphviz, for Mermaid, for people and for programs."""

from collections.abc import Callable
from itertools import groupby

from .._model.elementdata import DependencyData, ElementGraph, GraphNode
from .elementjson import dependency_json, render_document

# raised when a field changes its meaning or goes away; new fields may come without
JSON_VERSION = 1


def render_dot(graph: ElementGraph) -> str:
    """A digraph for Graphviz; the elements of a project are a cluster if there are several projects."""
    lines = ["digraph elements {", "  rankdir=LR;", "  node [shape=box];"]
    projects = _by_project(graph)
    for number, (project, nodes) in enumerate(projects.items()):
        if len(projects) == 1:
            lines += [f"  {_dot_node(node)};" for node in nodes]
            continue
        lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted(project)};"]
        lines += [*(f"    {_dot_node(node)};" for node in nodes), "  }"]
    for name, edge in graph.edges:
        style = _DOT_STYLES[edge.is_build, edge.is_runtime]
        strict = ", penwidth=2" if edge.is_strict else ""
        lines.append(f"  {_quoted(name)} -> {_quoted(edge.name)} [style={style}{strict}];")
    return "\n".join([*lines, "}"]) + "\n"


def render_mermaid(graph: ElementGraph) -> str:
    """A flowchart for Mermaid, as pages in Markdown show it."""
    numbers = {node.name: f"e{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    projects = _by_project(graph)
    for number, (project, nodes) in enumerate(projects.items()):
        if len(projects) == 1:
            lines += [f"  {_mermaid_node(numbers, node)}" for node in nodes]
            continue
        lines.append(f'  subgraph p{number}["{_entities(project)}"]')
        lines += [*(f"    {_mermaid_node(numbers, node)}" for node in nodes), "  end"]
    for name, edge in graph.edges:
        lines.append(
            f"  {numbers[name]} {_MERMAID_ARROWS[edge.is_build, edge.is_runtime]} {numbers[edge.name]}"
        )
    targets = [numbers[node.name] for node in graph.nodes if node.is_target]
    if targets:
        lines += ["  classDef target stroke-width:3px", f"  class {','.join(targets)} target"]
    return "\n".join(lines) + "\n"


def render_text(graph: ElementGraph) -> str:
    """A line for each element, dependents first, and indented lines for what it needs itself."""
    needs = {name: list(edges) for name, edges in groupby(graph.edges, key=lambda edge: edge[0])}
    lines = []
    for node in reversed(graph.nodes):
        lines.append(node.name)
        lines += [f"    {edge.name} {_label(edge)}" for _, edge in needs.get(node.name, ())]
    return "".join(f"{line}\n" for line in lines)


def render_json(graph: ElementGraph) -> str:
    """One JSON object, as the manual describes it."""
    return render_document(
        {"version": JSON_VERSION},
        {
            "nodes": (
                {"name": node.name, "project": node.project, "kind": node.kind, "target": node.is_target}
                for node in graph.nodes
            ),
            "edges": (
                {"from": name, "to": (entry := dependency_json(edge)).pop("name"), **entry}
                for name, edge in graph.edges
            ),
        },
    )


RENDERERS: dict[str, Callable[[ElementGraph], str]] = {
    "dot": render_dot,
    "mermaid": render_mermaid,
    "text": render_text,
    "json": render_json,
}

# by whether an edge is needed to build, and at run time
_DOT_STYLES = {(True, True): "bold", (True, False): "solid", (False, True): "dashed"}
_MERMAID_ARROWS = {(True, True): "==>", (True, False): "-->", (False, True): "-.->"}


def _by_project(graph: ElementGraph) -> dict[str, list[GraphNode]]:
    projects: dict[str, list[GraphNode]] = {}
    for node in graph.nodes:
        projects.setdefault(node.project, []).append(node)
    return projects


def _dot_node(node: GraphNode) -> str:
    style = ", style=bold" if node.is_target else ""
    return f"{_quoted(node.name)} [tooltip={_quoted(node.kind)}{style}]"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _mermaid_node(numbers: dict[str, str], node: GraphNode) -> str:
    return f'{numbers[node.name]}["{_entities(node.name)}"]'


def _entities(text: str) -> str:
    """TEXT with everything that has a meaning for Mermaid as the numbers of its characters."""
    return "".join(char if char.isalnum() or char in "-_./: +" else f"#{ord(char)};" for char in text)


def _label(edge: DependencyData) -> str:
    return f"({', '.join([*edge.types, *(['strict'] if edge.is_strict else [])])})"
