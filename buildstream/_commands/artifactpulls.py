"""Artifacts by their names, here after a remote was asked."""

from .._plan.artifactview import ArtifactView
from .app import App
from .missing import pull_missing
from .namedartifacts import empty_pipeline, record_of_ref


def pull_named(app: App, ref: str) -> ArtifactView | None:
    """The artifact called REF, pulled if it is not complete here; None if nobody has it.

    Raises:
        StreamError: The disk refuses, or the user ended the command.
    """
    record = record_of_ref(ref)
    app.sharing.query(record, is_strict=True)
    pull_missing(app, empty_pipeline(), [record])
    return record.artifact
