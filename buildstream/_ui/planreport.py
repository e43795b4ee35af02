"""The plan of a build, for people and as JSON."""

from .._model.events import Decision
from .._model.plan import BuildForecast, BuildPlan, PlannedElement

# raised when a member changes its meaning or goes away; new ones may come without
JSON_VERSION = 1
# names of the critical path that are shown, half of them from each end
_PATH_SHOWN = 8

_WORDS = {
    Decision.CACHED: "cached",
    Decision.PULL: "pull",
    Decision.BUILD: "build",
    Decision.FAILED: "failed",
    Decision.NOT_NEEDED: "not needed",
    Decision.UNDECIDED: "undecided",
}
_QUIET = frozenset({Decision.CACHED, Decision.NOT_NEEDED})
_UNTIMED = _QUIET | {Decision.FAILED, Decision.PULL}


def render_text(plan: BuildPlan, *, shows_all: bool) -> str:
    """A line for each element with something to do, or for all, then counts and times."""
    rows = [element for element in plan.elements if shows_all or element.decision not in _QUIET]
    actions = [_action(element) for element in rows]
    width = max(map(len, actions), default=0)
    lines = [
        f"{action:<{width}}  {_expected(element):>8}  {element.name}\n"
        for action, element in zip(actions, rows, strict=True)
    ]
    if lines:
        lines.append("\n")
    return "".join([*lines, *_totals(plan)])


def render_json(plan: BuildPlan) -> str:
    """One JSON object, as the manual describes it."""
    import json

    value = {
        "version": JSON_VERSION,
        "elements": [_json_element(element) for element in plan.elements],
        "counts": {
            "total": len(plan.elements),
            "fetch": plan.fetch_count,
            **{decision.value: plan.count(decision) for decision in Decision},
        },
        "forecast": None if plan.forecast is None else _json_forecast(plan.forecast),
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _action(element: PlannedElement) -> str:
    word = _WORDS[element.decision]
    return f"fetch, {word}" if element.needs_fetch else word


def _expected(element: PlannedElement) -> str:
    if element.decision in _UNTIMED:
        return ""
    return "?" if element.expected_s is None else format_seconds(element.expected_s)


def _totals(plan: BuildPlan) -> list[str]:
    counts = [
        (plan.count(Decision.CACHED), "cached"),
        (plan.count(Decision.PULL), "to pull"),
        (plan.fetch_count, "to fetch"),
        (plan.count(Decision.BUILD), "to build"),
        (plan.count(Decision.UNDECIDED), "undecided"),
        (plan.count(Decision.FAILED), "with a cached failure"),
        (plan.count(Decision.NOT_NEEDED), "not needed"),
    ]
    shown = ", ".join(f"{count} {word}" for count, word in counts if count)
    noun = "element" if len(plan.elements) == 1 else "elements"
    lines = [f"{len(plan.elements)} {noun}: {shown}\n" if shown else "Nothing to build\n"]
    if plan.forecast is not None:
        lines += _times(plan.forecast)
    elif plan.count(Decision.BUILD):
        lines.append("None of them was built here before, so there is no telling how long it takes\n")
    return lines


def _times(forecast: BuildForecast) -> list[str]:
    noun = "builder" if forecast.builders == 1 else "builders"
    workers = f"{forecast.builders} {noun}" if forecast.builders else f"any number of {noun}"
    guess = ""
    if forecast.guessed:
        guess = f"; {forecast.guessed} never built here, counted as one of a middling time"
    time = (
        f"About {format_seconds(forecast.makespan_s)} with {workers},"
        f" {format_seconds(forecast.work_s)} of work{guess}\n"
    )
    return [time, f"Critical path: {shorten_path(forecast.critical_path)}\n"]


def shorten_path(names: tuple[str, ...]) -> str:
    """NAMES in order, without those in the middle if there are many."""
    if len(names) > _PATH_SHOWN:
        half = _PATH_SHOWN // 2
        left_out = len(names) - 2 * half
        names = (*names[:half], f"({left_out} more)", *names[-half:])
    return " > ".join(names)


def format_seconds(seconds: float) -> str:
    """SECONDS as people say it: `0.4s`, `12s`, `3m 20s`, `2h 05m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def _json_element(element: PlannedElement) -> dict[str, object]:
    return {
        "element": element.name,
        "kind": element.kind,
        "key": element.key,
        "decision": element.decision.value,
        "fetch": element.needs_fetch,
        "reason": element.reason,
        "expected": _rounded(element.expected_s),
        "starts": _rounded(element.starts_s),
    }


def _json_forecast(forecast: BuildForecast) -> dict[str, object]:
    return {
        "builders": forecast.builders,
        "makespan": _rounded(forecast.makespan_s),
        "work": _rounded(forecast.work_s),
        "critical-path": list(forecast.critical_path),
        "guessed": forecast.guessed,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
