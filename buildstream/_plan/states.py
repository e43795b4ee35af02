"""What may be done with an element, and why: one decision for show, headings and the scheduler."""

from typing import TYPE_CHECKING

from .._model.elementrow import DisplayState
from .record import ArtifactState, ElementRecord, SourceState

if TYPE_CHECKING:
    from .pipeline import Pipeline


def display_state(record: ElementRecord, pipeline: "Pipeline") -> DisplayState:
    """The state of RECORD; the first condition that holds decides (command specification 2.3)."""
    if record.keys.sources is None:
        return DisplayState.NO_REFERENCE
    if record.element.kind == "junction":
        return DisplayState.JUNCTION
    if record.artifact_state is ArtifactState.UNKNOWN:
        return DisplayState.WAITING
    if record.artifact_state is ArtifactState.FAILED:
        return DisplayState.FAILED
    if record.artifact_state is ArtifactState.CACHED:
        return DisplayState.CACHED
    if record.source_state is SourceState.UNKNOWN:
        return DisplayState.WAITING
    if record.source_state is SourceState.MISSING:
        return DisplayState.FETCH_NEEDED
    if is_buildable(record, pipeline):
        return DisplayState.BUILDABLE
    return DisplayState.WAITING


def is_buildable(record: ElementRecord, pipeline: "Pipeline") -> bool:
    """Whether the element could be built now: required, nowhere cached, sources there, dependencies ready."""
    return (
        record.is_required
        and not record.is_pull_pending
        and record.artifact_state in (ArtifactState.MISSING, ArtifactState.FAILED)
        and record.source_state in (SourceState.STAGED, SourceState.FETCHED)
        and all(pipeline.is_ready(pipeline.record(child)) for child in record.element.build_dependencies)
    )
