"""The scopes of all elements of a pipeline, each kept as what it adds to another one.

A cache key lists a whole scope in order, and the scopes of a deep graph are
large: all of them together have a number of members that grows with the square
of the elements.  But most scopes begin with the members of another one, so only
what follows is stored.  That makes a tree of *prefixes*:

- the run scope of an element, which continues the run scope of one of its dependencies;
- a prefix continued by the run scope of an element, where many build scopes begin with that
  prefix: it is what everything is built with, and each build needs other things besides.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from .._load.resolved import ResolvedElement

NO_PREFIX = -1

# scopes that continue a prefix and are put together each for itself, before continuations are kept
_USES_BEFORE_KEPT = 4
# continuations that are kept, at most, for each element of the pipeline
_KEPT_PER_ELEMENT = 4

# what a step of a walk along the edges costs, in steps along a list
_WALK_COST = 16


class Scope(NamedTuple):
    """Elements in staging order, by their position in the pipeline."""

    prefix: int  # the members of this prefix come first; NO_PREFIX if there is none
    rest: list[int]  # the members that follow; maybe shared, not to be changed


class ScopeTable:
    """Build and run scopes of the elements of a pipeline.

    Cost: linear in elements, edges and the members that scopes add to their prefixes;
    besides, a compressed bitmap an element.

    Args:
        elements: Every element, dependencies first; their `index` is the position here.

    Attributes:
        prefixes: What each element needs at run time, by its index, then the continuations.
            The prefix of an element ends with the element itself, which is not listed.
    """

    def __init__(self, elements: Sequence[ResolvedElement]) -> None:
        self.prefixes: list[Scope] = []
        self._members: list[BitMap] = []  # of the run scopes
        self._runtime: list[list[int]] = []  # direct dependencies
        # a second way down from a run scope that skips many prefixes, and the lengths of the ways
        self._jumps: list[int] = []
        self._depths: list[int] = []
        self._continuations: dict[int, dict[int, int]] = {}  # prefix -> element -> prefix
        self._origins: dict[int, tuple[int, int]] = {}  # prefix and element of each continuation
        # (prefix, element) -> the prefix for their continuation without the element, its last member
        self._before: dict[tuple[int, int], int] = {}
        self._uses: dict[int, int] = {}  # scopes that continue a prefix in no way that is kept
        self._count = len(elements)
        for element in elements:
            self._append(element)

    def before(self, index: int) -> Scope:
        """What the element at INDEX needs at run time, without itself."""
        return self.prefixes[index]

    def ending(self, prefix: int) -> Sequence[int]:
        """What PREFIX adds to the prefix that it continues."""
        rest = self.prefixes[prefix].rest
        return rest if prefix >= self._count else [*rest, prefix]

    def build(self, element: ResolvedElement) -> Scope:
        """What is staged to build ELEMENT."""
        dependencies = [dependency.index for dependency in element.build_dependencies]
        runtime = self._runtime[element.index]
        if dependencies == runtime:
            return self.before(element.index)
        prefix = NO_PREFIX
        for position, index in enumerate(dependencies):
            if prefix == NO_PREFIX:
                prefix = index
            elif dependencies[position:] == runtime:
                return self._build_and_run(prefix, element.index)
            elif index not in self._members_of(prefix):
                longer = self._continued(prefix, index)
                if longer is None:
                    return Scope(prefix, self._rest(prefix, dependencies[position:])[0])
                prefix = longer
        return Scope(prefix, [])

    def _build_and_run(self, prefix: int, index: int) -> Scope:
        """PREFIX and what the element at INDEX, which needs something at run time, adds with that."""
        run_prefix, rest = self.before(index)
        members = self._members_of(prefix)
        longer = prefix if run_prefix in members else self._continued(prefix, run_prefix)
        if longer is None:
            return Scope(prefix, self._rest(prefix, self._runtime[index])[0])
        new = rest
        if members.intersect(self._members[index]):
            new = [member for member in rest if member not in members]
        if longer == prefix:
            return Scope(prefix, new)
        # what is built with PREFIX and needs the element begins in the same way: keep that
        self.prefixes.append(Scope(longer, new))
        self._before[prefix, index] = before = len(self.prefixes) - 1
        return Scope(before, [])

    def in_order(self, scope: Scope) -> list[int]:
        """The members of SCOPE, each once."""
        parts: list[Sequence[int]] = [scope.rest]
        prefix = scope.prefix
        while prefix != NO_PREFIX:
            parts.append(self.ending(prefix))
            prefix = self.prefixes[prefix].prefix
        order: list[int] = []
        for part in reversed(parts):
            order.extend(part)
        return order

    # run scopes

    def _append(self, element: ResolvedElement) -> None:
        runtime = [dependency.index for dependency in element.runtime_dependencies]
        prefix = NO_PREFIX
        rest: list[int] = []
        members = None
        for position, index in enumerate(runtime):
            if prefix == NO_PREFIX or self._begins_with(index, prefix):
                prefix = index
            elif index not in self._members[prefix]:
                rest, members = self._rest(prefix, runtime[position:])
                break
        if members is None:
            members = self._members_of(prefix).copy()
        members.add(element.index)
        members.run_optimize()
        self._members.append(members)
        self._runtime.append(runtime)
        self.prefixes.append(Scope(prefix, rest))
        self._append_jump(prefix)

    def _rest(self, prefix: int, dependencies: Sequence[int]) -> tuple[list[int], BitMap]:
        """What the run scopes of DEPENDENCIES add to PREFIX, in order, and the members of all of it."""
        seen = self._members_of(prefix).copy()
        order: list[int] = []
        for top in dependencies:
            # run scopes are closed: what an element needs has come before if the element has
            if top not in seen:
                new = self._members[top] - seen
                self._add_new(top, new, order)
                seen |= new
        return order, seen

    def _add_new(self, top: int, new: BitMap, order: list[int]) -> None:
        """Appends to ORDER the members of the run scope of TOP that are in NEW: all that are not seen."""
        if len(new) == 1:
            order.append(top)
            return
        # run scopes are closed: the prefixes of something seen have been seen
        wanted = set(new)
        chain = []
        length = 0
        index = top
        while index in wanted:
            chain.append(index)
            index, rest = self.prefixes[index]
            length += len(rest)
        if len(wanted) * _WALK_COST < length:
            self._walk(top, wanted, order)
            return
        is_wanted = wanted.__contains__
        for index in reversed(chain):
            order.extend(filter(is_wanted, self.prefixes[index].rest))
            order.append(index)

    def _walk(self, top: int, pending: set[int], order: list[int]) -> None:
        """As above, at the cost of the edges of what is PENDING; post-order, no recursion."""
        pending.discard(top)
        stack: list[tuple[int, Iterator[int]]] = [(top, iter(self._runtime[top]))]
        while stack:
            index, children = stack[-1]
            for child in children:
                if child in pending:
                    pending.discard(child)
                    stack.append((child, iter(self._runtime[child])))
                    break
            else:
                stack.pop()
                order.append(index)

    def _append_jump(self, prefix: int) -> None:
        """Adds the jump of a run scope; with them, the steps down are the logarithm of the way."""
        if prefix == NO_PREFIX:
            self._jumps.append(NO_PREFIX)
            self._depths.append(0)
            return
        jump = self._jumps[prefix]
        far = self._jumps[jump] if jump != NO_PREFIX else NO_PREFIX
        depths = self._depths
        is_even = far != NO_PREFIX and depths[prefix] - depths[jump] == depths[jump] - depths[far]
        self._jumps.append(far if is_even else prefix)
        self._depths.append(depths[prefix] + 1)

    def _begins_with(self, index: int, prefix: int) -> bool:
        """Whether the run scope of the element at INDEX begins with that of the element at PREFIX."""
        while index > prefix:
            # what an element needs is at a lower position
            jump = self._jumps[index]
            index = jump if jump >= prefix else self.prefixes[index].prefix
        return index == prefix

    # continuations

    def _members_of(self, prefix: int) -> BitMap:
        """The members of PREFIX; not to be changed."""
        if prefix == NO_PREFIX:
            return BitMap()
        if prefix < len(self._members):
            return self._members[prefix]
        before, index = self._origins[prefix]
        return self._members_of(before) | self._members[index]

    def _continued(self, prefix: int, index: int) -> int | None:
        """PREFIX and what the run scope of the element at INDEX adds to it, as a prefix.

        None if that is not kept.
        """
        if prefix < self._count and self._begins_with(index, prefix):
            return index
        uses = self._uses[prefix] = self._uses.get(prefix, 0) + 1
        if uses <= _USES_BEFORE_KEPT or len(self._origins) > _KEPT_PER_ELEMENT * self._count:
            return None
        members = self._members_of(prefix)
        known = self._continuations.setdefault(prefix, {})
        missing = []
        while index != NO_PREFIX and index not in members and index not in known:
            missing.append(index)
            index = self.prefixes[index].prefix
        current = known.get(index, prefix)
        for index in reversed(missing):
            scope = Scope(self._before.get((prefix, index), NO_PREFIX), [index])
            if scope.prefix == NO_PREFIX:
                new = [member for member in self.prefixes[index].rest if member not in members]
                scope = Scope(current, [*new, index])
            self.prefixes.append(scope)
            current = known[index] = len(self.prefixes) - 1
            self._origins[current] = (prefix, index)
        return current
