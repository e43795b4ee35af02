"""Signals that come while workers store many files: nothing is left running, and nothing half."""

import signal
from pathlib import Path

import pytest

from tests.fault.background import Background
from tests.fault.storecheck import find_faults
from tests.testutils.space import TestSpace

_COUNT = 6000


def write_many(directory: Path) -> None:
    """Writes many small files."""
    for number in range(_COUNT):
        path = directory / f"d{number % 60}" / f"f{number}"
        if number < 60:
            path.parent.mkdir(parents=True)
        path.write_text(f"content {number}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signal_while_many_files_are_stored(space: TestSpace, number: signal.Signals) -> None:
    space.project()
    write_many(space.project_directory / "files" / "many")
    space.element("many.bst", "kind: import\nsources:\n- kind: local\n  path: files/many\n")
    objects = space.cache_directory / "cas" / "objects"
    running = Background(space, "build", "many.bst")
    running.wait_for(lambda: objects.is_dir() and any(objects.iterdir()))
    running.signal(number)
    ended = running.end()
    assert ended.leftovers == ()
    assert "Traceback" not in ended.output
    assert find_faults(space.cache_directory, space.directory / "scratch") == []
    if number != signal.SIGKILL:  # who is killed can't clean up; the next clean-up does
        assert list((space.cache_directory / "cas" / "tmp").iterdir()) == []
    space.bst("build", "many.bst")
    assert set(space.states("many.bst").values()) == {"cached"}


@pytest.mark.parametrize(
    ("number", "option"),
    [(signal.SIGINT, "--hardlinks"), (signal.SIGTERM, "--hardlinks"), (signal.SIGKILL, "--force")],
)
def test_signal_while_many_files_are_checked_out(
    space: TestSpace, number: signal.Signals, option: str
) -> None:
    space.project()
    write_many(space.project_directory / "files" / "many")
    space.element("many.bst", "kind: import\nsources:\n- kind: local\n  path: files/many\n")
    space.bst("build", "many.bst")
    out = space.directory / "out"
    running = Background(space, "artifact", "checkout", "many.bst", option, "--directory", str(out))
    running.wait_for(lambda: out.is_dir() and any(out.iterdir()))
    running.signal(number)
    ended = running.end()
    assert ended.leftovers == ()
    assert "Traceback" not in ended.output
    if ended.code and number != signal.SIGKILL:
        assert not out.exists(), "half of it is of no use"
    assert find_faults(space.cache_directory, space.directory / "scratch") == []
    assert set(space.states("many.bst").values()) == {"cached"}
