"""`bst why`: the first cause of builds, from what entered the keys of earlier ones."""

from collections.abc import Iterable, Sequence

from .._act.keyinputs import KeyInputs, KeyInputStore, name_in_project
from .._dataclass import dataclass
from .._exceptions import BstError
from .._keys.compare import document_from_parts
from .._load.elementhost import artifact_name
from .._load.resolved import ResolvedElement, build_scope
from .._model.problem import Place
from .._model.why import Cause, CauseKind, Change, Explanation, Subject, WhyReport
from .._plan.record import ArtifactState, ElementRecord
from .._plan.selection import build_plan_elements
from .._plan.touched import Dependents
from .app import App
from .loading import LoadedTargets, check_resolved, load_elements, query
from .whychanges import find_changes, place_of_dependency


@dataclass(frozen=True, slots=True)
class _Finding:
    """Why one element has another key than before: of itself, or because of another element."""

    kind: CauseKind
    changes: tuple[Change, ...] = ()
    # what is to be looked at instead, and the key that it had then
    because_of: ResolvedElement | None = None
    key_then: str | None = None
    built_s: float | None = None


def why(app: App, *, elements: Sequence[str]) -> WhyReport:
    """Why ELEMENTS, or the default targets, and what they need, are going to be or were built."""
    loaded = load_elements(app, elements, ignores_junctions_by_default=True)
    considered = build_plan_elements(loaded.targets, "run")
    check_resolved(considered)
    query(app, loaded, considered, with_sources=False)
    loaded.pipeline.require(loaded.targets, "run")
    return _Inquiry(app, loaded, considered).report()


