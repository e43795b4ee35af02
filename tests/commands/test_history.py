"""Durations of past jobs: a file a project, which many processes may write."""

import json
import multiprocessing
from pathlib import Path

import pytest

from buildstream._act import history as module
from buildstream._act.history import HISTORY_VERSION, DurationHistory
from tests.testutils.space import TestSpace


def test_builds_are_remembered(project: TestSpace) -> None:
    project.bst("--on-error", "continue", "build", "good.bst", "broken.bst", expect=255)
    history = DurationHistory(str(project.cache_directory / "history"))
    timing = history.find("test", "hello.bst", "Build")
    assert timing is not None
    assert timing.samples == 1
    assert 0 < timing.expected_s < 60
    # how long a failure takes says nothing
    assert history.find("test", "broken.bst", "Build") is None


def test_newest_time_counts_most(tmp_path: Path) -> None:
    for elapsed_s in (10.0, 20.0, 20.0):
        history = DurationHistory(str(tmp_path))
        history.add("p", "a.bst", "Build", elapsed_s)
        history.save(100.0)
    timing = DurationHistory(str(tmp_path)).find("p", "a.bst", "build")
    assert timing is not None
    assert timing.samples == 3
    assert 18 < timing.expected_s < 20


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 0}', '{"version": 1, "elements": {"a": 1}}'])
def test_damaged_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    history = DurationHistory(str(tmp_path))
    assert history.find("p", "a.bst", "build") is None
    history.add("p", "a.bst", "Build", 1.0)
    history.save(1.0)
    assert DurationHistory(str(tmp_path)).find("p", "a.bst", "build") is not None


def test_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    text = json.dumps({"version": HISTORY_VERSION + 1, "something": "else"})
    (tmp_path / "p.json").write_text(text)
    history = DurationHistory(str(tmp_path))
    assert history.find("p", "a.bst", "build") is None
    history.add("p", "a.bst", "Build", 1.0)
    history.save(1.0)
    assert (tmp_path / "p.json").read_text() == text


def test_file_is_bounded(tmp_path: Path) -> None:
    history = DurationHistory(str(tmp_path))
    for number in range(module.MOST_ELEMENTS):
        history.add("p", f"{number}.bst", "Build", 1.0)
    history.save(1.0)
    history.add("p", "new.bst", "Build", 1.0)
    history.save(2.0)
    content = json.loads((tmp_path / "p.json").read_text())
    assert len(content["elements"]) == module.MOST_ELEMENTS
    assert "new.bst" in content["elements"]


def _add_many(directory: str, worker: int) -> None:
    for number in range(20):
        history = DurationHistory(directory)
        history.add("p", f"{worker}-{number}.bst", "Build", 1.0)
        history.save(1.0)


def test_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(str(tmp_path), worker)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(json.loads((tmp_path / "p.json").read_text())["elements"]) == 60


def test_longest_path_starts_first(space: TestSpace) -> None:
    space.project()
    names = ("a", "b", "c", "d")
    for name in names:
        space.write(f"files/{name}", name)
        space.element(f"{name}.bst", f"kind: import\nsources:\n- kind: local\n  path: files/{name}\n")
    space.element("all.bst", "kind: stack\ndepends: [a.bst, b.bst, c.bst, d.bst]\n")
    history = DurationHistory(str(space.cache_directory / "history"))
    for name, elapsed_s in (("a", 1.0), ("b", 7.0), ("d", 9.0)):
        history.add("test", f"{name}.bst", "Build", elapsed_s)
    history.save(1.0)
    log = space.directory / "events.jsonl"
    space.bst("--event-log", str(log), "--fetchers", "1", "build", "all.bst")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    fetched = [e["element"] for e in events if e["event"] == "job-started" and e["action"] == "Fetch"]
    # c was never built: it counts as one of a middling time, as b
    assert fetched == ["d.bst", "b.bst", "c.bst", "a.bst", "all.bst"]
