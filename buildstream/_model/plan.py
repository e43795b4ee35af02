"""What a build would do, before it does it."""

from .._dataclass import dataclass
from .events import Decision


@dataclass(frozen=True, slots=True)
class PlannedElement:
    """What would happen to one element."""

    name: str  # full name
    kind: str
    key: str | None  # None while not known
    decision: Decision
    needs_fetch: bool  # whether sources are downloaded before it is built
    reason: str  # one sentence
    expected_s: float | None = None  # of its jobs by history; None if it has none, or nothing is known
    starts_s: float | None = None  # after the start of the session; None as above


@dataclass(frozen=True, slots=True)
class BuildForecast:
    """How long it would take."""

    builders: int  # that may work at once; 0: no limit
    makespan_s: float  # from start to end
    work_s: float  # of all jobs together
    critical_path: tuple[str, ...]  # full names of what the end waits for, first job first
    guessed: int  # elements that were never built here; they count as one of a middling time


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """The whole."""

    elements: tuple[PlannedElement, ...]  # all that is considered, in staging order
    forecast: BuildForecast | None  # None if there is nothing to do, or no time is known

    def count(self, decision: Decision) -> int:
        """How many elements have this decision."""
        return sum(1 for element in self.elements if element.decision is decision)

    @property
    def fetch_count(self) -> int:
        """How many elements need a download."""
        return sum(1 for element in self.elements if element.needs_fetch)