class _Inquiry:
    """Looks at elements one by one, and remembers what it has found."""

    def __init__(self, app: App, loaded: LoadedTargets, considered: Sequence[ResolvedElement]) -> None:
        self._app = app
        self._loaded = loaded
        self._considered = considered
        self._inputs = KeyInputStore(app.paths.inputs)
        self._builds: dict[ResolvedElement, list[KeyInputs]] = {}
        self._findings: dict[tuple[ResolvedElement, str | None], _Finding] = {}
        self._by_name = {name_in_project(element): element for element in loaded.pipeline.elements}

    def report(self) -> WhyReport:
        """The whole answer."""
        groups = self._grouped(self._to_build())
        dependents = Dependents(self._considered)
        causes = [self._cause(finding, members, dependents) for finding, members in groups]
        causes.sort(key=lambda cause: -(cause.touched + len(cause.elements)))
        return WhyReport(
            explanations=tuple(self._explain(target, causes, dependents) for target in self._loaded.targets),
            causes=tuple(causes),
            to_build=len(self._to_build()),
            total=len(self._considered),
        )

    def _record(self, element: ResolvedElement) -> ElementRecord:
        return self._loaded.pipeline.record(element)

    def _to_build(self) -> list[ResolvedElement]:
        records = map(self._record, self._considered)
        return [record.element for record in records if record.is_required and not record.is_cached]

    # causes

    def _grouped(self, elements: Iterable[ResolvedElement]) -> list[tuple[_Finding, list[ResolvedElement]]]:
        """First causes, each once, with the elements that they concern themselves."""
        groups: dict[object, tuple[_Finding, list[ResolvedElement]]] = {}
        for element in elements:
            finding = self._find(element, None)
            if finding.because_of is None:
                identity = (finding.kind, finding.changes)
                groups.setdefault(identity, (finding, []))[1].append(element)
        return list(groups.values())

    @staticmethod
    def _cause(finding: _Finding, members: Sequence[ResolvedElement], dependents: Dependents) -> Cause:
        return Cause(
            kind=finding.kind,
            changes=finding.changes,
            elements=tuple(element.full_name for element in members),
            touched=len(dependents.touched_by(members)) - len(members),
        )

    def _explain(
        self, target: ResolvedElement, causes: Sequence[Cause], dependents: Dependents
    ) -> Explanation:
        """The way from TARGET to its first cause; it ends where nothing further down has changed."""
        chain = [target]
        finding = first = self._find(target, None)
        while finding.because_of is not None and finding.because_of not in chain:
            chain.append(finding.because_of)
            finding = self._find(finding.because_of, finding.key_then)
        is_cached = self._record(target).is_cached
        cause = next((c for c in causes if chain[-1].full_name in c.elements), None)
        if cause is None or cause.changes != finding.changes:
            cause = self._cause(finding, chain[-1:], dependents)
        was_built_once = is_cached and finding.kind is CauseKind.NEVER_BUILT and len(chain) == 1
        return Explanation(
            element=target.full_name,
            is_cached=is_cached,
            chain=tuple(element.full_name for element in chain),
            cause=None if was_built_once else cause,
            built_s=first.built_s,
        )

    # one element

    def _find(self, element: ResolvedElement, key_then: str | None) -> _Finding:
        """Why ELEMENT has another key than KEY_THEN, or than in its last build before."""
        known = self._findings.get((element, key_then))
        if known is None:
            known = self._findings[element, key_then] = self._look_at(element, key_then)
        return known

    def _look_at(self, element: ResolvedElement, key_then: str | None) -> _Finding:
        record = self._record(element)
        builds = self._builds_of(element)
        key = record.strong_key or record.keys.strict
        if key_then is None and record.artifact_state is ArtifactState.FAILED:
            return _Finding(CauseKind.FAILED)
        if key_then is None and not record.is_cached and any(build.key == key for build in builds):
            return _Finding(CauseKind.NOT_CACHED)
        older = [build for build in builds if build.key != key]
        before = next((build for build in older if build.key == key_then), None)
        before = before or next(iter(older), None)
        if before is None:
            return _Finding(CauseKind.NEVER_BUILT)
        changes = (*self._changes_of_dependencies(element, before), *self._own_changes(element, before))
        if changes:
            return _Finding(CauseKind.CHANGED, changes, built_s=before.built_s)
        return self._because_of_dependency(record, before)

    def _builds_of(self, element: ResolvedElement) -> list[KeyInputs]:
        builds = self._builds.get(element)
        if builds is None:
            builds = self._builds[element] = self._inputs.builds(element)
        return builds

    def _own_changes(self, element: ResolvedElement, before: KeyInputs) -> list[Change]:
        parts = self._loaded.pipeline.keys.parts(element)
        if parts is None or parts == before.parts:
            return []
        try:
            old = document_from_parts(before.parts)
        except ValueError:
            return []  # damaged
        new = document_from_parts(parts)
        return find_changes(element, old, new, self._variables_of(element, before.key))

    def _variables_of(self, element: ResolvedElement, key: str) -> dict[str, str] | None:
        """The variables of the build with KEY, None if its artifact is not there any more."""
        try:
            artifact = self._app.artifacts.load(artifact_name(element, key))
            return None if artifact is None else self._app.artifacts.variables(artifact)
        except BstError:
            return None

    def _changes_of_dependencies(self, element: ResolvedElement, before: KeyInputs) -> list[Change]:
        """Build dependencies that were not there, and those that are not there any more."""
        now = {name_in_project(child): child for child in element.build_dependencies}
        return [
            *(
                Change(Subject.DEPENDENCY, child.full_name, None, name, self._place(element, child))
                for name, child in now.items()
                if name not in before.build_dependencies
            ),
            *(
                Change(Subject.DEPENDENCY, name.partition("/")[2], name, None, None)
                for name in before.build_dependencies
                if name not in now
            ),
        ]

    @staticmethod
    def _place(element: ResolvedElement, child: ResolvedElement) -> Place | None:
        return place_of_dependency(element, child.name)

    def _because_of_dependency(self, record: ElementRecord, before: KeyInputs) -> _Finding:
        element = record.element
        is_strict = self._loaded.pipeline.is_strict or element.plugin.BST_STRICT_REBUILD
        for child in element.build_dependencies:
            then = before.build_dependencies[name_in_project(child)]
            counts = is_strict or child in element.strict_dependencies
            if counts and then != self._key_of(child):
                return _Finding(CauseKind.CHANGED, (), child, then, before.built_s)
        return self._because_of_scope(record, before)

    def _because_of_scope(self, record: ElementRecord, before: KeyInputs) -> _Finding:
        """The direct dependencies are the same: something that they need at run time is not."""
        try:
            artifact = self._app.artifacts.load(artifact_name(record.element, before.key))
        except BstError:
            artifact = None
        if artifact is None:
            return _Finding(CauseKind.UNKNOWN, built_s=before.built_s)
        then = {f"{d.project_name}/{d.element_name}": d.key for d in artifact.build_dependencies}
        scope = {name_in_project(child): child for child in build_scope(record.element)}
        for name, child in scope.items():
            if name in then and then[name] != self._key_of(child):
                return _Finding(CauseKind.CHANGED, (), child, then[name], before.built_s)
        changes = [
            *(
                Change(Subject.DEPENDENCY, child.full_name, None, name, self._place_in(scope.values(), child))
                for name, child in scope.items()
                if name not in then
            ),
            *(
                Change(Subject.DEPENDENCY, name.partition("/")[2], name, None)
                for name in then
                if name not in scope
            ),
        ]
        kind = CauseKind.CHANGED if changes else CauseKind.UNKNOWN
        return _Finding(kind, tuple(changes), built_s=before.built_s)

    @staticmethod
    def _place_in(scope: Iterable[ResolvedElement], child: ResolvedElement) -> Place | None:
        parent = next((other for other in scope if child in other.runtime_dependencies), None)
        return None if parent is None else place_of_dependency(parent, child.name)

    def _key_of(self, element: ResolvedElement) -> str | None:
        record = self._record(element)
        return record.strong_key or record.keys.strict
