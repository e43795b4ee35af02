"""`bst graph`: the graph of elements, or the part of it that answers a question."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from .._exceptions import StreamError
from .._load.resolved import ResolvedElement, pipeline_order
from .._model.elementdata import ElementGraph, GraphNode
from .._plan.graphs import Children, dependents, followed_children, reachable, shortest_path
from .._plan.selection import except_elements
from .app import App
from .elementdata import direct_dependencies
from .loading import load_elements


def graph(
    app: App, *, elements: Sequence[str], excepted: Sequence[str], deps: str, needing: Sequence[str]
) -> ElementGraph:
    """ELEMENTS, or the default targets, with what `--deps DEPS` tells of what they need.

    Args:
        needing: Names; if there are some, only elements that need one of them are given, and these.

    Raises:
        BstError: Anything wrong in the project; `not-needed` if nothing needs what NEEDING names.
    """
    loaded = load_elements(app, elements, excepted=[*excepted, *needing])
    cut, needed = loaded.excepted[: len(excepted)], loaded.excepted[len(excepted) :]
    children = followed_children(loaded.targets, deps)
    order = _in_order(reachable(loaded.targets, children), loaded.targets)
    order = except_elements(loaded.targets, order, cut)
    if needing:
        order = dependents(order, needed, children)
        if not order:
            raise StreamError(
                f"None of the elements needs {', '.join(element.full_name for element in needed)}",
                detail=_advice(deps),
                reason="not-needed",
            )
    return _graph(order, [*loaded.targets, *needed], children)


def path_graph(app: App, *, start: str, end: str, deps: str, has_all: bool) -> ElementGraph:
    """A shortest way from the element START to END, which it needs.

    Args:
        has_all: Whether to give everything that is on any way instead.

    Raises:
        BstError: Anything wrong in the project; `no-path` if START does not need END.
    """
    loaded = load_elements(app, [start], excepted=[end])
    children = followed_children(loaded.targets, deps)
    first, last = loaded.targets[0], loaded.excepted[0]
    path = shortest_path(first, last, children)
    if not path:
        raise StreamError(
            f"{first.full_name} does not need {last.full_name}", detail=_advice(deps), reason="no-path"
        )
    if has_all:
        order = _in_order(reachable([first], children), [first])
        return _graph(dependents(order, [last], children), [first, last], children)
    follows = dict(pairwise(path))
    return _graph(path[::-1], [first, last], lambda element: [follows[element]] if element in follows else [])


def _advice(deps: str) -> str | None:
    return None if deps == "all" else "With `--deps all` every kind of dependency is followed."


def _in_order(elements: set[ResolvedElement], targets: Iterable[ResolvedElement]) -> list[ResolvedElement]:
    return [element for element in pipeline_order(targets) if element in elements]


def _graph(
    order: Sequence[ResolvedElement], targets: Iterable[ResolvedElement], children: Children
) -> ElementGraph:
    """ORDER and the edges between its elements that CHILDREN follows."""
    shown, asked = set(order), set(targets)
    edges = []
    for element in order:
        followed = shown.intersection(children(element))
        edges += [
            (element.full_name, data) for child, data in direct_dependencies(element) if child in followed
        ]
    nodes = (
        GraphNode(element.full_name, element.project_name, element.kind, element in asked)
        for element in order
    )
    return ElementGraph(tuple(nodes), tuple(edges))
