"""Builds that take too long are ended: a fault of the machine, never a failed build to be remembered."""

import json

from tests.fault.projects import write_endless_project
from tests.testutils.space import TestSpace

OTHER = "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n  - echo done\n"


def test_overdue_build_is_ended_and_not_remembered(space: TestSpace) -> None:
    write_endless_project(space)
    space.element("other.bst", OTHER)
    result = space.bst(
        *("--build-timeout", "1", "--on-error", "continue", "build", "endless.bst", "other.bst"), expect=255
    )
    assert result.task_error is not None
    assert result.task_error.reason == "timeout"
    assert "Build took longer than 1 seconds" in result.stderr.partition("Failure Summary")[2]
    (log,) = (space.cache_directory / "logs" / ".sessions").iterdir()
    faults = {
        event["element"]: event.get("fault")
        for event in map(json.loads, log.read_text().splitlines())
        if event["event"] == "job-finished" and event["action"] == "Build"
    }
    assert faults["endless.bst"] == "timeout"
    assert faults["other.bst"] is None
    states = space.states("endless.bst", "other.bst")
    assert (states["endless.bst"], states["other.bst"]) == ("buildable", "cached")


def test_limit_of_the_configuration(space: TestSpace) -> None:
    write_endless_project(space)
    space.configure("build:\n  timeout: 1\n")
    result = space.bst("build", "endless.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.reason == "timeout"
    space.element("other.bst", OTHER)
    space.configure("build:\n  timeout: -1\n")
    result = space.bst("build", "other.bst", expect=255)
    assert "buildstream.conf [line 2 column 11]: Invalid value for 'timeout'" in result.stderr
    space.configure("build:\n  timeout: 1\n")
    space.bst("--build-timeout", "0", "build", "other.bst")
