"""The graph of loaded elements for `bst lint`: all cycles at once, and an order in spite of them."""

from collections.abc import Iterable, Iterator

from .._dataclass import dataclass
from .._load.loadelement import LoadElement


@dataclass(slots=True)
class _Visit:
    """How far the walk is at one element."""

    element: LoadElement
    children: Iterator[LoadElement]
    number: int  # in order of discovery
    lowest: int  # the smallest number that is reached from here and still on the path


def strong_components(elements: Iterable[LoadElement]) -> list[list[LoadElement]]:
    """Groups of elements that need each other, dependencies first (Tarjan's algorithm, iterative).

    Cost: O(elements + edges).
    """
    components: list[list[LoadElement]] = []
    numbers: dict[int, int] = {}
    waiting: dict[int, LoadElement] = {}  # visited, in no component yet; in order of discovery
    for root in elements:
        if id(root) in numbers:
            continue
        path = [_visit(root, numbers, waiting)]
        while path:
            top = path[-1]
            child = next(top.children, None)
            if child is None:
                path.pop()
                if path:
                    path[-1].lowest = min(path[-1].lowest, top.lowest)
                if top.lowest == top.number:
                    components.append(_take_component(top.element, waiting))
            elif id(child) not in numbers:
                path.append(_visit(child, numbers, waiting))
            elif id(child) in waiting:
                top.lowest = min(top.lowest, numbers[id(child)])
    return components


def find_cycle(component: list[LoadElement]) -> list[LoadElement]:
    """A chain within COMPONENT whose last member depends on the first; empty if there is none."""
    members = {id(element) for element in component}
    element = min(component, key=lambda member: member.full_name)
    chain: dict[int, LoadElement] = {}
    while id(element) not in chain:
        chain[id(element)] = element
        inside = [d.element for d in element.dependencies if id(d.element) in members]
        if not inside:
            return []
        element = inside[0]
    path = list(chain.values())
    return path[path.index(element) :]


def _visit(element: LoadElement, numbers: dict[int, int], waiting: dict[int, LoadElement]) -> _Visit:
    number = numbers[id(element)] = len(numbers)
    waiting[id(element)] = element
    children = iter([dependency.element for dependency in element.dependencies])
    return _Visit(element, children, number, number)


def _take_component(first: LoadElement, waiting: dict[int, LoadElement]) -> list[LoadElement]:
    """Takes FIRST and all that was discovered after it."""
    component = []
    while True:
        _, element = waiting.popitem()
        component.append(element)
        if element is first:
            return component
