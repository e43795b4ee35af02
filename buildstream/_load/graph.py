"""The graph of loaded elements: cycles, and the canonical order of dependencies."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from .dependencies import DependencyType
from .depsort import stable_sort
from .loadelement import Dependency, LoadElement

if TYPE_CHECKING:
    from pyroaring import BitMap


def check_cycles(targets: Iterable[LoadElement]) -> list[LoadElement]:
    """Every reachable element, dependencies first; O(elements + edges).

    Raises:
        LoadError: CIRCULAR_DEPENDENCY, naming the chain.
    """
    order: list[LoadElement] = []
    done: set[int] = set()
    for target in targets:
        if id(target) in done:
            continue
        # insertion order is the path from the target to the element at hand
        path: dict[int, LoadElement] = {id(target): target}
        stack: list[tuple[LoadElement, Iterator[Dependency]]] = [(target, iter(target.dependencies))]
        while stack:
            element, dependencies = stack[-1]
            for dependency in dependencies:
                child = dependency.element
                if id(child) in done:
                    continue
                if id(child) in path:
                    raise cycle_error(child, list(path.values()))
                path[id(child)] = child
                stack.append((child, iter(child.dependencies)))
                break
            else:
                stack.pop()
                del path[id(element)]
                done.add(id(element))
                element.index = len(order)
                order.append(element)
    return order


def cycle_error(element: LoadElement, path: list[LoadElement]) -> LoadError:
    """The error for a chain of dependencies that leads back to ELEMENT, a member of PATH, from its end."""
    start = next(position for position, member in enumerate(path) if member is element)
    chain = [member.full_name for member in path[start:]] + [element.full_name]
    return LoadError(
        f"Circular dependency detected at element: {element.full_name}",
        LoadErrorReason.CIRCULAR_DEPENDENCY,
        detail="\n".join(f"{first} depends on {second}" for first, second in pairwise(chain)),
    )


def sort_dependencies(order: Iterable[LoadElement]) -> None:
    """Puts the dependencies of each element into the canonical order (format 7.4).

    ORDER has every element, dependencies first.  The closure of each element is
    kept as a compressed bitmap, so that the growth is in bitmap words.
    """
    from pyroaring import BitMap

    closures: dict[int, BitMap] = {}
    for element in order:
        closure = BitMap()
        for dependency in element.dependencies:
            closure |= closures[dependency.element.index]
            closure.add(dependency.element.index)
        closure.run_optimize()
        closures[element.index] = closure
        if len(element.dependencies) > 1:
            element.dependencies = stable_sort(
                element.dependencies, lambda first, second: _comes_before(first, second, closures)
            )


def _comes_before(first: Dependency, second: Dependency, closures: "dict[int, BitMap]") -> bool:
    a, b = first.element, second.element
    if b.index in closures[a.index]:
        return False
    if a.index in closures[b.index]:
        return True
    if first.kinds != second.kinds:
        if first.kinds == DependencyType.RUNTIME:
            return False
        if second.kinds == DependencyType.RUNTIME:
            return True
    if a.name != b.name:
        return a.name < b.name
    junction_a, junction_b = a.project.junction, b.project.junction
    if junction_a and junction_b:
        return junction_a.local_name < junction_b.local_name
    return junction_a is not None
