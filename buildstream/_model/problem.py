"""What is wrong with a project: values that `bst lint` makes and the front end shows."""

from enum import Enum

from .._dataclass import dataclass


class Severity(Enum):
    """Whether a project can be used all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file, counted as in all messages: lines from 1, columns from 0."""

    file: str  # as messages name it: below the element path or the project, after its junction
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause of trouble."""

    severity: Severity
    place: Place | None  # None for what no file says, e.g. an option of the command line
    domain: str | None  # name of an ErrorDomain; None for warnings
    reason: str | None  # name of a LoadErrorReason, another error's reason, or a warning token
    message: str
    detail: str | None = None  # what is known besides, and the next step
    also_at: tuple[Place, ...] = ()  # further places that suffer from the same cause


@dataclass(frozen=True, slots=True)
class LintReport:
    """Everything that is wrong with some elements."""

    problems: tuple[Problem, ...]  # by file, line and column
    element_count: int  # files that were looked at

    def count(self, severity: Severity) -> int:
        """How many problems have SEVERITY."""
        return sum(problem.severity is severity for problem in self.problems)
