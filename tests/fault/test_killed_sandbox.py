"""A sandbox that somebody else ends is an error of the machine, never a failed build to be remembered."""

import json
import os
import signal

import pytest

from tests.fault.background import Background
from tests.fault.projects import READY, write_endless_project
from tests.testutils.space import TestSpace


@pytest.mark.parametrize("program", ["bwrap", "launcher"])
def test_killed_sandbox_is_no_failed_build(space: TestSpace, program: str) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    victim = running.programs("bwrap")[0] if program == "bwrap" else launcher_of(running)
    os.kill(victim, signal.SIGKILL)
    ended = running.end()
    assert (ended.code, ended.leftovers) == (255, ())
    assert "Traceback" not in ended.output
    assert "BUG" not in ended.output
    recorded = space.recorded_errors()
    assert recorded[1] is not None
    assert recorded[1].reason == {"bwrap": "sandbox-killed", "launcher": "launcher-lost"}[program]
    assert space.states("endless.bst")["endless.bst"] == "buildable"
    again = Background(space, "build", "endless.bst")
    again.wait_for(lambda: again.commands_wrote(READY))
    again.signal(signal.SIGTERM)
    assert again.end().code == 255


def launcher_of(running: Background) -> int:
    """The process that starts the sandboxes."""
    return running.children()[0]


def test_killed_command_is_no_failed_build(space: TestSpace) -> None:
    # as by a daemon that keeps memory free, which the kernel's counters know nothing of
    space.project()
    space.shell_base()
    space.element(
        "killed.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n  - sh -c 'kill -KILL $$'\n",
    )
    result = space.bst("build", "killed.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.reason == "command-killed"
    assert "Command failed, because it was killed by force" in result.stderr.partition("Failure Summary")[2]
    (log,) = (space.cache_directory / "logs" / ".sessions").iterdir()
    faults = [event.get("fault") for event in map(json.loads, log.read_text().splitlines())]
    assert "killed" in faults
    assert space.states("killed.bst")["killed.bst"] == "buildable"
