"""The report of `bst lint`, for people and as JSON."""

from .._model.problem import LintReport, Place, Problem, Severity
from .._tasklog import indent_lines

# raised when a field changes its meaning or goes away; new fields may come without
JSON_VERSION = 1


def render_text(report: LintReport) -> str:
    """One paragraph a problem, then the line that counts them."""
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    summary = (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')} "
        f"in {_count(report.element_count, 'element')}\n"
    )
    return "".join([*(_paragraph(problem) for problem in report.problems), summary])


def render_json(report: LintReport) -> str:
    """One JSON object, as the manual describes it."""
    import json

    value = {
        "version": JSON_VERSION,
        "errors": report.count(Severity.ERROR),
        "warnings": report.count(Severity.WARNING),
        "elements": report.element_count,
        "problems": [_json_problem(problem) for problem in report.problems],
    }
    return json.dumps(value, indent=2) + "\n"


def _paragraph(problem: Problem) -> str:
    place = f"{problem.place}: " if problem.place else ""
    origin = "/".join(part for part in (problem.domain, problem.reason) if part)
    label = f"{problem.severity.value} [{origin}]" if origin else problem.severity.value
    text = f"{place}{label}: {problem.message}\n"
    if problem.detail:
        text += f"{indent_lines(problem.detail.rstrip())}\n"
    for place_besides in problem.also_at:
        text += f"    Also at: {place_besides}\n"
    return text


def _json_problem(problem: Problem) -> dict[str, object]:
    return {
        "severity": problem.severity.value,
        "place": _json_place(problem.place),
        "domain": problem.domain,
        "reason": problem.reason,
        "message": problem.message,
        "detail": problem.detail,
        "also-at": [_json_place(place) for place in problem.also_at],
    }


def _json_place(place: Place | None) -> dict[str, object] | None:
    return None if place is None else {"file": place.file, "line": place.line, "column": place.column}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
