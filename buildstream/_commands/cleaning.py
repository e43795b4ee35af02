"""Keeping the cache within its limits while commands run."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event
from typing import TYPE_CHECKING

from .._background import in_background
from .._exceptions import BstError
from .._model.message import MessageType
from .._model.session import CacheUsage
from .app import App

if TYPE_CHECKING:
    from .._config import DiskShare
    from .._store.cleanup import Cleaner, CleanupReport
    from .._store.records import Records
    from .._store.usage import StoreLimits

_INTERVAL_S = 5.0  # as the reference refreshes what it knows
_FUTILE_INTERVAL_S = 60.0  # after a clean-up that could not do what it should


def store_limits(app: App) -> "StoreLimits":
    """The limits that the user has set, in bytes."""
    from .._store.usage import StoreLimits

    settings = app.settings
    quota = settings.quota
    return StoreLimits(
        quota_bytes=None if quota is None else _bytes_of(quota, app.paths.cas),
        reserved_bytes=_bytes_of(settings.reserved_disk_space, app.paths.cas),
        low_watermark=settings.low_watermark_percent / 100,
    )


def _bytes_of(share: "DiskShare", directory: str) -> int:
    """SHARE in bytes, of the volume that holds DIRECTORY or the nearest of its parents that exists."""
    if share.percent is None:
        return share.size_bytes or 0
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    status = os.statvfs(directory)
    return int(status.f_blocks * status.f_frsize * share.percent / 100)


def source_record_sets(app: App) -> "Sequence[Records]":
    """The records of sources."""
    from .._store.records import element_source_records, source_records

    return [
        element_source_records(app.paths.cache, protecting=app.cas.protecting),
        source_records(app.paths.cache, protecting=app.cas.protecting),
    ]


def make_cleaner(app: App, should_stop: Callable[[], bool] = lambda: False) -> "Cleaner":
    """What cleans up the cache until it should stop; knows what is pinned or needed by workspaces now."""
    from .._act.retention import record_sets

    return app.cas.cleaner(
        record_sets(app.artifacts, source_record_sets(app), cache_directory=app.paths.cache), should_stop
    )


def make_room(app: App, keep_bytes: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Deletes what was not used for the longest time, until KEEP_BYTES are left, and says so."""
    report = make_cleaner(app, should_stop).run(keep_bytes)
    if report.deleted_bytes:
        app.messenger.send(MessageType.INFO, "Cleaned up the cache", detail=describe(report))


def describe(report: "CleanupReport") -> str:
    """What a clean-up did, for a message."""
    artifacts = sum(1 for candidate in report.dropped if candidate.kind == "artifact")
    return (
        f"Deleted {report.deleted_bytes:,} bytes in {report.deleted_objects:,} objects"
        f" and {artifacts} names of artifacts; the cache takes {report.used_bytes:,} bytes now."
    )


def cleaning_in_background(app: App) -> AbstractContextManager[None]:
    """The block in which a thread cleans up whenever the cache comes near its limits.

    At the end, a clean-up that has begun stops within a moment; the next one goes on.
    """

    def watch(ended: Event) -> None:
        while not ended.is_set():
            has_helped = tidy(app, ended.is_set)
            ended.wait(_INTERVAL_S if has_helped else _FUTILE_INTERVAL_S)

    return nullcontext() if app.cas.usage.is_unlimited else in_background("clean-up", watch)


def tidy(app: App, should_stop: Callable[[], bool] = lambda: False) -> bool:
    """Cleans up if it is time, until it should stop; a failure is told and ends nothing.

    Returns:
        Whether all is well then.
    """
    usage = app.cas.usage
    try:
        usage.synchronize()
        if usage.needs_cleanup():
            make_room(app, usage.low_bytes(), should_stop)
        return not usage.needs_cleanup()
    except (BstError, OSError) as error:
        app.messenger.send(MessageType.WARN, "Failed to clean up the cache", detail=str(error))
        return False


def cache_usage(app: App) -> CacheUsage:
    """What the cache takes, and may take."""
    usage = app.cas.usage
    return CacheUsage(usage.used_bytes, usage.effective_quota_bytes)
