"""Which elements a command is about: scopes and exceptions (format section 8)."""

from collections.abc import Iterable, Sequence

from .._load.resolved import ResolvedElement, build_scope, pipeline_order, run_scope


def select(targets: Sequence[ResolvedElement], deps: str) -> list[ResolvedElement]:
    """The elements that `--deps DEPS` selects, in staging order.

    DEPS is one of none, build, run and all.  O(elements + edges).
    """
    if deps == "none":
        return list(targets)
    if deps == "run":
        return list(run_scope(targets))
    if deps == "all":
        return pipeline_order(targets)
    visited: dict[ResolvedElement, None] = {}
    for target in targets:
        visited.update(dict.fromkeys(build_scope(target)))
    return list(visited)


def except_elements(
    targets: Sequence[ResolvedElement],
    selected: Sequence[ResolvedElement],
    excepted: Sequence[ResolvedElement],
) -> list[ResolvedElement]:
    """SELECTED without what is reachable only through the EXCEPTED elements (format 8.3)."""
    if not excepted:
        return list(selected)
    reachable = set(pipeline_order(targets))
    cut = _cut_points(excepted, reachable)
    kept = _reach(targets, cut)
    return [element for element in selected if element in kept]


def _cut_points(excepted: Iterable[ResolvedElement], reachable: set[ResolvedElement]) -> set[ResolvedElement]:
    """The first elements of REACHABLE that are met when walking down from EXCEPTED."""
    cut: set[ResolvedElement] = set()
    visited: set[ResolvedElement] = set()
    queue = list(excepted)
    while queue:
        element = queue.pop()
        if element in visited:
            continue
        visited.add(element)
        if element in reachable:
            cut.add(element)
        else:
            queue += element.build_dependencies + element.runtime_dependencies
    return cut


def _reach(targets: Iterable[ResolvedElement], cut: set[ResolvedElement]) -> set[ResolvedElement]:
    """What is reachable from TARGETS without entering an element of CUT."""
    kept: set[ResolvedElement] = set()
    queue = [target for target in targets if target not in cut]
    while queue:
        element = queue.pop()
        if element in kept:
            continue
        kept.add(element)
        queue += [
            child
            for child in element.build_dependencies + element.runtime_dependencies
            if child not in cut and child not in kept
        ]
    return kept


def depth_order(targets: Sequence[ResolvedElement], deps: str) -> list[ResolvedElement]:
    """Everything a build considers, elements that are many build steps away from the targets first.

    The depth of an element is the greatest number of build edges on a path from
    a target.  Elements of one depth keep the staging order.
    """
    order = build_plan_elements(targets, deps)
    roots = set(targets) if deps != "build" else {d for t in targets for d in t.build_dependencies}
    depth = dict.fromkeys(order, -1)
    for root in roots:
        depth[root] = 0
    # dependents come after their dependencies in ORDER, so each is final when it is reached
    for element in reversed(order):
        own = depth[element]
        for child in element.runtime_dependencies:
            depth[child] = max(depth[child], own)
        for child in element.build_dependencies:
            depth[child] = max(depth[child], own + 1)
    return sorted(order, key=lambda element: -depth[element])


def build_plan_elements(targets: Sequence[ResolvedElement], deps: str) -> list[ResolvedElement]:
    """Everything that `bst build --deps DEPS` considers, in staging order."""
    if deps != "build":
        return pipeline_order(targets)
    return pipeline_order([child for target in targets for child in target.build_dependencies])
