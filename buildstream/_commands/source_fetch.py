"""`bst source fetch`: makes the sources of elements present in the local cache."""

from collections.abc import Sequence

from .._model.message import MessageType
from .._plan.selection import except_elements, select
from .._schedule.queue import Queue, Token
from .._schedule.works import FetchWork
from .app import App
from .loading import check_resolved, load_elements
from .session import Session


def fetch(app: App, *, elements: Sequence[str], excepted: Sequence[str], deps: str) -> None:
    """Fetches the sources of the selected elements and stages them into the store.

    Raises:
        StreamError: Something failed.
    """
    started_s = app.messenger.now_s()
    app.messenger.send(MessageType.START, "Fetch")
    loaded = load_elements(app, elements, excepted=excepted)
    selected = select(loaded.targets, deps)
    selected = except_elements(loaded.targets, selected, loaded.excepted)
    check_resolved(selected)
    with app.messenger.simple_task("Query cache") as task:
        task.set_maximum(len(selected))
        for element in selected:
            app.sources.query(loaded.pipeline.record(element))
            task.advance()
    work = FetchWork(app.sources, skips_cached=False)
    queues = [Queue("Fetch", "Sources Fetched", Token.DOWNLOAD, work, has_retries=True)]
    session = Session("Fetch", app, loaded, queues, selected, started_s)
    session.run([loaded.pipeline.record(element) for element in selected])
