"""`bst source fetch`: makes the sources of elements present in the local cache."""

from collections.abc import Sequence

from .._plan.selection import except_elements, select
from .app import App
from .jobs import fetch_queue
from .loading import check_resolved, load_elements, query_sources
from .session import Session, announced, warn_of_storage_service


def fetch(app: App, *, elements: Sequence[str], excepted: Sequence[str], deps: str) -> None:
    """Fetches the sources of the selected elements and stages them into the store.

    Raises:
        StreamError: Something failed.
    """
    with announced(app, "Fetch") as started_s:
        warn_of_storage_service(app, "fetched sources")
        loaded = load_elements(app, elements, excepted=excepted)
        selected = select(loaded.targets, deps)
        selected = except_elements(loaded.targets, selected, loaded.excepted)
        app.connect(loaded.projects, sources=True)
        query_sources(app, loaded, selected)
        check_resolved(selected)
    session = Session("Fetch", app, loaded, [fetch_queue(app)], selected, started_s)
    session.run([loaded.pipeline.record(element) for element in selected])
