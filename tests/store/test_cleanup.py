"""Cleaning up a store that nothing refers to."""

import os
from pathlib import Path

from buildstream._store.cas import Cas
from buildstream._store.usage import StoreLimits

COUNT = 60


def filled(tmp_path: Path) -> Cas:
    """A store with COUNT objects that were last used long ago."""
    limits = StoreLimits(quota_bytes=1_000_000)
    cas = Cas(str(tmp_path / "cas"), durable=False, limits=limits)
    for number in range(COUNT):
        path = cas.object_path(cas.add_bytes(b"%d " % number * 10))
        os.utime(path, ns=(0, os.stat(path).st_mtime_ns))
    cas.close()
    return Cas(cas.directory, durable=False, limits=limits)


def object_count(cas: Cas) -> int:
    return sum(1 for path in Path(cas.directory, "objects").rglob("*") if path.is_file())


def test_everything_goes(tmp_path: Path) -> None:
    cas = filled(tmp_path)
    report = cas.cleaner([]).run(0)
    assert (report.deleted_objects, object_count(cas), cas.usage.used_bytes) == (COUNT, 0, 0)


def test_stops_when_it_should_and_goes_on_the_next_time(tmp_path: Path) -> None:
    cas = filled(tmp_path)
    before = cas.usage.used_bytes
    questions = iter(range(100))
    report = cas.cleaner([], should_stop=lambda: next(questions) == 20).run(0)
    assert 0 < report.deleted_objects < COUNT
    assert object_count(cas) == COUNT - report.deleted_objects
    assert cas.usage.used_bytes == before - report.deleted_bytes
    cas.cleaner([]).run(0)
    assert object_count(cas) == 0
