"""What a change of some elements makes to be built again."""

from collections.abc import Iterable, Sequence

from .._load.resolved import ResolvedElement


class Dependents:
    """Who depends on whom, the other way round; O(elements + edges) to make.

    Args:
        elements: Every element that counts.
    """

    def __init__(self, elements: Sequence[ResolvedElement]) -> None:
        self._built_with: dict[ResolvedElement, list[ResolvedElement]] = {}
        self._run_with: dict[ResolvedElement, list[ResolvedElement]] = {}
        for element in elements:
            for child in element.build_dependencies:
                self._built_with.setdefault(child, []).append(element)
            for child in element.runtime_dependencies:
                self._run_with.setdefault(child, []).append(element)

    def touched_by(self, changed: Iterable[ResolvedElement]) -> set[ResolvedElement]:
        """CHANGED and all whose keys follow from theirs: what is built with them, however indirectly.

        What needs one of them at run time alone has the same key, but hands it on to what is built
        with it.  O(elements + edges).
        """
        touched: set[ResolvedElement] = set()
        staged: set[ResolvedElement] = set()  # brings something changed when it is staged
        stack = [(element, True) for element in changed]
        while stack:
            element, is_changed = stack.pop()
            if is_changed:
                touched.add(element)
            if element in staged:
                continue
            staged.add(element)
            stack.extend((other, True) for other in self._built_with.get(element, ()))
            stack.extend((other, False) for other in self._run_with.get(element, ()))
        return touched
