"""Event logs are complete up to what happened last."""

import json
from pathlib import Path

from buildstream._model.events import JobQueued, JobStarted
from buildstream._ui.eventlog import EventLog


def lines(path: Path) -> list[tuple[str, str]]:
    events = map(json.loads, path.read_text().splitlines())
    return [(event["event"], event.get("element", "")) for event in events]


def test_what_is_planned_comes_with_what_happens(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(str(path), lambda: 1.0)
    assert lines(path) == [("log-started", "")]
    log.handle(JobQueued(1.0, "a.bst", "Build"))
    log.handle(JobQueued(1.0, "b.bst", "Build"))
    log.handle(JobStarted(2.0, "a.bst", "Build", attempt=1, waited_s=1.0, log="/log"))
    jobs = [("job-queued", "a.bst"), ("job-queued", "b.bst"), ("job-started", "a.bst")]
    assert lines(path) == [("log-started", ""), *jobs]


def test_no_more_than_a_thousand_events_wait(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(str(path), lambda: 1.0)
    for number in range(1500):
        log.handle(JobQueued(1.0, f"{number}.bst", "Build"))
    assert lines(path)[1:] == [("job-queued", f"{number}.bst") for number in range(1000)]
