"""`bst artifact pull` and `bst artifact push`: exchange artifacts with remote caches."""

from collections.abc import Sequence
from functools import partial

from .._exceptions import StreamError
from .._load.resolved import ResolvedElement
from .._plan.record import ElementRecord
from .app import App
from .artifactpulls import pull_named
from .artifacttargets import FoundTargets, find_targets
from .jobs import pull_queue, push_queue
from .loading import LoadedTargets, check_resolved, query
from .namedartifacts import empty_pipeline, record_of_ref
from .session import Session, announced, warn_of_storage_service

NO_CACHE_ADVICE = (
    "Name one with --artifact-remote, below 'artifacts' in the user configuration or in project.conf."
)


def pull(app: App, *, artifacts: Sequence[str], deps: str) -> None:
    """Downloads the selected artifacts that are not complete here.

    Raises:
        StreamError: There is no remote to pull from, or something failed.
    """
    with announced(app, "Pull") as started_s:
        warn_of_storage_service(app, "pulled artifacts")
        found = find_targets(app, artifacts, deps=deps, obtain=partial(pull_named, app))
        records = _connected_records(app, found)
        if not any(map(app.sharing.can_pull, records)):
            raise StreamError("No artifact caches available for pulling artifacts", detail=NO_CACHE_ADVICE)
        _query(app, found, records)
    loaded = found.loaded or LoadedTargets(empty_pipeline(), [], [])
    queues = [pull_queue(app, loaded.pipeline, is_optional=False)]
    session = Session("Pull", app, loaded, queues, _order(records), started_s, named=found.refs)
    session.run(records)


def push(app: App, *, artifacts: Sequence[str], deps: str) -> None:
    """Uploads the selected artifacts, after those that are not complete here have been pulled.

    Raises:
        StreamError: There is no remote to push to, or something failed.
    """
    with announced(app, "Push") as started_s:
        found = find_targets(app, artifacts, deps=deps, obtain=partial(pull_named, app))
        records = _connected_records(app, found)
        if not any(map(app.sharing.can_push, records)):
            raise StreamError(
                "No artifact caches available for pushing artifacts",
                detail=f"{NO_CACHE_ADVICE} It must allow to push.",
            )
        app.cas.verify_on_use()  # what is sent is read
        app.sharing.look_ahead(records)
        _query(app, found, records)
    loaded = found.loaded or LoadedTargets(empty_pipeline(), [], [])
    queues = [pull_queue(app, loaded.pipeline, is_optional=True), push_queue(app, is_optional=False)]
    queues[1].is_imperative = True
    session = Session("Push", app, loaded, queues, _order(records), started_s, named=found.refs)
    session.run(records)


def _connected_records(app: App, found: FoundTargets) -> list[ElementRecord]:
    """The records of what was found, once the remotes that they may need are connected."""
    loaded = found.loaded
    app.remotes.connect(
        loaded.projects if loaded is not None else (),
        artifacts=True,
        named={ref.partition("/")[0] for ref in found.refs},
    )
    records = [loaded.pipeline.record(element) for element in found.elements] if loaded is not None else []
    return [*records, *map(record_of_ref, found.refs)]


def _query(app: App, found: FoundTargets, records: Sequence[ElementRecord]) -> None:
    loaded = found.loaded
    if loaded is not None:
        check_resolved(found.elements)
        query(app, loaded, found.elements, with_sources=False, with_remotes=True)
    for record in records[len(found.elements) :]:
        app.sharing.query(record, is_strict=True)


def _order(records: Sequence[ElementRecord]) -> list[ResolvedElement]:
    return [record.element for record in records]
