"""`bst artifact show`: which artifacts are cached, here or in a remote."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .._model.elementrow import DisplayState
from .app import App
from .artifacttargets import ArtifactTarget, load_artifact_targets
from .namedartifacts import record_of_ref

_QUESTIONS = 16  # at a time


def artifact_states(app: App, *, artifacts: Sequence[str], deps: str) -> list[tuple[str, DisplayState]]:
    """Pairs of the name to show and the state, elements first."""
    targets = load_artifact_targets(app, artifacts, deps=deps)
    loader = app.open_project()
    app.remotes.connect(
        loader.projects if loader is not None else (),
        artifacts=True,
        named={target.ref.partition("/")[0] for target in targets if target.record is None},
    )
    found = _remote_targets(app, [target for target in targets if target.artifact is None])
    return [
        (target.name, DisplayState.AVAILABLE if target in found else _state(target)) for target in targets
    ]


def _remote_targets(app: App, missing: Sequence[ArtifactTarget]) -> set[ArtifactTarget]:
    """Which of the artifacts MISSING here a remote knows; several are asked for at a time."""
    records = {target: target.record or record_of_ref(target.ref) for target in missing}
    asked = [target for target, record in records.items() if app.sharing.can_pull(record)]
    if not asked:
        return set()
    with (
        app.messenger.simple_task("Querying remotes for cached status"),
        ThreadPoolExecutor(_QUESTIONS) as threads,
    ):
        answers = threads.map(lambda target: app.sharing.find(records[target]), asked)
        return {target for target, is_known in zip(asked, answers, strict=True) if is_known}


def _state(target: ArtifactTarget) -> DisplayState:
    if target.artifact is None:
        return DisplayState.NOT_CACHED
    return DisplayState.CACHED if target.artifact.is_success else DisplayState.FAILED
