"""From target words to a pipeline with keys, the way every command starts."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import PipelineError, StreamError
from .._keys.elementkeys import KeyTable
from .._load.projectloader import ProjectLoader
from .._load.resolved import ResolvedElement
from .._load.targets import Targets, classify, default_targets, match_elements
from .._load.workspacesource import workspace_directory
from .._model.message import MessageType
from .._plan.pipeline import Pipeline
from .._plan.record import ArtifactState, ElementRecord

if TYPE_CHECKING:
    from .._load.project import Project
    from .app import App

_NO_PROJECT = "No project.conf or active workspace was located"
_NO_PROJECT_ADVICE = (
    "Start in the directory of a project or below it, name one with --directory, or create one with"
    " 'bst init'."
)


@dataclass(frozen=True, slots=True)
class LoadedTargets:
    """A pipeline and what was asked for."""

    pipeline: Pipeline
    targets: list[ResolvedElement]
    excepted: list[ResolvedElement]
    projects: "list[Project]" = field(default_factory=list)  # in load order


def load_elements(
    app: "App",
    words: Sequence[str],
    *,
    excepted: Sequence[str] = (),
    ignores_junctions_by_default: bool = False,
) -> LoadedTargets:
    """Loads the elements that WORDS name, or the default targets, and everything they reach.

    Args:
        excepted: Names of `--except`.
        ignores_junctions_by_default: Whether junction elements are dropped from default targets.

    Raises:
        BstError: Anything wrong in the project or with the words.
    """
    targets = classify(words, accepts_artifacts=False)
    loader = app.open_project()
    names, are_default = element_names(app, loader, targets)
    assert loader is not None, "element_names() raises without a project"
    return load_names(
        app, loader, names, excepted=excepted, drops_junctions=are_default and ignores_junctions_by_default
    )


def no_project(app: "App") -> str:
    """Why there is no project, and what to do."""
    start = app.start_directory
    if not os.path.isdir(start):
        return f"{_NO_PROJECT}\nThe directory '{start}' does not exist."
    return f"{_NO_PROJECT}\n{_NO_PROJECT_ADVICE}"


def element_names(app: "App", loader: ProjectLoader | None, targets: Targets) -> tuple[list[str], bool]:
    """The element names of TARGETS, globs resolved, and whether they are the default targets."""
    if loader is None:
        if targets.elements:
            raise StreamError(
                f"Unable to load elements: {', '.join(targets.elements)}",
                detail=no_project(app),
                reason="project-not-loaded",
            )
        if targets.element_globs:
            raise StreamError(
                "Element glob expressions were specified without any project directory: "
                + ", ".join(targets.element_globs),
                reason="glob-elements-without-project",
            )
        raise StreamError(
            "Unable to determine default targets", detail=no_project(app), reason="project-not-loaded"
        )
    project = loader.projects[0]
    names = list(targets.elements)
    for pattern, matches in match_elements(project, targets.element_globs).items():
        if not matches:
            app.messenger.send(MessageType.WARN, f"No elements matched the glob expression: {pattern}")
        names += matches
    names = list(dict.fromkeys(names))
    if names or targets.element_globs:
        return names, False
    if app.default_element:
        return [app.default_element], False
    return default_targets(project)[0], True


def load_names(
    app: "App",
    loader: ProjectLoader,
    names: Sequence[str],
    *,
    excepted: Sequence[str] = (),
    drops_junctions: bool = False,
) -> LoadedTargets:
    """Loads and resolves NAMES, and computes their keys."""
    project = loader.projects[0]
    assert project.loader is not None
    if not names and not excepted:
        nothing = Pipeline([], KeyTable([]), is_strict=app.is_strict(project))
        return LoadedTargets(nothing, [], [], loader.projects)
    with _collector_paused():
        with app.messenger.simple_task("Loading elements") as task:
            app.on_element_loaded = lambda _: task.advance()
            loaded, _ = project.loader.load([*names, *excepted])
            project.complete()
        with app.messenger.simple_task("Resolving elements") as task:
            app.on_element_resolved = task.advance
            resolved = [loader.resolver.resolve(element) for element in loaded]
            elements = loader.resolver.elements
            table = KeyTable(elements)
            pipeline = Pipeline(elements, table, is_strict=app.is_strict(project))
            app.services.pipeline = pipeline
            task.set_maximum(len(elements))
            table.compute()
            for record in pipeline.records:
                pipeline.refresh_keys(record)
    loader.check_conflicts()
    _warn_of_projects(app, loader)
    targets = resolved[: len(names)]
    if drops_junctions:
        targets = [element for element in targets if element.kind != "junction"]
    return LoadedTargets(pipeline, targets, resolved[len(names) :], loader.projects)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile, and none of what was made: it lives as long as the command."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _warn_of_projects(app: "App", loader: ProjectLoader) -> None:
    for project in loader.projects:
        for text in project.warnings:
            app.messenger.send(MessageType.WARN, text)
        if project.redundant_refs:
            app.messenger.send(
                MessageType.WARN,
                "Ignoring redundant source references",
                detail="\n".join(project.redundant_refs),
            )


def check_resolved(elements: Sequence[ResolvedElement]) -> None:
    """Checks that every source of ELEMENTS has a ref, and every workspace a directory.

    Raises:
        PipelineError: `inconsistent-pipeline`, or `inconsistent-pipeline-workspaced` if it is
            just for lack of directories; lists what is missing.
    """
    lines = []
    vanished = []
    for element in elements:
        missing = [source for source in element.sources if not source.plugin.is_resolved()]
        if not missing:
            continue
        directory = workspace_directory(element)
        if directory is not None:
            vanished.append(f"  Element: {element.full_name} has its workspace at {directory}")
            continue
        lines += [f"  Element: {element.full_name} is inconsistent"]
        lines += [f"    {source.plugin} is missing ref" for source in missing]
    if lines:
        lines += ["", "Try tracking these elements first with `bst source track`"]
        raise PipelineError(
            "Inconsistent pipeline",
            detail="Exact versions are missing for the following elements:\n\n" + "\n".join(lines),
            reason="inconsistent-pipeline",
        )
    if vanished:
        advice = "Try closing these workspaces first with `bst workspace close`"
        raise PipelineError(
            "Inconsistent pipeline",
            detail="The directories of these workspaces do not exist any more:\n\n"
            + "\n".join([*vanished, "", advice]),
            reason="inconsistent-pipeline-workspaced",
        )


def query(
    app: "App",
    loaded: LoadedTargets,
    elements: Sequence[ResolvedElement],
    *,
    with_sources: bool = True,
    with_remotes: bool = False,
    on_failed: Callable[[ElementRecord], None] | None = None,
) -> None:
    """Finds out what the local cache has for ELEMENTS, dependencies first.

    Args:
        with_sources: Whether sources are looked for too.
        with_remotes: Whether what is not there is marked as to be pulled where there are remotes.
        on_failed: Told of each cached failure.
    """
    pipeline = loaded.pipeline
    with app.messenger.simple_task("Query cache") as task:
        task.set_maximum(len(elements))
        for element in elements:
            record = pipeline.record(element)
            if with_remotes:
                app.sharing.query(record, is_strict=pipeline.is_strict)
            else:
                app.artifacts.query(record, is_strict=pipeline.is_strict)
            if on_failed is not None and record.artifact_state is ArtifactState.FAILED:
                on_failed(record)
            if record.artifact is None and not record.is_pull_pending:
                # what it would be built as, if all dependencies are known
                pipeline.update_strong_key(record)
            if with_sources and not record.is_cached:
                app.sources.query(record)
            task.advance()


def query_sources(app: "App", loaded: LoadedTargets, elements: Sequence[ResolvedElement]) -> None:
    """Finds out which sources of ELEMENTS the local cache has."""
    with app.messenger.simple_task("Query cache") as task:
        task.set_maximum(len(elements))
        for element in elements:
            app.sources.query(loaded.pipeline.record(element))
            task.advance()
