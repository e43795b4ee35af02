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

# to remotes at once
_MOST_QUESTIONS = 8

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

    app.connect(loaded.projects, artifacts=True)
    query(app, loaded, considered, with_remotes=True, on_failed=forget)
    pulled = _ask_remotes(app, loaded, deps)
    return _Planner(app, loaded, deps, considered, pulled).plan()


def _ask_remotes(app: App, loaded: LoadedTargets, deps: str) -> set[ElementRecord]:
    """Marks what is required, and gives what of it remotes have.

    What would be pulled requires none of its build dependencies, so remotes are asked from the
    targets down, for many elements at once.
    """
    from concurrent.futures import ThreadPoolExecutor

    pipeline = loaded.pipeline
    required: list[ElementRecord] = []
    pulled: set[ElementRecord] = set()
    pipeline.on_required = required.append
    pipeline.require(loaded.targets, deps)
    if not any(record.is_pull_pending for record in required):
        pipeline.on_required = None
        return pulled
    with (
        app.messenger.simple_task("Query remote caches") as task,
        ThreadPoolExecutor(_MOST_QUESTIONS) as pool,
    ):
        while required:
            pending = [record for record in required if record.is_pull_pending]
            required.clear()
            for record, is_found in zip(pending, pool.map(app.sharing.find, pending), strict=True):
                task.advance()
                if is_found:
                    pulled.add(record)
                    continue
                app.artifacts.note(record, None)
                record.is_pull_pending = False
                pipeline.update_strong_key(record)
                pipeline.schedule_build(record)
    pipeline.on_required = None
    return pulled


class _Planner:
    """Decisions and times of the elements that are considered, in staging order."""

    def __init__(
        self,
        app: App,
        loaded: LoadedTargets,
        deps: str,
        considered: Sequence[ResolvedElement],
        pulled: set[ElementRecord],
    ) -> None:
        self._app = app
        self._loaded = loaded
        self._deps = deps
        self._considered = considered
        records = map(loaded.pipeline.record, considered)
        self._decisions = {record.element: decide(record) for record in records}
        for record in pulled:
            self._decisions[record.element] = Decision.PULL, "a remote has its artifact"
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
