"""The event log, the trace, and the logs that are kept of sessions."""

import json
import signal
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from buildstream._model.events import EVENT_TYPES
from buildstream._ui.eventlog import json_key
from tests.fault.background import Background
from tests.fault.projects import READY, write_endless_project
from tests.testutils.jsonschema import complaints
from tests.testutils.space import TestSpace

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "doc/source/event-log.schema.json").read_text(encoding="utf-8")
)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The objects of an event log, each of which fits the schema."""
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for event in events:
        assert complaints(event, SCHEMA) == [], event
    assert events[0]["event"] == "log-started"
    return events


def session_logs(space: TestSpace) -> list[Path]:
    return sorted((space.cache_directory / "logs" / ".sessions").glob("*"))


def only(events: list[dict[str, Any]], kind: str, **members: object) -> list[dict[str, Any]]:
    return [e for e in events if e["event"] == kind and all(e[k] == v for k, v in members.items())]


def test_schema_describes_every_event_and_member() -> None:
    described = {schema["properties"]["event"]["const"]: schema for schema in SCHEMA["oneOf"]}
    assert set(described) == {kind.name for kind in EVENT_TYPES}
    for kind in EVENT_TYPES:
        members = {"event", *(json_key(field.name) for field in fields(kind))}
        assert set(described[kind.name]["properties"]) == members


def test_checker_finds_what_is_wrong() -> None:
    assert (
        complaints({"event": "job-queued", "time": 1.5, "element": "a.bst", "action": "Build"}, SCHEMA) == []
    )
    for wrong in (
        {"event": "job-queued", "time": "1.5", "element": "a.bst", "action": "Build"},
        {"event": "job-queued", "time": 1.5, "element": "a.bst"},
        {"event": "job-queued", "time": 1.5, "element": "a.bst", "action": "Build", "more": 1},
        {"event": "nothing", "time": 1.5},
    ):
        assert complaints(wrong, SCHEMA) != []


def test_log_of_a_build(project: TestSpace) -> None:
    log = project.directory / "events.jsonl"
    project.bst(
        "--event-log", str(log), "--on-error", "continue", "build", "good.bst", "broken.bst", expect=255
    )
    events = read_log(log)
    started = only(events, "session-started")[0]
    assert (started["session"], started["project"]) == ("Build", "test")
    assert started["targets"] == ["good.bst", "broken.bst"]
    planned = {event["element"]: event for event in only(events, "element-planned")}
    assert len(planned) == started["elements"] == 5
    assert planned["hello.bst"]["decision"] == "build"
    assert planned["hello.bst"]["build-dependencies"] == ["base.bst"]
    assert planned["hello.bst"]["runtime-dependencies"] == ["data.bst"]

    def job(kind: str) -> dict[str, Any]:
        (event,) = only(events, kind, element="hello.bst", action="Build")
        return event

    times = [job(kind)["time"] for kind in ("job-queued", "job-started", "job-finished")]
    assert times == sorted(times)
    finished = job("job-finished")
    assert finished["outcome"] == "succeeded"
    assert Path(finished["log"]).stat().st_size >= finished["log-bytes"] > 0
    assert finished["stored-bytes"] > len("int main;\nobject\n")
    assert finished["key"] == project.keys("hello.bst")["hello.bst"]
    steps = only(events, "step-finished", element="hello.bst", action="Build", depth=0)
    assert {step["phase"] for step in steps} == {"staging", "commands", "capture"}
    assert sum(step["elapsed"] for step in steps) <= finished["elapsed"]
    (failed,) = only(events, "job-finished", outcome="failed")
    assert (failed["element"], failed["error"]) == ("broken.bst", "Command failed")
    assert "fault" not in failed
    (ended,) = only(events, "session-finished")
    assert (ended["outcome"], ended["failed"]) == ("failed", ["broken.bst"])
    counts = {queue["action"]: queue for queue in ended["queues"]}
    assert counts["Build"] == {"action": "Build", "processed": 4, "skipped": 0, "failed": 1}
    # the session keeps the same log of its own, but for what came before it
    (kept,) = session_logs(project)
    session = events[events.index(started) : events.index(ended) + 1]
    # threads may write two lines in one order here, in the other there
    assert sorted(map(json.dumps, read_log(kept)[1:])) == sorted(map(json.dumps, session))


def test_second_build_tells_that_all_is_cached_and_keeps_no_log(project: TestSpace) -> None:
    project.bst("build", "good.bst")
    log = project.directory / "events.jsonl"
    project.bst("--event-log", str(log), "build", "good.bst")
    planned = only(read_log(log), "element-planned")
    assert {event["decision"] for event in planned} == {"cached"}
    assert all("expected" in event for event in planned)
    assert len(session_logs(project)) == 1


def test_other_commands_log_their_messages(project: TestSpace) -> None:
    log = project.directory / "events.jsonl"
    project.bst("--event-log", str(log), "show", "good.bst")
    assert [event["event"] for event in read_log(log)] == ["log-started"]


def test_log_is_complete_up_to_the_end_by_force(space: TestSpace) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(signal.SIGKILL)
    running.end()
    (kept,) = session_logs(space)
    last = read_log(kept)[-1]
    assert last["element"] == "endless.bst"


def test_terminated_session(space: TestSpace) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(signal.SIGTERM)
    assert running.end().code == 255
    (kept,) = session_logs(space)
    events = read_log(kept)
    assert events[-1]["outcome"] == "terminated"
    assert only(events, "job-finished", element="endless.bst")[-1]["outcome"] == "terminated"


@pytest.mark.parametrize("option", ["--event-log", "--trace"])
def test_file_that_cannot_be_written(project: TestSpace, option: str) -> None:
    path = project.directory / "absent" / "file"
    result = project.bst(option, str(path), "build", "good.bst", expect=255)
    assert f"'{path}' can't be written: No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_trace_of_a_build(project: TestSpace) -> None:
    path = project.directory / "trace.json"
    project.bst("--trace", str(path), "build", "good.bst")
    trace = json.loads(path.read_text(encoding="utf-8"))
    events = trace["traceEvents"]
    assert {event["ph"] for event in events} <= {"M", "X", "i"}
    spans = [event for event in events if event["ph"] == "X"]
    assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in spans if event["cat"] != "session")
    jobs = {(event["name"], event["pid"]): event for event in spans if event["cat"] == "job"}
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    build = next(pid for pid, name in names.items() if name == "Build queue")
    hello = jobs["hello.bst", build]
    assert hello["args"]["key"] == project.keys("hello.bst")["hello.bst"]
    steps = [e for e in spans if e["args"].get("element") == "hello.bst" and e["pid"] == build]
    assert {step["name"] for step in steps} >= {"Running commands", "Caching artifact"}
    for step in steps:  # within the job, on its row
        assert step["tid"] == hello["tid"]
        assert hello["ts"] <= step["ts"]
        assert step["ts"] + step["dur"] <= hello["ts"] + hello["dur"] + 1
