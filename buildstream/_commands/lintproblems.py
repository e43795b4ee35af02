"""Collecting problems for `bst lint`: from errors and messages to values, each cause once."""

import re
from dataclasses import field, replace
from enum import Enum

from .._dataclass import dataclass
from .._exceptions import BstError
from .._model.message import Message, MessageType
from .._model.problem import Place, Problem, Severity

_PLACE = re.compile(r"(?P<file>[^\s\[\]'\"(]+) \[line (?P<line>\d+) column (?P<column>\d+)\](?:: )?")
_TOKEN = re.compile(r"\[(?P<token>[^\s\]]+)\]: ")
_PROJECT_PREFIX = "Error loading project: "


@dataclass(slots=True)
class _Entry:
    problem: Problem
    also_at: list[Place] = field(default_factory=list)


class ProblemCollector:
    """Problems as they are found.

    Args:
        ignored: Tokens of warnings that nobody wants to see.
    """

    def __init__(self, ignored: frozenset[str] = frozenset()) -> None:
        self._ignored = ignored
        self._entries: dict[tuple[Place | None, str], _Entry] = {}

    def problem(self, error: BstError, default_place: Place | None) -> Problem:
        """ERROR as a value, at DEFAULT_PLACE if it names none."""
        problem = problem_from_error(error)
        return problem if problem.place is not None else replace(problem, place=default_place)

    def add(self, problem: Problem) -> None:
        """Takes PROBLEM, unless it is known already or not wanted."""
        if problem.severity is Severity.WARNING and problem.reason in self._ignored:
            return
        self._entries.setdefault((problem.place, problem.message), _Entry(problem))

    def add_text(self, text: str, detail: str | None = None) -> None:
        """Takes the TEXT of a warning that the engine gives."""
        token, text = _split_token(text)
        place, text = split_place(text)
        self.add(Problem(Severity.WARNING, place, None, token, text, detail))

    def add_warning(self, token: str, place: Place | None, message: str, detail: str | None = None) -> None:
        """Takes something that lint itself finds suspicious."""
        self.add(Problem(Severity.WARNING, place, None, token, message, detail))

    def add_also_at(self, problem: Problem, place: Place) -> None:
        """Notes that PLACE suffers from PROBLEM as well."""
        entry = self._entries.get((problem.place, problem.message))
        if entry is not None and place != problem.place and place not in entry.also_at:
            entry.also_at.append(place)

    def receive(self, message: Message) -> None:
        """A sink of messages: takes the warnings, drops all else."""
        if message.kind is MessageType.WARN:
            self.add_text(message.text, message.detail)

    def problems(self) -> tuple[Problem, ...]:
        """Everything taken, by file, line and column; what has no place comes first."""
        complete = [
            replace(entry.problem, also_at=tuple(sorted(entry.also_at))) for entry in self._entries.values()
        ]
        return tuple(sorted(complete, key=_position))


def problem_from_error(error: BstError) -> Problem:
    """ERROR as a value; its place is the first that the message or the detail names."""
    _, text = _split_token(str(error).strip())
    place, text = split_place(text)
    if place is None and error.detail:
        place, _ = split_place(error.detail)
    reason = error.reason.name if isinstance(error.reason, Enum) else error.reason
    return Problem(
        severity=Severity.ERROR,
        place=place,
        domain=error.domain.name if error.domain is not None else None,
        reason=str(reason) if reason is not None else None,
        message=text.removeprefix(_PROJECT_PREFIX),
        detail=error.detail,
    )


def split_place(text: str) -> tuple[Place | None, str]:
    """The first place that TEXT names, and TEXT without it."""
    match = _PLACE.search(text)
    if match is None:
        return None, text
    before = text[: match.start()].removeprefix(_PROJECT_PREFIX).removesuffix(" at ").removesuffix(": ")
    after = text[match.end() :]
    place = Place(match["file"], int(match["line"]), int(match["column"]))
    return place, f"{before}: {after}" if before else after


def _split_token(text: str) -> tuple[str | None, str]:
    match = _TOKEN.match(text)
    return (match["token"], text[match.end() :]) if match else (None, text)


def _position(problem: Problem) -> tuple[Place, str]:
    return problem.place or Place("", 0, 0), problem.message
