"""Parts of the graph of elements: what needs something, and the ways from one element to another."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from .._load.resolved import ResolvedElement

# the direct dependencies of an element that are followed
Children = Callable[[ResolvedElement], Sequence[ResolvedElement]]


def followed_children(targets: Iterable[ResolvedElement], deps: str) -> Children:
    """What `--deps DEPS` follows: with "build" the build dependencies of TARGETS, and what these run with."""
    if deps == "none":
        return lambda _: ()
    if deps == "run":
        return lambda element: element.runtime_dependencies
    if deps == "build":
        roots = set(targets)
        return lambda element: (
            element.build_dependencies if element in roots else element.runtime_dependencies
        )
    return lambda element: list(dict.fromkeys([*element.build_dependencies, *element.runtime_dependencies]))


def dependents(
    order: Sequence[ResolvedElement], of: Iterable[ResolvedElement], children: Children
) -> list[ResolvedElement]:
    """The elements of ORDER that need one of OF, directly or not, and these; in the same order.

    ORDER has dependencies first.  O(elements + edges).
    """
    found = set(of)
    for element in order:
        if element not in found and any(child in found for child in children(element)):
            found.add(element)
    return [element for element in order if element in found]


def reachable(targets: Iterable[ResolvedElement], children: Children) -> set[ResolvedElement]:
    """TARGETS and everything they need.  O(elements + edges)."""
    found = set(targets)
    stack = list(found)
    while stack:
        for child in children(stack.pop()):
            if child not in found:
                found.add(child)
                stack.append(child)
    return found


def shortest_path(start: ResolvedElement, end: ResolvedElement, children: Children) -> list[ResolvedElement]:
    """The elements on a shortest way from START to what it needs, END, both included; empty if there is none.

    Of several, that which takes dependencies that come first.  O(elements + edges).
    """
    came_from: dict[ResolvedElement, ResolvedElement | None] = {start: None}
    queue = deque([start])
    while queue and end not in came_from:
        element = queue.popleft()
        for child in children(element):
            if child not in came_from:
                came_from[child] = element
                queue.append(child)
    path: list[ResolvedElement] = []
    step = end if end in came_from else None
    while step is not None:
        path.append(step)
        step = came_from[step]
    return path[::-1]
