"""`bst build --watch`."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from buildstream._commands.watch import Clockwork, take_snapshots, wait_for_change
from tests.testutils.space import RecordedError, TestSpace

_PATIENCE_S = 600


def test_builds_again_after_a_change_until_interrupted(space: TestSpace) -> None:
    space.project()
    space.write("files/a/a.txt", "one\n")
    space.element("a.bst", "kind: import\nsources:\n- kind: local\n  path: files/a\n")
    space.bst("workspace", "open", "a.bst")
    process = subprocess.Popen(
        [sys.executable, "-m", "buildstream", "build", "--watch", "a.bst"],
        cwd=space.project_directory,
        env=space.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = threading.Timer(_PATIENCE_S, process.kill)
    deadline.start()
    try:
        assert process.stderr is not None
        first = read_until_watching(process)
        assert "SUCCESS Build" in first
        # as editors do
        new = space.write("a/.a.txt.swp", "two\n")
        new.rename(space.project_directory / "a/a.txt")
        second = read_until_watching(process)
        assert f"Changed: {space.project_directory}/a/a.txt" in second
        assert "SUCCESS Build" in second
        # a build that fails is not the end
        shutil.rmtree(space.project_directory / "a")
        assert "Inconsistent pipeline" in read_until_watching(process)
        # all of it at once: otherwise a build may come in between
        (space.write("new/a.txt", "three\n").parent).rename(space.project_directory / "a")
        assert "SUCCESS Build" in read_until_watching(process)
        process.send_signal(signal.SIGINT)
        process.communicate()
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
    assert process.returncode == 0
    space.bst("artifact", "checkout", "a.bst", "--directory", "out")
    assert space.read("out/a.txt") == "three\n"


def read_until_watching(process: "subprocess.Popen[str]") -> str:
    """What the program says until it waits."""
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if "Watching the workspaces of a.bst" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_nothing_to_watch(space: TestSpace) -> None:
    space.project()
    space.write("x", "")
    space.element("a.bst", "kind: import\nsources:\n- kind: local\n  path: x\n")
    result = space.bst("build", "--watch", "a.bst", expect=255)
    assert result.error == RecordedError("APP", "no-workspace")


def test_burst_counts_as_one_change(space: TestSpace) -> None:
    directory = space.directory / "ws"
    directory.mkdir()
    (directory / "kept").write_text("")
    before = take_snapshots([str(directory)])
    edits: list[Callable[[], object]] = [
        lambda: (directory / "temporary").write_text(""),
        lambda: (directory / "temporary").rename(directory / "final"),
        lambda: os.utime(directory / "kept", (1, 1)),
    ]
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if edits:
            edits.pop(0)()

    changed = wait_for_change(before, Clockwork(lambda: 0.0, sleep))
    assert changed == [str(directory / "final"), str(directory / "kept")]
    assert not edits
