"""A sandbox that somebody else ends is an error of the machine, never a failed build to be remembered."""

import os
import signal

import pytest

from tests.fault.background import Background
from tests.fault.projects import READY, write_endless_project
from tests.testutils.space import TestSpace


def end_quietly(space: TestSpace) -> None:
    """Makes the commands of endless.bst end, without a change of anything else."""
    path = space.project_directory / "elements" / "endless.bst"
    path.write_text(path.read_text("utf-8").replace("while true", "while false"), "utf-8")


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


def launcher_of(running: Background) -> int:
    """The process that starts the sandboxes."""
    return running.children()[0]


def test_next_build_builds_what_was_killed(space: TestSpace) -> None:
    # the command ends only if a file is there that a local source brings
    space.project()
    space.shell_base()
    space.element(
        "waiting.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        f"  - |\n    echo {READY}\n    sleep 3\n    echo done > %{{install-root}}/done\n",
    )
    running = Background(space, "build", "waiting.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    os.kill(running.programs("bwrap")[0], signal.SIGKILL)
    assert running.end().code == 255
    space.bst("build", "waiting.bst")
    space.bst("artifact", "checkout", "waiting.bst", "--directory", "out")
    assert space.read("out/done") == "done\n"
