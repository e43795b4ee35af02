"""Signals end a build, a download or the loading in an orderly way; suspending reaches the sandboxes."""

import signal

import pytest

from tests.fault.background import Background, state_of
from tests.fault.projects import READY, write_endless_project
from tests.fault.servers import silent_server
from tests.fault.storecheck import find_faults, scratch_entries
from tests.testutils.space import TestSpace

ENDING_SIGNALS = [signal.SIGINT, signal.SIGTERM]

# how long the end may take on a busy machine; without disturbance it is a tenth of this
LIMIT_S = 3.0
# beside jobs that do not react
STUCK_LIMIT_S = 8.0


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_signal_ends_a_build(space: TestSpace, number: signal.Signals) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst", "quick.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(number)
    ended = running.end()
    assert ended.code == 255
    assert ended.leftovers == ()
    assert ended.duration_s < LIMIT_S
    assert "WARNING Build Terminated" in ended.output
    assert "Pipeline Summary" in ended.output
    assert "Traceback" not in ended.output
    # nothing of the element is kept, least of all a failure
    assert space.states("endless.bst")["endless.bst"] == "buildable"
    assert find_faults(space.cache_directory, space.directory / "scratch") == []
    assert scratch_entries(space.cache_directory) == []
    space.bst("build", "quick.bst")


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_command_that_ignores_signals_is_ended_too(space: TestSpace, number: signal.Signals) -> None:
    write_endless_project(space, trap="trap '' INT TERM HUP")
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(number)
    ended = running.end()
    assert (ended.code, ended.leftovers) == (255, ())
    assert ended.duration_s < LIMIT_S


@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_hanging_download_does_not_delay_the_end(space: TestSpace, number: signal.Signals) -> None:
    space.project()
    with silent_server() as (url, asked):
        space.element(
            "remote.bst", f"kind: import\nsources:\n- kind: remote\n  url: {url}/file\n  ref: {'0' * 64}\n"
        )
        running = Background(space, "source", "fetch", "remote.bst")
        running.wait_for(asked.is_set)
        running.signal(number)
        ended = running.end()
    assert (ended.code, ended.leftovers) == (255, ())
    assert ended.duration_s < STUCK_LIMIT_S
    assert "WARNING Fetch Terminated" in ended.output
    assert "Pipeline Summary" in ended.output


def test_second_interrupt_changes_nothing(space: TestSpace) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(signal.SIGINT)
    running.signal(signal.SIGINT)
    ended = running.end()
    assert (ended.code, ended.leftovers) == (255, ())
    assert "Traceback" not in ended.output


_ENDLESS_TO_CONFIGURE = """
import os
import time

from buildstream import Element


class Endless(Element):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        open(os.path.join(os.path.dirname(__file__), "reached"), "w").close()
        while True:  # a single call that blocks could begin after the signal has come, and outlast it
            time.sleep(0.01)


def setup():
    return Endless
"""


def test_interrupt_while_loading_aborts(space: TestSpace) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "elements": ["endless"]}])
    space.write("plugins/endless.py", _ENDLESS_TO_CONFIGURE)
    space.element("slow.bst", "kind: endless\n")
    running = Background(space, "show", "slow.bst")
    running.wait_for((space.project_directory / "plugins" / "reached").exists)
    running.signal(signal.SIGINT)
    ended = running.end()
    assert ended.code == 1
    assert ended.output.endswith("Aborted!\n")
    assert "Traceback" not in ended.output


_INTERRUPTED_IN_EXECUTION = """
import signal

exec("signal.raise_signal(signal.SIGINT)")
"""


def test_interrupt_while_text_is_executed_aborts(space: TestSpace) -> None:
    # as within the making of a data class; python would end itself by the signal then
    space.project(plugins=[{"origin": "local", "path": "plugins", "elements": ["interrupted"]}])
    space.write("plugins/interrupted.py", _INTERRUPTED_IN_EXECUTION)
    space.element("slow.bst", "kind: interrupted\n")
    assert space.bst("show", "slow.bst", expect=1).stderr.endswith("Aborted!\n")


def test_suspended_build_goes_on(space: TestSpace) -> None:
    space.project()
    space.shell_base()
    space.element(
        "endless.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        f"  - |\n    echo {READY}\n    while true; do :; done\n",
    )
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    shells = running.programs("sh")
    assert shells
    running.signal(signal.SIGTSTP)
    running.wait_for(lambda: {state_of(pid) for pid in [*shells, running.process.pid]} == {"T"})
    running.signal(signal.SIGCONT)
    running.wait_for(lambda: "T" not in {state_of(pid) for pid in [*shells, running.process.pid]})
    running.signal(signal.SIGTERM)
    ended = running.end()
    assert (ended.code, ended.leftovers) == (255, ())


def test_suspended_build_can_be_killed(space: TestSpace) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(signal.SIGTSTP)
    running.wait_for(lambda: state_of(running.process.pid) == "T")
    running.signal(signal.SIGKILL)
    ended = running.end()
    assert (ended.code, ended.leftovers) == (-signal.SIGKILL, ())
