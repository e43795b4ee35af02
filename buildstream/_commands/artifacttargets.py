"""Targets of the artifact commands: elements, artifact names, and globs of either."""

from collections.abc import Callable, Iterator, Sequence

from .._dataclass import dataclass
from .._exceptions import StreamError
from .._load.elementhost import artifact_name, ref_of_names
from .._load.resolved import ResolvedElement
from .._load.targets import classify
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import UNKNOWN_KEY, ElementRecord
from .._plan.selection import select
from .._utils_glob import glob
from .app import App
from .loading import LoadedTargets, element_names, load_names, query


@dataclass(frozen=True, slots=True, eq=False)
class ArtifactTarget:
    """One artifact that a command is about."""

    name: str  # as it is shown: the full name of an element, or the name of the artifact
    ref: str  # <project>/<normal name>/<key>
    artifact: ArtifactView | None  # None if it is not cached
    record: ElementRecord | None  # None if it was given by its own name

    def refs(self) -> tuple[str, ...]:
        """The names that the artifact is, or would be, stored under: by its strong and its weak key."""
        if self.record is not None:
            keys = (self.record.strong_key, self.record.keys.weak)
        elif self.artifact is not None:
            keys = (self.artifact.strong_key, self.artifact.weak_key)
        else:
            return (self.ref,)
        prefix = self.ref.rpartition("/")[0]
        return tuple(dict.fromkeys(f"{prefix}/{key}" for key in keys if key))


@dataclass(frozen=True, slots=True)
class FoundTargets:
    """What the words of an artifact command stand for."""

    loaded: LoadedTargets | None  # None if no element is meant
    elements: list[ResolvedElement]  # selected
    refs: list[str]  # names of artifacts, each once


def load_artifact_targets(app: App, words: Sequence[str], *, deps: str = "none") -> list[ArtifactTarget]:
    """What `--deps DEPS` selects for the artifacts that WORDS name, elements first.

    Raises:
        StreamError: `deps-not-supported`: artifacts record their build dependencies only.
    """
    found = find_targets(app, words, deps=deps)
    elements = _element_targets(app, found)
    return [*elements, *_artifact_targets(app, found.refs)]


def find_targets(
    app: App,
    words: Sequence[str],
    *,
    deps: str,
    obtain: Callable[[str], object] = lambda _: None,
) -> FoundTargets:
    """What `--deps DEPS` selects for WORDS, nothing of it looked up yet.

    Args:
        app: The invocation.
        words: Elements, artifacts and globs of either; nothing for the element of the workspace.
        deps: none, build, run or all.
        obtain: Called with the names of artifacts whose dependencies are asked for, to get them here.

    Raises:
        StreamError: `deps-not-supported`: artifacts record their build dependencies only.
    """
    targets = classify(words, accepts_artifacts=True)
    refs = list(dict.fromkeys([*targets.artifacts, *_match_refs(app, targets.artifact_globs)]))
    loaded = None
    if targets.elements or targets.element_globs or not words:
        loader = app.open_project()
        names, are_default = element_names(app, loader, targets)
        assert loader is not None, "element_names() complains where there is no project"
        loaded = load_names(app, loader, [] if are_default else names)
    if refs and deps in ("run", "all"):
        raise StreamError(
            f"Error: '--deps {deps}' is not supported for artifact names", reason="deps-not-supported"
        )
    if refs:
        with app.messenger.simple_task("Loading artifacts"):
            if deps == "build":
                for ref in refs:
                    obtain(ref)
                refs = _build_dependencies(app, refs)
    return FoundTargets(loaded, select(loaded.targets, deps) if loaded is not None else [], refs)


def _element_targets(app: App, found: FoundTargets) -> list[ArtifactTarget]:
    loaded = found.loaded
    if loaded is None:
        # everything is known already, but people expect to see that the cache was asked
        with app.messenger.simple_task("Query cache"):
            return []
    query(app, loaded, found.elements, with_sources=False)
    targets = []
    for element in found.elements:
        record = loaded.pipeline.record(element)
        ref = artifact_name(element, record.strong_key or UNKNOWN_KEY)
        targets.append(ArtifactTarget(element.full_name, ref, record.artifact, record))
    return targets


def _artifact_targets(app: App, refs: Sequence[str]) -> Iterator[ArtifactTarget]:
    for ref in refs:
        yield ArtifactTarget(ref, ref, app.artifacts.load_complete(ref), None)


def _build_dependencies(app: App, refs: Sequence[str]) -> list[str]:
    """Names of the artifacts that REFS were built with, as far as REFS are cached."""
    artifacts = map(app.artifacts.load_complete, refs)
    return list(
        dict.fromkeys(
            ref_of_names(dependency.project_name, dependency.element_name, dependency.key)
            for artifact in artifacts
            if artifact is not None
            for dependency in artifact.build_dependencies
        )
    )


def _match_refs(app: App, patterns: Sequence[str]) -> list[str]:
    """The local artifacts that match, sorted; an artifact that has several names once, by its strong name."""
    matches: set[str] = set()
    names = app.artifacts.records.names() if patterns else []
    for pattern in patterns:
        found = list(glob(names, pattern))
        if not found:
            app.messenger.send(MessageType.WARN, f"No artifact names matched the glob expression: {pattern}")
        for name in found:
            artifact = app.artifacts.load(name)
            if artifact is not None:
                name = f"{name.rpartition('/')[0]}/{artifact.strong_key}"
            matches.add(name)
    return sorted(matches)
