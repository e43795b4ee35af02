"""`bst cache clean`: makes the local cache smaller, and tells first what goes."""

import time
from typing import TYPE_CHECKING

from .._load.elementhost import ref_of_names
from .._model.cachestate import CleaningPlan, DoomedArtifact
from .app import App
from .cleaning import make_cleaner

if TYPE_CHECKING:
    from .._act.history import DurationHistory, Timing

_UNLIMITED = 1 << 62


def plan_cleaning(app: App, *, size_bytes: int | None, unused_days: float | None) -> CleaningPlan:
    """What would go.

    Args:
        size_bytes: How much may be left; None for what the low watermark allows.
        unused_days: What was not used for that long goes in any case.
    """
    usage = app.cas.usage
    if size_bytes is None:
        size_bytes = usage.low_bytes() if usage.limits.quota_bytes is not None else _UNLIMITED
    unused_since_ns = None if unused_days is None else time.time_ns() - int(unused_days * 86400e9)
    with app.messenger.simple_task("Looking at the cache"):
        plan = make_cleaner(app).plan(size_bytes, unused_since_ns=unused_since_ns)
    now_ns = time.time_ns()
    timings = _BuildTimings(app.history)
    artifacts: dict[tuple[str, int], DoomedArtifact] = {}  # one for both names of an artifact
    for candidate in plan.dropped:
        if candidate.kind != "artifact":
            continue
        project, element, _ = candidate.name.split("/", 2)
        timing = timings.of(project, element)
        artifacts[f"{project}/{element}", candidate.used_ns] = DoomedArtifact(
            candidate.name, (now_ns - candidate.used_ns) / 1e9, None if timing is None else timing.expected_s
        )
    return CleaningPlan(
        tuple(artifacts.values()),
        sum(1 for candidate in plan.dropped if candidate.kind == "source"),
        usage.used_bytes,
        plan.kept_bytes,
        size_bytes,
        unused_since_ns,
    )


def clean_cache(app: App, plan: CleaningPlan) -> tuple[int, int]:
    """Does what PLAN says; bytes and objects that were deleted."""
    with app.messenger.simple_task("Cleaning up the cache"):
        report = make_cleaner(app).run(plan.keep_bytes, unused_since_ns=plan.unused_since_ns)
    return report.deleted_bytes, report.deleted_objects


class _BuildTimings:
    """How long builds took, by what names of artifacts say of an element."""

    def __init__(self, history: "DurationHistory") -> None:
        self._history = history
        self._names: dict[str, dict[str, str]] = {}  # project -> as in names of artifacts -> name

    def of(self, project: str, normal_name: str) -> "Timing | None":
        """What is known of the builds of an element; of those that look alike, of any."""
        if project not in self._names:
            names = self._history.elements(project)
            self._names[project] = {ref_of_names(project, name, "").split("/")[1]: name for name in names}
        name = self._names[project].get(normal_name)
        return None if name is None else self._history.find(project, name, "build")
