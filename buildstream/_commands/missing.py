"""Getting what is missing for a command that is no session: the scheduler is imported only when needed."""

from collections.abc import Sequence

from .._model.message import MessageType
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord, SourceState
from .app import App


def pull_missing(app: App, pipeline: Pipeline, records: Sequence[ElementRecord]) -> None:
    """Pulls those of RECORDS that are marked to be pulled; what no remote has stays absent.

    There are messages of the jobs, but neither heading nor summary.

    Raises:
        StreamError: The disk refuses, or the user ended the command.
    """
    pending = [record for record in records if record.is_pull_pending]
    if pending:
        app.messenger.send(MessageType.INFO, "Attempting to fetch missing or incomplete artifact(s)")
        from .jobs import pull_queue, run_alone

        run_alone(app, pull_queue(app, pipeline, is_optional=True), pending)


def fetch_missing(app: App, records: Sequence[ElementRecord]) -> None:
    """Fetches those sources of RECORDS, queried before, that are not staged in the store.

    There are messages of the jobs, but neither heading nor summary.

    Raises:
        StreamError: Something could not be fetched, or the user ended the command.
    """
    missing = [record for record in records if record.source_state is not SourceState.STAGED]
    if missing:
        from .jobs import fetch_queue, run_alone

        run_alone(app, fetch_queue(app), missing)
