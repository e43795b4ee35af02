"""`bst plan`: what a build would do, and how long it would take."""

from collections.abc import Mapping, Sequence
from statistics import median

from .._load.resolved import ResolvedElement
from .._model.events import Decision
from .._model.plan import BuildForecast, BuildPlan, PlannedElement
from .._plan.decisions import decide, needs_fetch
from .._plan.durations import Forecast, longest_path_first, simulate
from .._plan.record import ElementRecord
from .._plan.selection import build_plan_elements, depth_order
from .app import App
from .loading import LoadedTargets, check_resolved, load_elements, query
from .priorities import expected_durations

_HAS_JOBS = frozenset({Decision.BUILD, Decision.UNDECIDED})


def plan(app: App, *, elements: Sequence[str], deps: str | None, retry_failed: bool) -> BuildPlan:
    """What `bst build` with the same arguments would do; nothing is changed.

    Args:
        deps: none, build, run or all; None for what the user configuration says.
        retry_failed: Whether cached failures would be built again.
    """
    deps = deps or app.settings.build_dependencies
    retries = retry_failed or app.settings.retry_failed
    loaded = load_elements(app, elements, ignores_junctions_by_default=True)
    considered = build_plan_elements(loaded.targets, deps)
    check_resolved(considered)

    def forget(record: ElementRecord) -> None:
        if retries:
            app.artifacts.note(record, None)
            record.strong_key = record.keys.strict if loaded.pipeline.is_strict else None

    query(app, loaded, considered, on_failed=forget)
    loaded.pipeline.require(loaded.targets, deps)
    return _Planner(app, loaded, deps, considered).plan()


class _Planner:
    """Decisions and times of the elements that are considered, in staging order."""

    def __init__(
        self, app: App, loaded: LoadedTargets, deps: str, considered: Sequence[ResolvedElement]
    ) -> None:
        self._app = app
        self._loaded = loaded
        self._deps = deps
        self._considered = considered
        self._decisions = {element: decide(loaded.pipeline.record(element)) for element in considered}
        jobs = [element for element, (decision, _) in self._decisions.items() if decision in _HAS_JOBS]
        self._fetched = {e for e in jobs if needs_fetch(loaded.pipeline.record(e))}
        builds = expected_durations(app, jobs)
        fetches = expected_durations(app, self._fetched, "fetch")
        self._expected: dict[ResolvedElement, float | None] = {
            element: None if elapsed_s is None else elapsed_s + (fetches.get(element) or 0.0)
            for element, elapsed_s in builds.items()
        }

    def plan(self) -> BuildPlan:
        """The plan with its forecast."""
        known = [elapsed_s for elapsed_s in self._expected.values() if elapsed_s is not None]
        if not known:
            return BuildPlan(tuple(self._row(element, {}) for element in self._considered), None)
        middling_s = median(known)

        def duration(element: ResolvedElement) -> float:
            elapsed_s = self._expected.get(element, 0.0)  # nothing for what has no job
            return middling_s if elapsed_s is None else elapsed_s

        by_depth = depth_order(self._loaded.targets, self._deps)
        order = longest_path_first(self._considered, by_depth, duration)
        builders = max(self._app.settings.builders, 0)
        simulated = simulate(self._considered, order, duration, builders)
        return BuildPlan(
            tuple(self._row(element, simulated.starts_s) for element in self._considered),
            self._forecast(simulated, builders, sum(map(duration, self._expected))),
        )

    def _forecast(self, simulated: Forecast, builders: int, work_s: float) -> BuildForecast:
        return BuildForecast(
            builders=builders,
            makespan_s=simulated.makespan_s,
            work_s=work_s,
            critical_path=tuple(element.full_name for element in simulated.path),
            guessed=sum(1 for elapsed_s in self._expected.values() if elapsed_s is None),
        )

    def _row(self, element: ResolvedElement, starts_s: Mapping[ResolvedElement, float]) -> PlannedElement:
        decision, reason = self._decisions[element]
        return PlannedElement(
            name=element.full_name,
            kind=element.kind,
            key=self._loaded.pipeline.record(element).strong_key,
            decision=decision,
            needs_fetch=element in self._fetched,
            reason=reason,
            expected_s=self._expected.get(element),
            starts_s=starts_s.get(element),
        )
