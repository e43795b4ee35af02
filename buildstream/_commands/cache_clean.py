"""`bst cache clean`: makes the local cache smaller, and tells first what goes."""

import time

from .._model.cachestate import CleaningPlan, DoomedArtifact
from .app import App
from .cleaning import make_cleaner

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
    artifacts: dict[tuple[str, int], DoomedArtifact] = {}  # one for both names of an artifact
    for candidate in plan.dropped:
        if candidate.kind != "artifact":
            continue
        project, element, _ = candidate.name.split("/", 2)
        timing = app.history.find(project, f"{element}.bst", "build")
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
