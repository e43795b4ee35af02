"""`bst source push`: gives the sources of elements to remote source caches."""

from collections.abc import Sequence

from .._exceptions import StreamError
from .._plan.selection import except_elements, select
from .app import App
from .jobs import fetch_queue, source_push_queue
from .loading import check_resolved, load_elements, query_sources
from .session import Session, announced


def push(app: App, *, elements: Sequence[str], excepted: Sequence[str], deps: str) -> None:
    """Pushes the sources of the selected elements, after those that are not here have been fetched.

    Raises:
        StreamError: There is no remote to push to, or something failed.
    """
    with announced(app, "Push") as started_s:
        loaded = load_elements(app, elements, excepted=excepted)
        selected = select(loaded.targets, deps)
        selected = except_elements(loaded.targets, selected, loaded.excepted)
        app.connect(loaded.projects, sources=True)
        app.cas.verify_on_use()  # what is sent is read
        app.sources.look_ahead(map(loaded.pipeline.record, selected))
        app.source_sharing.look_ahead(selected)
        query_sources(app, loaded, selected)
        if not any(map(app.source_sharing.can_push, selected)):
            raise StreamError(
                "No source caches available for pushing sources",
                detail="Name one that allows to push with --source-remote, below 'source-caches' in the user"
                " configuration or in project.conf.",
            )
        check_resolved(selected)
    queues = [fetch_queue(app), source_push_queue(app, is_optional=False)]
    queues[1].is_imperative = True
    session = Session("Push", app, loaded, queues, selected, started_s)
    session.run([loaded.pipeline.record(element) for element in selected])
