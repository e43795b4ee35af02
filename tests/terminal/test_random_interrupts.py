"""^C at any moment of a build: an answer, an orderly end, a usable terminal and a sound store."""

import random
import time

import pytest

from tests.fault.projects import write_layered_project
from tests.fault.storecheck import find_faults, scratch_entries
from tests.testutils.space import TestSpace
from tests.testutils.terminal import Terminal

PROMPT = "Choice: [continue]: "
SEED = 20


def interrupt_at_random(space: TestSpace, rounds: int) -> None:
    """Builds anew in each round, and interrupts at a moment of about the time that this takes."""
    write_layered_project(space)
    chance = random.Random(SEED)
    with Terminal(space) as terminal:
        for number in range(rounds):
            # all keys change
            space.project(environment={"ROUND": str(number)})
            terminal.start("build", "all.bst")
            terminal.expect("START   Build")
            time.sleep(chance.uniform(0, 3))  # the moment is what is tested, no event
            terminal.type("\x03")
            terminal.wait_for(
                lambda: PROMPT in terminal.unread() or "\nstatus: " in terminal.unread(), "an answer"
            )
            if PROMPT in terminal.unread():
                terminal.expect(PROMPT)
                terminal.type(chance.choice(["terminate\n", "quit\n", "\x03", "\x04"]))
            terminal.expect("\nstatus: ")
            terminal.expect("ready> ")
            assert terminal.processes() == []
            assert terminal.is_as_before()
        assert "Traceback" not in terminal.output
    assert find_faults(space.cache_directory, space.directory / "scratch") == []
    assert scratch_entries(space.cache_directory) == []


def test_interrupts_at_random_moments(space: TestSpace) -> None:
    interrupt_at_random(space, 2)


@pytest.mark.slow
def test_interrupts_at_thirty_random_moments(space: TestSpace) -> None:
    interrupt_at_random(space, 30)
