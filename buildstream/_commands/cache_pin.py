"""`bst cache pin` and `unpin`: artifacts that no clean-up deletes."""

from collections.abc import Sequence

from .._act.retention import Pins
from .._exceptions import StreamError
from .._model.message import MessageType
from .app import App
from .artifacttargets import load_artifact_targets


def pin_artifacts(app: App, *, artifacts: Sequence[str], deps: str) -> None:
    """Pins the selected artifacts under their strong keys.

    Raises:
        StreamError: `artifact-not-cached`; one of them is not in the local cache. Nothing is pinned then.
    """
    targets = load_artifact_targets(app, artifacts, deps=deps)
    missing = [target.name for target in targets if target.artifact is None]
    if missing:
        raise StreamError(
            "Only what is in the cache can be pinned",
            detail="Not cached:\n" + "\n".join(f"    {name}" for name in missing) + "\nBuild it first.",
            reason="artifact-not-cached",
        )
    pins = Pins(app.paths.cache)
    for target in targets:
        pins.add(target.refs())
        app.messenger.send(MessageType.INFO, f"Pinned: {target.refs()[0]}")


def unpin_artifacts(app: App, *, artifacts: Sequence[str], deps: str) -> None:
    """Lets clean-ups delete the selected artifacts again; what is not pinned is warned of."""
    pins = Pins(app.paths.cache)
    for target in load_artifact_targets(app, artifacts, deps=deps):
        names = target.refs()
        if pins.remove(names):
            app.messenger.send(MessageType.INFO, f"Unpinned: {names[0]}")
        else:
            app.messenger.send(MessageType.WARN, f"'{names[0]}' is not pinned")
