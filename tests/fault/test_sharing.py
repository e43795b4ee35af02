"""Several programs that work in one store at once."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fault.background import Background
from tests.fault.projects import READY, write_endless_project
from tests.fault.sharing_rounds import SharingRounds
from tests.testutils.space import TestSpace


def test_overlapping_builds_beside_a_clean_up(space: TestSpace) -> None:
    assert SharingRounds(space, 3).run(1) == []


def write_element(space: TestSpace) -> None:
    space.project()
    space.write("files/a", "a")
    space.element("a.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")


def test_waits_for_another_session_and_says_so(space: TestSpace) -> None:
    write_element(space)
    key = space.keys("a.bst")["a.bst"]
    with turn_of(space, key):
        build = Background(space, "build", "a.bst")
        build.wait_for(lambda: "Waiting for another session that builds this element" in build.output())
        assert f"process {os.getpid()}" in build.output()
        assert not build.has_ended(0.0)
    assert build.end().code == 0, build.output()
    assert space.states("a.bst") == {"a.bst": "cached"}


def test_waiting_session_can_be_ended(space: TestSpace) -> None:
    write_element(space)
    key = space.keys("a.bst")["a.bst"]
    with turn_of(space, key):
        build = Background(space, "build", "a.bst")
        build.wait_for(lambda: "Waiting for another session" in build.output())
        build.signal(2)
        assert build.end().code != 0


def test_dead_session_is_not_waited_for(space: TestSpace) -> None:
    write_endless_project(space)
    endless = Background(space, "build", "endless.bst")
    endless.wait_for(lambda: endless.commands_wrote(READY))
    endless.signal(9)
    endless.end()
    second = Background(space, "build", "endless.bst", name="second")
    second.wait_for(lambda: second.commands_wrote(READY))
    assert "Waiting" not in second.output()
    second.signal(15)
    second.end()


def test_scratch_of_a_killed_session_is_cleaned_up(space: TestSpace) -> None:
    write_endless_project(space)
    endless = Background(space, "build", "endless.bst")
    endless.wait_for(lambda: endless.commands_wrote(READY))
    space.bst("cache", "clean")
    assert len(os.listdir(space.cache_directory / "build")) == 1  # it is in use
    endless.signal(9)
    endless.end()
    space.bst("cache", "clean")
    assert os.listdir(space.cache_directory / "build") == []
    assert os.listdir(space.cache_directory / "cas" / "sessions") == []


@contextmanager
def turn_of(space: TestSpace, key: str) -> Iterator[None]:
    """Holds the turn to build KEY, as a session would."""
    directory = Path(space.cache_directory, "cas", "turns")
    directory.mkdir(parents=True, exist_ok=True)
    assert re.fullmatch("[0-9a-f]{64}", key)
    with (directory / key).open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
