"""What `bst plan` foretells is what `bst build` then does."""

import json
import shutil
from pathlib import Path
from typing import Any

from buildstream._act.history import DurationHistory
from tests.testutils.cacheserver import CacheServer, running
from tests.testutils.jsonschema import complaints
from tests.testutils.space import TestSpace

SCHEMA = json.loads((Path(__file__).parents[2] / "doc/source/plan.schema.json").read_text(encoding="utf-8"))


def plan(space: TestSpace, *arguments: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(space.bst("plan", "--json", *arguments).stdout)
    assert complaints(report, SCHEMA) == []
    return report


def decisions(report: dict[str, Any]) -> dict[str, str]:
    return {element["element"]: element["decision"] for element in report["elements"]}


def remember(space: TestSpace, **seconds: float) -> None:
    history = DurationHistory(str(space.cache_directory / "history"))
    for name, elapsed_s in seconds.items():
        history.add("test", f"{name}.bst", "Build", elapsed_s)
    history.save(1.0)


def test_nothing_is_built_before(project: TestSpace) -> None:
    report = plan(project, "good.bst")
    assert set(decisions(report).values()) == {"build"}
    assert report["forecast"] is None
    result = project.bst("plan", "good.bst")
    assert "4 elements: 4 to build\n" in result.stdout
    assert "no telling how long" in result.stdout


def test_plan_changes_nothing(project: TestSpace) -> None:
    project.bst("plan", "good.bst")
    assert not (project.cache_directory / "logs").exists()
    assert not (project.cache_directory / "artifacts").exists()
    assert project.states("good.bst")["hello.bst"] != "cached"


def test_plan_after_a_change(project: TestSpace) -> None:
    project.bst("build", "good.bst")
    report = plan(project, "good.bst")
    assert decisions(report)["good.bst"] == "cached"
    assert report["counts"]["build"] == 0
    assert project.bst("plan", "good.bst").stdout == "4 elements: 4 cached\n"
    project.write("files/src/main.c", "int other;\n")
    report = plan(project, "good.bst")
    assert decisions(report) == {
        "base.bst": "cached",
        "data.bst": "cached",
        "hello.bst": "build",
        "good.bst": "build",
    }
    foretold = {name for name, decision in decisions(report).items() if decision == "build"}
    log = project.directory / "events.jsonl"
    project.bst("--event-log", str(log), "build", "good.bst")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    built = {e["element"] for e in events if e["event"] == "job-started" and e["action"] == "Build"}
    assert built == foretold


def test_forecast(project: TestSpace) -> None:
    remember(project, base=5.0, data=30.0, hello=20.0, good=1.0)
    report = plan(project, "good.bst")
    assert report["forecast"] == {
        "builders": 4,
        "makespan": 31.0,
        "work": 56.0,
        "critical-path": ["data.bst", "good.bst"],
        "guessed": 0,
    }
    starts = {element["element"]: element["starts"] for element in report["elements"]}
    assert starts["hello.bst"] == 5.0
    one = json.loads(project.bst("--builders", "1", "plan", "--json", "good.bst").stdout)
    assert one["forecast"]["makespan"] == 56.0
    text = project.bst("plan", "good.bst").stdout
    assert "About 31s with 4 builders, 56s of work\nCritical path: data.bst > good.bst\n" in text


def test_element_that_was_never_built_counts_as_middling(project: TestSpace) -> None:
    remember(project, base=5.0, data=30.0, good=1.0)
    report = plan(project, "good.bst")
    assert report["forecast"]["guessed"] == 1
    assert report["forecast"]["work"] == 41.0


def test_cached_failure(project: TestSpace) -> None:
    project.bst("build", "broken.bst", expect=255)
    assert decisions(plan(project, "broken.bst"))["broken.bst"] == "failed"
    assert decisions(plan(project, "--retry-failed", "broken.bst"))["broken.bst"] == "build"


def test_source_that_has_to_be_fetched(project: TestSpace) -> None:
    content = project.write("content", "content\n")
    digest = "434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53"
    project.element(
        "download.bst", f"kind: import\nsources:\n- kind: remote\n  url: file://{content}\n  ref: {digest}\n"
    )
    (row,) = plan(project, "download.bst")["elements"]
    assert (row["decision"], row["fetch"]) == ("build", True)
    assert "fetch, build" in project.bst("plan", "download.bst").stdout


def test_all_lists_what_is_cached(project: TestSpace) -> None:
    project.bst("build", "data.bst")
    assert "data.bst" not in project.bst("plan", "data.bst").stdout
    assert "cached" in project.bst("plan", "--all", "data.bst").stdout


def test_bad_input(project: TestSpace) -> None:
    result = project.bst("plan", "hallo.bst", expect=255)
    assert "hallo.bst" in result.stderr
    assert "hello.bst" in result.stderr  # did you mean
    project.element("untracked.bst", "kind: import\nsources:\n- kind: tar\n  url: http://localhost/a.tar\n")
    result = project.bst("plan", "untracked.bst", expect=255)
    assert "missing ref" in result.stderr
    assert result.error is not None
    assert result.error.reason == "inconsistent-pipeline"


def test_what_a_remote_has_is_pulled(project: TestSpace) -> None:
    server = CacheServer()
    with running(server) as address:
        project.configure(f"artifacts:\n  servers:\n  - {{url: http://{address}, push: true}}\n")
        project.bst("build", "hello.bst")
        shutil.rmtree(project.cache_directory)
        report = plan(project, "good.bst")
        assert decisions(report) == {
            "base.bst": "pull",  # good.bst needs it at run time
            "data.bst": "pull",
            "hello.bst": "pull",
            "good.bst": "build",
        }
        assert "good.bst" in project.bst("plan", "good.bst").stdout
        # what is only needed to build something that is pulled is not needed
        report = plan(project, "hello.bst")
        assert decisions(report)["base.bst"] == "not-needed"
        assert report["counts"]["pull"] == 2
    # a remote that does not answer makes no difference to what can be told
    result = project.bst("plan", "good.bst")
    assert "4 to build" in result.stdout


def test_plan_does_not_pull(project: TestSpace) -> None:
    server = CacheServer()
    with running(server) as address:
        project.configure(f"artifacts:\n  servers:\n  - {{url: http://{address}, push: true}}\n")
        project.bst("build", "data.bst")
        shutil.rmtree(project.cache_directory)
        assert decisions(plan(project, "data.bst")) == {"data.bst": "pull"}
        assert project.states("data.bst") != {"data.bst": "cached"}
