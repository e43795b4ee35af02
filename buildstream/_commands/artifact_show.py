"""`bst artifact show`: which artifacts are cached."""

from collections.abc import Sequence

from .._model.elementrow import DisplayState
from .app import App
from .artifacttargets import ArtifactTarget, load_artifact_targets


def artifact_states(app: App, *, artifacts: Sequence[str], deps: str) -> list[tuple[str, DisplayState]]:
    """Pairs of the name to show and the state, elements first."""
    targets = load_artifact_targets(app, artifacts, deps=deps)
    return [(target.name, _state(target)) for target in targets]


def _state(target: ArtifactTarget) -> DisplayState:
    if target.artifact is None:
        return DisplayState.NOT_CACHED
    return DisplayState.CACHED if target.artifact.is_success else DisplayState.FAILED
