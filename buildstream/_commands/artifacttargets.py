"""Targets of the artifact commands: elements, artifact names, and globs of either."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._exceptions import StreamError
from .._load.elementhost import artifact_name, ref_of_names
from .._load.targets import classify
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import UNKNOWN_KEY, ElementRecord
from .._plan.selection import select
from .._utils_glob import glob
from .app import App
from .loading import LoadedTargets, element_names, load_names, query


@dataclass(frozen=True, slots=True)
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


def load_artifact_targets(app: App, words: Sequence[str], *, deps: str = "none") -> list[ArtifactTarget]:
    """What `--deps DEPS` selects for the artifacts that WORDS name, elements first.

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
    if refs:
        with app.messenger.simple_task("Loading artifacts"):
            artifacts = list(_artifact_targets(app, refs))
        if deps in ("run", "all"):
            raise StreamError(
                f"Error: '--deps {deps}' is not supported for artifact names", reason="deps-not-supported"
            )
        if deps == "build":
            artifacts = list(_build_dependencies(app, artifacts))
    else:
        artifacts = []
    return [*_element_targets(app, loaded, deps), *artifacts]


def _element_targets(app: App, loaded: LoadedTargets | None, deps: str) -> list[ArtifactTarget]:
    if loaded is None:
        # everything is known already, but people expect to see that the cache was asked
        with app.messenger.simple_task("Query cache"):
            return []
    selected = select(loaded.targets, deps)
    query(app, loaded, selected, with_sources=False)
    targets = []
    for element in selected:
        record = loaded.pipeline.record(element)
        ref = artifact_name(element, record.strong_key or UNKNOWN_KEY)
        targets.append(ArtifactTarget(element.full_name, ref, record.artifact, record))
    return targets


def _artifact_targets(app: App, refs: Sequence[str]) -> Iterator[ArtifactTarget]:
    for ref in refs:
        yield ArtifactTarget(ref, ref, app.artifacts.load_complete(ref), None)


def _build_dependencies(app: App, targets: Sequence[ArtifactTarget]) -> Iterator[ArtifactTarget]:
    """The artifacts that TARGETS were built with, as far as TARGETS are cached."""
    refs = {
        ref_of_names(dependency.project_name, dependency.element_name, dependency.key): None
        for target in targets
        if target.artifact is not None
        for dependency in target.artifact.build_dependencies
    }
    return _artifact_targets(app, list(refs))


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
