"""`bst lint`: everything that is wrong with a project, not only the first thing.

The loader and the resolver stop at the first error, as a command must that is
going to use their results.  Here they are asked for one file, one dependency,
one element at a time; what an error cites is cut out of the tree before the
same thing is tried again, so that independent errors of one file all show.
A clean project is loaded once, as by any other command.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from .._dataclass import dataclass
from .._exceptions import BstError
from .._load.graph import cycle_error
from .._load.pluginregistry import PluginType
from .._load.targets import all_elements, classify
from .._model.problem import LintReport, Place, Problem, Severity
from .app import App
from .lintchecks import check_aliases, check_element
from .lintgraph import find_cycle, strong_components
from .lintproblems import ProblemCollector
from .lintrepair import FINAL_REASONS, Repairs, place_of
from .loading import element_names

if TYPE_CHECKING:
    from .._load.dependencies import Declaration
    from .._load.loadelement import LoadElement
    from .._load.loader import Loader
    from .._load.project import Project
    from .._load.projectloader import ProjectLoader
    from .._load.resolved import ResolvedElement

_Value = TypeVar("_Value")

# of one element or project.conf: beyond, the file is broken as a whole
_MOST_PROBLEMS = 25


def lint(app: App, *, elements: Sequence[str], ignored: Sequence[str]) -> LintReport:
    """Looks at ELEMENTS, or at all of the project, and at everything they depend on.

    Args:
        ignored: Tokens of warnings that are not wanted.

    Raises:
        StreamError: There is no project, or ELEMENTS are no names of elements.
    """
    collector = ProblemCollector(frozenset(ignored))
    targets = classify(elements, accepts_artifacts=False)
    with app.messenger.diverted(collector.receive):
        attempts = _Attempts(collector)
        opened = attempts.read(partial(_open, app, attempts.repairs))
        if opened.problem is not None:
            return LintReport(collector.problems(), 0)
        names, _ = element_names(app, opened.value, targets)
        assert opened.value is not None, "element_names() raises without a project"
        loader = opened.value
        if not elements:
            names = all_elements(loader.projects[0])
        # default targets may be of other projects, or missing
        targets_besides = [] if elements else loader.projects[0].default_targets
        found = _Loading(loader, attempts).load([*names, *targets_besides])
        resolved = _Resolution(loader, attempts).resolve(found)
        attempts.run(loader.check_conflicts)
        for project in loader.projects:
            for text in project.warnings:
                collector.add_text(text)
        for element in resolved:
            defaults = loader.resolver.default_variables(element.project, element.kind)
            check_element(element, defaults, collector)
        has_errors = any(problem.severity is Severity.ERROR for problem in collector.problems())
        if not elements and not has_errors:
            check_aliases(loader.projects[0], loader.resolver.elements, collector)
    return LintReport(collector.problems(), len({element.full_name for element in found}.union(names)))


def _open(app: App, repairs: Repairs) -> "ProjectLoader | None":
    """A loader with the project open, both of its passes made."""
    loader = app.reopen_project(repairs.amend)
    if loader is not None:
        loader.projects[0].complete()
    return loader


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[_Value]):
    """What an action gave, and what was wrong first."""

    value: _Value | None
    problem: Problem | None


class _Attempts:
    """Runs actions again and again, without what was wrong each time.

    Args:
        collector: Takes what is wrong.
    """

    def __init__(self, collector: ProblemCollector) -> None:
        self.collector = collector
        self.repairs = Repairs()

    def read(self, action: Callable[[], _Value]) -> _Outcome[_Value]:
        """Like :meth:`run`, for an ACTION that reads files: where one is missing, that is the end."""
        return self.run(action, None, lambda problem: problem.reason not in FINAL_REASONS)

    def run(
        self,
        action: Callable[[], _Value],
        default_place: Place | None = None,
        repair: Callable[[Problem], bool] = lambda _problem: True,
    ) -> _Outcome[_Value]:
        """What ACTION gives in the end.

        Args:
            action: Repeated until it succeeds, or fails for the same reason again.
            default_place: The place of errors that name none.
            repair: Whether ACTION may be repeated after a problem; may do something for that.
        """
        first: Problem | None = None
        for _ in range(_MOST_PROBLEMS):
            try:
                return _Outcome(action(), first)
            except BstError as error:
                problem = self.collector.problem(error, default_place)
                is_consequence = self.repairs.is_consequence(problem)
                if not is_consequence:
                    self.collector.add(problem)
                first = first or problem
                if not repair(problem) or not self.repairs.add(problem):
                    break
        else:
            assert first is not None
            text = f"Only the first {_MOST_PROBLEMS} problems are told; there may be more"
            self.collector.add_warning("many-problems", first.place, text)
        return _Outcome(None, first)


class _Loading:
    """Finds elements and everything they depend on, in spite of errors."""

    def __init__(self, loader: "ProjectLoader", attempts: _Attempts) -> None:
        self._loader = loader
        self._attempts = attempts
        # (identity of the project, junction or element path) -> what was wrong with it
        self._failures: dict[tuple[int, str], Problem] = {}
        self._are_complete: dict[int, bool] = {}  # by identity of the project; False if it is broken

    def load(self, names: Sequence[str]) -> "list[LoadElement]":
        """The elements NAMES and all that they need, each once; their edges lead to what was found."""
        loader = self._loader.projects[0].loader
        assert loader is not None
        found: dict[int, LoadElement] = {}
        pending: list[LoadElement] = []
        for name in names:
            element = self._attempts.read(partial(loader.find_target, name)).value
            if element is not None:
                pending.append(element)
        for element in pending:  # which grows meanwhile
            if id(element) in found or not self._is_usable(element.project):
                continue
            found[id(element)] = element
            pairs = [(declaration, self._find(element, declaration)) for declaration in element.declarations]
            element.set_dependencies([(d, child) for d, child in pairs if child is not None])
            pending += [child for _, child in pairs if child is not None]
        return list(found.values())

    def _find(self, element: "LoadElement", declaration: "Declaration") -> "LoadElement | None":
        loader = element.project.loader
        assert loader is not None
        if declaration.junction:
            opened = self._once(
                element, declaration, declaration.junction, partial(_open_junction, loader, declaration)
            )
            if opened.value is None:
                return None
            if opened.problem is not None:
                self._are_complete[id(opened.value.project)] = False
            if not self._is_usable(opened.value.project):
                return None
        return self._once(
            element, declaration, declaration.path, partial(loader.load_dependency, element, declaration)
        ).value

    def _once(
        self, element: "LoadElement", declaration: "Declaration", path: str, action: Callable[[], _Value]
    ) -> _Outcome[_Value]:
        """What ACTION finds at PATH; where it failed before, only the place of the declaration is noted."""
        key = (id(element.project), path)
        failure = self._failures.get(key)
        if failure is None:
            outcome = self._attempts.read(action)
            if outcome.value is None and outcome.problem is not None:
                self._failures[key] = outcome.problem
            return outcome
        place = place_of(declaration.node)
        if place is not None:
            self._attempts.collector.add_also_at(failure, place)
        return _Outcome(None, failure)

    def _is_usable(self, project: "Project") -> bool:
        """Whether project.conf of PROJECT is in order; if not, nothing is said of its elements."""
        if id(project) not in self._are_complete:
            self._are_complete[id(project)] = self._attempts.read(project.complete).problem is None
        return self._are_complete[id(project)]


def _open_junction(loader: "Loader", declaration: "Declaration") -> "Loader":
    assert declaration.junction is not None
    return loader.get_loader(declaration.junction, declaration.node)


class _Resolution:
    """Makes plugins of elements and has them checked, in spite of errors."""

    def __init__(self, loader: "ProjectLoader", attempts: _Attempts) -> None:
        self._resolver = loader.resolver
        self._attempts = attempts
        self._damaged: set[int] = set()  # identities of elements that were cut

    def resolve(self, elements: "Sequence[LoadElement]") -> "list[ResolvedElement]":
        """The elements of the toplevel project that nothing is wrong with."""
        constructed = {
            id(element): resolved
            for element in elements
            if (resolved := self._construct(element)) is not None
        }
        finished: set[int] = set()
        sound = []
        for component in strong_components(elements):
            cycle = find_cycle(component)
            if cycle:
                self._report_cycle(cycle)
                continue
            element = component[0]
            needs_broken = any(id(d.element) not in finished for d in element.dependencies)
            if id(element) not in constructed or needs_broken:
                continue
            finished.add(id(element))
            if self._finish(element) and element.project.junction is None:
                sound.append(constructed[id(element)])
        return sound

    def _construct(self, element: "LoadElement") -> "ResolvedElement | None":
        def construct() -> "ResolvedElement":
            if self._attempts.repairs.amend(element.node):
                self._damaged.add(id(element))
            return self._resolver.construct(element)

        def guess_kind(problem: Problem) -> bool:
            place = place_of(element.node)
            if problem.reason != "plugin-not-found" or problem.place != place:
                return True
            guess = element.project.registries[PluginType.ELEMENT].nearest_kind(element.kind)
            if guess is not None:
                element.kind = guess
            return guess is not None

        outcome = self._attempts.run(construct, place_of(element.node), guess_kind)
        if outcome.problem is not None:
            self._damaged.add(id(element))
        return outcome.value

    def _finish(self, element: "LoadElement") -> bool:
        """Finishes ELEMENT; whether there is nothing wrong with it.

        What a damaged element complains of may be a consequence: it is not reported.
        """
        if id(element) not in self._damaged:
            outcome = self._attempts.run(partial(self._resolver.finish, element), place_of(element.node))
            return outcome.problem is None
        with suppress(BstError):
            self._resolver.finish(element)
        return False

    def _report_cycle(self, cycle: "list[LoadElement]") -> None:
        first, following = cycle[0], cycle[1 % len(cycle)]
        edge = next(d for d in first.dependencies if d.element is following)
        collector = self._attempts.collector
        collector.add(replace(collector.problem(cycle_error(first, cycle), None), place=place_of(edge.node)))
