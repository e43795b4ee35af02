"""Targets of the artifact commands: elements, artifact names, and globs of either."""

from collections.abc import Sequence
from dataclasses import dataclass

from .._load.elementhost import artifact_name
from .._load.targets import classify
from .._model.message import MessageType
from .._plan.artifactview import ArtifactView
from .._plan.record import ElementRecord
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


def load_artifact_targets(
    app: App, words: Sequence[str], *, deps: str = "none"
) -> tuple[list[ArtifactTarget], LoadedTargets | None]:
    """The artifacts that WORDS name, elements first, and the pipeline of the elements if there are any."""
    targets = classify(words, accepts_artifacts=True)
    loaded = None
    found: list[ArtifactTarget] = []
    if targets.elements or targets.element_globs or not words:
        loader = app.open_project()
        names, are_default = element_names(app, loader, targets)
        assert loader is not None
        if are_default:
            names = []  # the artifact commands have no default targets
        loaded = load_names(app, loader, names)
        selected = select(loaded.targets, deps)
        query(app, loaded, selected, with_sources=False)
        for element in selected:
            record = loaded.pipeline.record(element)
            ref = artifact_name(element, record.strong_key or "?" * 64)
            found.append(ArtifactTarget(element.full_name, ref, record.artifact, record))
    refs = [*targets.artifacts, *_match_refs(app, targets.artifact_globs)]
    for ref in dict.fromkeys(refs):
        found.append(ArtifactTarget(ref, ref, app.artifacts.load_complete(ref), None))
    return found, loaded


def _match_refs(app: App, patterns: Sequence[str]) -> list[str]:
    """The local artifacts that match, an artifact that has several names once, by its strong name."""
    matches: list[str] = []
    if not patterns:
        return matches
    names = app.artifacts.records.names()
    for pattern in patterns:
        found = list(glob(names, pattern))
        if not found:
            app.messenger.send(
                MessageType.WARN, f"No artifact names matched the glob expression: {pattern}"
            )
        for name in found:
            artifact = app.artifacts.load(name)
            if artifact is not None:
                name = f"{name.rpartition('/')[0]}/{artifact.strong_key}"
            matches.append(name)
    return matches
