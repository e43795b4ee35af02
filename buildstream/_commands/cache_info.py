"""`bst cache info`: what the local cache takes, and for what."""

import os
import time

from .._act.retention import Pins
from .._model.cachestate import CacheInfo, Share
from .app import App
from .cleaning import make_cleaner

_DAY_S = 24 * 3600
_AGES = (("today", 1), ("this week", 7), ("this month", 30), ("this year", 365))  # label, days
_OLDER = "older"


def cache_info(app: App) -> CacheInfo:
    """Looks at all records and trees of the local cache."""
    from .._store.accounting import accounts
    from .._store.layout import TreeForm
    from .._store.usage import measure_objects

    usage = app.cas.usage
    with app.messenger.simple_task("Measuring the cache"):
        usage.set(measure_objects(os.path.join(app.paths.cas, "objects")))
        info = CacheInfo(
            app.paths.cache,
            usage.used_bytes,
            usage.effective_quota_bytes,
            usage.free_bytes,
            quarantined=_count(app.cas.quarantine_directory),
            trees=sum(_count(os.path.join(app.paths.cache, form.value)) for form in TreeForm),
            by_age={label: Share() for label in (*(label for label, _ in _AGES), _OLDER)},
            pins=Pins(app.paths.cache).names(),
        )
        seen: set[tuple[int, str]] = set()  # an artifact has two names: time of use and element
        counted_bytes = 0
        now_ns = time.time_ns()
        for account in accounts(make_cleaner(app)):
            candidate = account.candidate
            size_bytes = sum(account.size_by_part.values())
            counted_bytes += size_bytes
            is_artifact = candidate.kind == "artifact"
            owner = candidate.name.rpartition("/")[0] if is_artifact else ""
            is_second_name = is_artifact and (candidate.used_ns, owner) in seen
            seen.add((candidate.used_ns, owner))
            for part, part_bytes in account.size_by_part.items():
                _share(info.by_kind, part).add(part_bytes, records=0 if is_second_name else 1)
            age = _age_of((now_ns - candidate.used_ns) / 1e9)
            info.by_age[age].add(size_bytes, records=0 if is_second_name else 1)
            if is_artifact:
                info.artifacts += 0 if is_second_name else 1
                project = owner.partition("/")[0]
                for group, name in ((info.by_project, project), (info.by_element, owner)):
                    _share(group, name).add(size_bytes, records=0 if is_second_name else 1)
        info.unused_bytes = max(info.used_bytes - counted_bytes, 0)
    return info


def _share(group: dict[str, Share], name: str) -> Share:
    return group.setdefault(name, Share())


def _age_of(age_s: float) -> str:
    return next((label for label, days in _AGES if age_s < days * _DAY_S), _OLDER)


def _count(directory: str) -> int:
    try:
        return len(os.listdir(directory))
    except FileNotFoundError:
        return 0
