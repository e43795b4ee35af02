"""The answer of `bst why`, for people and as JSON."""

import time

from .._model.problem import Place
from .._model.why import Cause, CauseKind, Change, Explanation, Subject, WhyReport

# raised when a member changes its meaning or goes away; new ones may come without
JSON_VERSION = 1
_MOST_CAUSES = 10
_MOST_NAMES = 3
_MOST_CHANGES = 8
_WIDEST_TEXT = 100


def render_text(report: WhyReport) -> str:
    """A paragraph for a single target; for several, the first causes of all that is to be built."""
    if len(report.explanations) == 1:
        return _paragraph(report.explanations[0])
    if not report.to_build:
        return f"Nothing has to be built: {_count(report.total, 'element')} are cached or not needed\n"
    lines = [f"{report.to_build} of {_count(report.total, 'element')} have to be built:\n"]
    for cause in report.causes[:_MOST_CAUSES]:
        lines += ["\n", *_cause_lines(cause, with_elements=True)]
    if len(report.causes) > _MOST_CAUSES:
        lines.append(f"\nand {len(report.causes) - _MOST_CAUSES} more causes; --json lists all\n")
    return "".join(lines)


def render_json(report: WhyReport) -> str:
    """One JSON object, as the manual describes it."""
    import json

    value = {
        "version": JSON_VERSION,
        "to-build": report.to_build,
        "total": report.total,
        "targets": [_json_explanation(explanation) for explanation in report.explanations],
        "causes": [_json_cause(cause) for cause in report.causes],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _paragraph(explanation: Explanation) -> str:
    name = explanation.element
    if explanation.cause is None:
        return f"{name} is cached. It was built here once; nothing is known of a build before that.\n"
    when = ""
    if explanation.built_s is not None:
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(explanation.built_s))
        when = f", for this changed since its build of {moment}"
    verb = "is cached. It was built" if explanation.is_cached else "has to be built"
    lines = [f"{name} {verb}{when}:\n", "\n"]
    if len(explanation.chain) > 1:
        lines.append(f"{' < '.join(_shortened(explanation.chain))}\n")
    return "".join(
        [*lines, *_cause_lines(explanation.cause, with_elements=False, last=explanation.chain[-1])]
    )


def _shortened(chain: tuple[str, ...]) -> tuple[str, ...]:
    if len(chain) <= 2 * _MOST_NAMES:
        return chain
    left_out = len(chain) - 2 * _MOST_NAMES + 1
    return (*chain[:_MOST_NAMES], f"({left_out} more)", *chain[-_MOST_NAMES + 1 :])


def _cause_lines(cause: Cause, *, with_elements: bool, last: str = "") -> list[str]:
    names = cause.elements
    shown = ", ".join(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown += f" and {len(names) - _MOST_NAMES} more"
    subject = shown if with_elements else last
    if cause.kind is CauseKind.CHANGED:
        lines = [f"{subject}:\n"]
        for change in cause.changes[:_MOST_CHANGES]:
            lines += _change_lines(change)
        if len(cause.changes) > _MOST_CHANGES:
            lines.append(f"  and {len(cause.changes) - _MOST_CHANGES} more changes\n")
    else:
        lines = [f"{subject} {_SENTENCES[cause.kind][len(names) > 1 and with_elements]}\n"]
    others = f"{_count(cause.touched, 'element')} built with {'it' if len(names) == 1 else 'them'}"
    lines.append(f"  touches {_count(len(names), 'element')} directly, and {others}\n")
    return lines


# for one element, and for several
_SENTENCES = {
    CauseKind.NEVER_BUILT: ("was never built here", "were never built here"),
    CauseKind.NOT_CACHED: (
        "was built like this before, but the artifact is not in the local cache any more",
        "were built like this before, but the artifacts are not in the local cache any more",
    ),
    CauseKind.FAILED: (
        "has a cached failure; --retry-failed builds it again",
        "have cached failures; --retry-failed builds them again",
    ),
    CauseKind.UNKNOWN: (
        "has another key; what it was made of before is not known any more",
        "have other keys; what they were made of before is not known any more",
    ),
}


def _change_lines(change: Change) -> list[str]:
    place = f"{change.place}: " if change.place is not None else ""
    subject = change.subject.value
    if change.subject is Subject.DEPENDENCY:
        verb = "was added" if change.old is None else "was removed"
        return [f"  {place}dependency {change.name} {verb}\n"]
    title = f"  {place}{subject} {change.name}".rstrip()
    if change.old is None:
        return [f"{title} was added\n", f"    + {_cut(change.new or '')}\n"]
    if change.new is None:
        return [f"{title} was removed\n", f"    - {_cut(change.old)}\n"]
    old, new = _first_differing_lines(change.old, change.new)
    pairs = enumerate(zip(old, new, strict=False))
    common = next((place for place, (a, b) in pairs if a != b), min(len(old), len(new)))
    start = max(common - _WIDEST_TEXT // 2, 0)
    return [f"{title} was changed\n", f"    - {_cut(old, start)}\n", f"    + {_cut(new, start)}\n"]


def _first_differing_lines(old: str, new: str) -> tuple[str, str]:
    """Of texts with many lines, those that differ first."""
    old_lines, new_lines = old.splitlines() or [""], new.splitlines() or [""]
    pairs = zip(old_lines, new_lines, strict=False)
    position = next((number for number, (a, b) in enumerate(pairs) if a != b), None)
    if position is None:
        position = min(len(old_lines), len(new_lines))
    return (
        old_lines[position] if position < len(old_lines) else "",
        new_lines[position] if position < len(new_lines) else "",
    )


def _cut(text: str, start: int = 0) -> str:
    """As much of TEXT, from START on, as stands in a line."""
    text = f"...{text[start:]}" if start else text
    line = text.splitlines()[0] if text.splitlines() else ""
    if len(line) > _WIDEST_TEXT or line != text.rstrip("\n"):
        return line[:_WIDEST_TEXT] + "..."
    return line


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _json_explanation(explanation: Explanation) -> dict[str, object]:
    return {
        "element": explanation.element,
        "cached": explanation.is_cached,
        "chain": list(explanation.chain),
        "compared-with": explanation.built_s,
        "cause": None if explanation.cause is None else _json_cause(explanation.cause),
    }


def _json_cause(cause: Cause) -> dict[str, object]:
    return {
        "kind": cause.kind.value,
        "elements": list(cause.elements),
        "touched": cause.touched,
        "changes": [
            {
                "subject": change.subject.value,
                "name": change.name,
                "old": change.old,
                "new": change.new,
                "place": _json_place(change.place),
            }
            for change in cause.changes
        ],
    }


def _json_place(place: Place | None) -> dict[str, object] | None:
    return None if place is None else {"file": place.file, "line": place.line, "column": place.column}
