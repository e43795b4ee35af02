"""What a session is going to do for an element, with the reason as a sentence."""

from .._model.events import Decision
from .record import ArtifactState, ElementRecord, SourceState


def decide(record: ElementRecord) -> tuple[Decision, str]:
    """The decision for RECORD as things stand, and why; its caches have been asked."""
    if record.artifact_state is ArtifactState.CACHED:
        return Decision.CACHED, "its artifact is in the local cache"
    if not record.is_required:
        return Decision.NOT_NEEDED, "nothing that is wanted has to be built with it"
    if record.is_pull_pending:
        return Decision.UNDECIDED, "remotes are asked for its artifact first"
    if record.artifact_state is ArtifactState.FAILED:
        return Decision.FAILED, "the failure of its build is cached; --retry-failed builds it again"
    if record.keys.weak is None:
        return Decision.UNDECIDED, "a source has no ref, so that there is no key"
    if record.artifact_state is ArtifactState.UNKNOWN:
        return Decision.UNDECIDED, "its key is not known before its dependencies are built"
    return Decision.BUILD, "no artifact with its key is in the local cache"


def needs_fetch(record: ElementRecord) -> bool:
    """Whether sources have to be fetched before the element of RECORD can be built."""
    return record.source_state is SourceState.MISSING
