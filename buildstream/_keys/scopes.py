"""The scopes of all elements of a pipeline, each kept as what it adds to another one.

A cache key lists a whole scope in order, and the scopes of a deep graph are
large: all of them together hold a number of members that grows with the square
of the elements.  But the run scope of an element begins with the run scope of
its first dependency, so only the members that follow are stored.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from .._load.resolved import ResolvedElement

NO_BASE = -1


class Scope(NamedTuple):
    """Elements in staging order, by their position in the pipeline."""

    base: int  # the run scope of this element comes first; NO_BASE if there is no member at all
    rest: "array[int]"  # the members that follow


_EMPTY = Scope(NO_BASE, array("I"))


class ScopeTable:
    """Build and run scopes of the elements of a pipeline.

    Cost: time and memory grow with the elements, the edges and the members that
    scopes add to their bases; besides, a compressed bitmap an element.

    Args:
        elements: Every element, dependencies first; their `index` is the position here.
    """

    def __init__(self, elements: Sequence[ResolvedElement]) -> None:
        self._elements = elements
        self._members: list[BitMap] = []  # of the run scopes
        self._before: list[Scope] = []  # the run scopes without the element itself, which is the last
        # a second way down the chain of bases that skips many of them, and the lengths of the chains
        self._jumps: list[int] = []
        self._depths: list[int] = []
        for element in elements:
            self._append(element)

    def before(self, index: int) -> Scope:
        """What the element at INDEX needs at run time, without itself."""
        return self._before[index]

    def build(self, element: ResolvedElement) -> Scope:
        """What is staged to build ELEMENT."""
        if element.build_dependencies == element.runtime_dependencies:
            return self._before[element.index]
        return self._merge(element.build_dependencies)

    def in_order(self, scope: Scope) -> list[int]:
        """The members of SCOPE, each once."""
        parts: list[Iterable[int]] = [scope.rest]
        base = scope.base
        while base != NO_BASE:
            parts.append((base,))
            base, rest = self._before[base]
            parts.append(rest)
        order: list[int] = []
        for part in reversed(parts):
            order.extend(part)
        return order

    def _append(self, element: ResolvedElement) -> None:
        scope = self._merge(element.runtime_dependencies)
        members = BitMap() if scope.base == NO_BASE else self._members[scope.base].copy()
        members.update(scope.rest)
        members.add(element.index)
        members.run_optimize()
        self._members.append(members)
        self._before.append(scope)
        self._append_jump(scope.base)

    def _merge(self, dependencies: Sequence[ResolvedElement]) -> Scope:
        """The run scopes of DEPENDENCIES one after the other, each member where it comes first."""
        if not dependencies:
            return _EMPTY
        base = dependencies[0].index
        seen = self._members[base]  # copied before it is changed
        rest = array("I")
        for dependency in dependencies[1:]:
            index = dependency.index
            if index in seen:
                # run scopes are closed: what it needs has come before as well
                continue
            if not rest:
                if self._begins_with(index, base):
                    base = index
                    seen = self._members[base]
                    continue
                seen = seen.copy()
            self._walk(dependency, seen, rest)
        return Scope(base, rest)

    def _walk(self, element: ResolvedElement, seen: BitMap, order: "array[int]") -> None:
        """Appends to ORDER what is not in SEEN of the run scope of ELEMENT; post-order, no recursion."""
        seen.add(element.index)
        stack = [(element.index, iter(element.runtime_dependencies))]
        while stack:
            index, children = stack[-1]
            for child in children:
                if child.index not in seen:
                    seen.add(child.index)
                    stack.append((child.index, iter(child.runtime_dependencies)))
                    break
            else:
                stack.pop()
                order.append(index)

    # prefixes

    def _append_jump(self, base: int) -> None:
        """Adds the jump of an element; with them, the steps down a chain are the logarithm of its length."""
        if base == NO_BASE:
            self._jumps.append(NO_BASE)
            self._depths.append(0)
            return
        jump = self._jumps[base]
        far = self._jumps[jump] if jump != NO_BASE else NO_BASE
        depths = self._depths
        is_even = far != NO_BASE and depths[base] - depths[jump] == depths[jump] - depths[far]
        self._jumps.append(far if is_even else base)
        self._depths.append(self._depths[base] + 1)

    def _begins_with(self, index: int, base: int) -> bool:
        """Whether the run scope of the element at INDEX begins with the one of the element at BASE."""
        while index > base:
            # what an element needs is at a lower position
            jump = self._jumps[index]
            index = jump if jump >= base else self._before[index].base
        return index == base
