"""Builds of elements with a workspace that go on from the last one (keys specification 2.9)."""

from dataclasses import replace

from .._dataclass import dataclass
from .._load.elementhost import ref_of_names
from .._load.resolved import ResolvedElement, build_scope
from .._model.digest import Digest
from .._plan.artifactview import ArtifactView
from .._plan.pipeline import Pipeline
from .._store.treemerge import apply_changes
from .artifacts import ArtifactCache
from .workspacebuildtree import without_products


@dataclass(frozen=True, slots=True)
class WorkspaceStaging:
    """What is staged for a build."""

    tree: Digest
    is_incremental: bool = False
    # why the build starts afresh although there was one before; None if there was none
    obstacle: str | None = None


def stage_workspace(
    artifacts: ArtifactCache, pipeline: Pipeline, element: ResolvedElement, sources: Digest
) -> WorkspaceStaging:
    """What a build of ELEMENT, which has a workspace, starts with.

    If the last build can be gone on from, that is its build tree with the changes made to the
    sources since: these win over what the build made of them.  If not, it is the sources, without
    the build tree that the workspace may have been opened with.

    Args:
        sources: The tree of the workspace as it is now.
    """
    staging = _go_on(artifacts, pipeline, element, sources)
    if staging.is_incremental:
        return staging
    return replace(staging, tree=without_products(artifacts.cas, sources))


def _go_on(
    artifacts: ArtifactCache, pipeline: Pipeline, element: ResolvedElement, sources: Digest
) -> WorkspaceStaging:
    last_build = element.sources[0].config.get_str("last_build", "")
    if not last_build:
        return WorkspaceStaging(sources)
    artifact = artifacts.load_complete(ref_of_names(element.project_name, element.name, last_build))
    if artifact is None:
        return WorkspaceStaging(sources, obstacle="the last one is not in the cache any more")
    buildtree, old_sources = artifact.buildtree, artifact.sources
    # the first build of a workspace that was opened with a build tree finds it among the sources
    is_laid = not artifact.was_workspaced
    if not is_laid and (buildtree is None or old_sources is None):
        return WorkspaceStaging(sources, obstacle="the last one has kept no build tree")
    changed = _changed_dependency(artifact, pipeline, element)
    if changed is not None:
        return WorkspaceStaging(sources, obstacle=changed)
    if is_laid:
        return WorkspaceStaging(sources, is_incremental=True)
    assert buildtree is not None
    assert old_sources is not None
    if not (artifacts.cas.contains_tree(buildtree) and artifacts.cas.contains_tree(old_sources)):
        return WorkspaceStaging(
            sources, obstacle="the build tree of the last one is not in the cache any more"
        )
    tree = apply_changes(artifacts.cas, buildtree, old_sources, sources)
    return WorkspaceStaging(tree, is_incremental=True)


def _changed_dependency(artifact: ArtifactView, pipeline: Pipeline, element: ResolvedElement) -> str | None:
    """What is different about the build dependencies of ELEMENT since ARTIFACT was built; None if nothing."""
    before = {}
    for dependency in artifact.build_dependencies:
        name = ref_of_names(dependency.project_name, dependency.element_name, dependency.key)
        before[name] = dependency.element_name
    after = {}
    for child in build_scope(element):
        key = pipeline.record(child).strong_key or ""
        after[ref_of_names(child.project_name, child.name, key)] = child.full_name
    if list(before) == list(after):
        return None
    for name, full_name in after.items():
        if name not in before:
            return f"{full_name} has changed"
    for name, element_name in before.items():
        if name not in after:
            return f"{element_name} is needed no more"
    return "the order of its dependencies has changed"
