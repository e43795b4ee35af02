"""The program in the background, to be disturbed while it works."""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace

PATIENCE_S = 120.0  # a machine that does much else may take long
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run in the background ended."""

    code: int  # exit status, or minus the signal that ended it
    output: str  # what it wrote, results and messages together
    duration_s: float  # from the start, or the last signal, to the end of bst
    leftovers: tuple[str, ...]  # processes that it left and that did not end in time


class Background:
    """One run of the program, with everything that it starts.

    This process adopts orphans of its descendants, so that none gets lost.

    Args:
        space: Where the program runs.
        arguments: Of the program.
        prefix: A program that runs it, with its arguments.
        name: Of the file for its output, for runs at the same time.
    """

    def __init__(
        self, space: TestSpace, *arguments: str, prefix: Sequence[str] = (), name: str = "background"
    ) -> None:
        _adopt_orphans()
        # such as the helper of multiprocessing in tests before this one
        self._strangers = frozenset(_children(os.getpid()))
        self._output_file = space.directory / f"{name}.log"
        self._logs = space.cache_directory / "logs"
        self._old_sizes = {path: path.stat().st_size for path in self._logs.rglob("*.log")}
        with self._output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "buildstream", *arguments],
                cwd=space.project_directory,
                env=space.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # a group of its own, but not a session: members of an orphaned group can't be stopped
                preexec_fn=os.setpgrp,  # noqa: PLW1509 - `process_group` needs Python 3.11
            )
        self._started_s = time.monotonic()

    def output(self) -> str:
        """What the program has written so far."""
        return self._output_file.read_text("utf-8", "replace")

    def commands_wrote(self, line: str) -> bool:
        """Whether the commands of some job of this run have written LINE."""
        # jobs that start within a second may share a log
        return any(
            line in path.read_bytes()[self._old_sizes.get(path, 0) :].decode("utf-8", "replace").splitlines()
            for path in self._logs.rglob("*.log")
        )

    def wait_for(self, condition: Callable[[], bool], *, may_end: bool = False) -> None:
        """Returns once CONDITION is true, or the program has ended if it MAY_END; fails after a long time."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                self.process.kill()
                pytest.fail(f"waited too long\n{self.end().output}")
            if self.has_ended(0.005):
                assert may_end or condition(), f"ended too early\n{self.output()}"
                return

    def has_ended(self, timeout_s: float) -> bool:
        """Whether the program ends within TIMEOUT_S."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self) -> int:
        """The exit status, once the program has ended; others may still run."""
        return self.process.wait(PATIENCE_S)

    def signal(self, number: int) -> None:
        """Sends a signal to the program alone."""
        self._started_s = time.monotonic()
        self.process.send_signal(number)

    def end(self) -> Ended:
        """Waits for the end of the program and of all that it started; kills what does not end."""
        if not self.has_ended(PATIENCE_S):
            self.process.kill()
            self.process.wait()
            pytest.fail(f"did not end; leaves {_reap_orphans(self._strangers)}\n{self.output()}")
        duration_s = time.monotonic() - self._started_s
        return Ended(self.process.returncode, self.output(), duration_s, _reap_orphans(self._strangers))

    def children(self) -> list[int]:
        """The processes that the program itself has started."""
        return _children(self.process.pid)

    def programs(self, name: str) -> list[int]:
        """The processes below the program that execute NAME, parents first."""
        return [pid for pid in descendants(self.process.pid) if _command_line(pid)[:1] == [name]]


def descendants(pid: int) -> list[int]:
    """All processes below PID, parents first."""
    found = _children(pid)
    for child in found:
        found.extend(_children(child))
    return found


def state_of(pid: int) -> str:
    """The state of a process, for example "T" for a stopped one; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def command_line_of(pid: int) -> bytes:
    """The arguments of a process, each ended by NUL; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children.extend(map(int, tasks.read_text("ascii").split()))
        except OSError:
            continue  # the thread has just ended
    return children


def _command_line(pid: int) -> list[str]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [os.path.basename(os.fsdecode(words[0])), *map(os.fsdecode, words[1:])]


def _adopt_orphans() -> None:
    result: int = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    assert result == 0


def _reap_orphans(strangers: Collection[int]) -> tuple[str, ...]:
    """Waits until this process has no children but STRANGERS.

    Kills and names those that last longer than a second; more, if they share the processors with others.
    """
    others = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    deadline = time.monotonic() + 1.0 + others
    leftovers: list[str] = []
    while children := [pid for pid in _children(os.getpid()) if pid not in strangers]:
        pid = children[0]
        left_ms = max(0, int((deadline - time.monotonic()) * 1000))
        if not _ends_within(pid, left_ms):
            for found in [pid, *descendants(pid)]:
                leftovers.append(f"{found}: {' '.join(_command_line(found))}")
                os.kill(found, signal.SIGKILL)
        os.waitpid(pid, 0)
    return tuple(leftovers)


def _ends_within(pid: int, timeout_ms: int) -> bool:
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout_ms))
    finally:
        os.close(descriptor)
