"""How long builds are expected to take, and which are therefore started first."""

from collections.abc import Iterable, Sequence
from statistics import median

from .._load.resolved import ResolvedElement
from .._plan.durations import longest_path_first
from .._plan.selection import build_plan_elements, depth_order
from .._plan.timeleft import TimeLeft
from .app import App
from .loading import LoadedTargets


def expected_durations(
    app: App, elements: Iterable[ResolvedElement], action: str = "build"
) -> dict[ResolvedElement, float | None]:
    """How long the jobs of ACTION for ELEMENTS took before, in seconds; None for what is not known."""
    result: dict[ResolvedElement, float | None] = {}
    for element in elements:
        timing = app.history.find(element.project_name, element.name, action)
        result[element] = None if timing is None else timing.expected_s
    return result


def time_left(app: App, loaded: LoadedTargets, order: Sequence[ResolvedElement]) -> TimeLeft | None:
    """What guesses how long the builds of ORDER still take; None if too little is known.

    Fewer than half of them were built here before: then a guess would say nothing.
    """
    missing = [element for element in order if not loaded.pipeline.record(element).is_cached]
    expected = expected_durations(app, missing)
    known = [elapsed_s for elapsed_s in expected.values() if elapsed_s is not None]
    if not known or 2 * len(known) < len(missing):
        return None
    middling_s = median(known)

    def duration(element: ResolvedElement) -> float:
        elapsed_s = expected.get(element, 0.0)
        return middling_s if elapsed_s is None else elapsed_s

    considered = sorted(order, key=lambda element: element.index)  # dependencies first
    return TimeLeft(considered, duration, max(app.settings.builders, 0))


def start_order(app: App, loaded: LoadedTargets, deps: str) -> list[ResolvedElement]:
    """All that a build with `--deps DEPS` considers, what should start first at the front.

    That is the longest path first, by the times of past builds; an element that was never built counts
    as one of a middling time.  Where nothing is known, by depth.
    """
    by_depth = depth_order(loaded.targets, deps)
    missing = [element for element in by_depth if not loaded.pipeline.record(element).is_cached]
    expected = expected_durations(app, missing)
    known = [elapsed_s for elapsed_s in expected.values() if elapsed_s is not None]
    if not known:
        return by_depth
    middling_s = median(known)

    def duration(element: ResolvedElement) -> float:
        elapsed_s = expected.get(element, 0.0)  # nothing for what is cached
        return middling_s if elapsed_s is None else elapsed_s

    return longest_path_first(build_plan_elements(loaded.targets, deps), by_depth, duration)
