"""`bst artifact delete`: makes the local cache forget artifacts."""

from collections.abc import Sequence

from .._model.message import MessageType
from .app import App
from .artifacttargets import load_artifact_targets


def delete_artifacts(app: App, *, artifacts: Sequence[str], deps: str) -> None:
    """Removes the names of the selected artifacts; their content is removed when space is needed.

    What is not there is warned of.
    """
    targets = load_artifact_targets(app, artifacts, deps=deps)
    has_removed = False
    for ref in dict.fromkeys(ref for target in targets for ref in target.refs()):
        if app.artifacts.records.remove(ref):
            has_removed = True
            app.messenger.send(MessageType.INFO, f"Removed: {ref}")
        else:
            app.messenger.send(MessageType.WARN, f"Could not find ref '{ref}'")
    if not has_removed:
        app.messenger.send(MessageType.INFO, "No artifacts were removed")
