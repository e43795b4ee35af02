"""A person at a terminal: an interactive shell on a pseudo-terminal, to type at and to look at."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from types import TracebackType

import pytest

from tests.fault.background import descendants, state_of
from tests.testutils.space import TestSpace

PATIENCE_S = 60.0  # when a test gives up, on a busy machine
_COLOR = re.compile(r"\033\[\d+m")
# makes standard input the controlling terminal of a new session
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
_PROMPT = "ready> "


class Terminal:
    """An interactive shell in the project directory of a space.

    Attributes:
        output: All that the terminal has got, colours apart.
    """

    def __init__(self, space: TestSpace, *, columns: int = 100, lines: int = 40) -> None:
        self.output = ""
        self._is_open = True
        self._received = b""
        self._seen = 0  # how much of the output `expect` has gone through
        self._master, slave = os.openpty()
        self.resize(columns, lines)
        environment = {**space.environment(), "TERM": "xterm", "PS1": _PROMPT, "PAGER": "cat"}
        for name in ("COLUMNS", "LINES", "VTE_VERSION"):
            environment.pop(name, None)
        self._shell = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, "bash", "--norc", "--noediting", "-i"],
            cwd=space.project_directory,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        self._at_first = termios.tcgetattr(slave)
        self._slave = slave
        self.expect(_PROMPT)

    def __enter__(self) -> "Terminal":  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()

    def start(self, *arguments: str) -> None:
        """Types the command line of bst."""
        words = " ".join(f"'{word}'" for word in arguments)
        self.type(f"{sys.executable} -m buildstream {words}; echo status: $?\n")

    def type(self, text: str) -> None:
        """Types TEXT, control characters included."""
        os.write(self._master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Gives the window another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def expect(self, text: str) -> str:
        """Waits until TEXT appears, after what was expected before; gives what came before it."""
        self._read_until(lambda: text in self.output[self._seen :], repr(text))
        start, self._seen = self._seen, self.output.index(text, self._seen) + len(text)
        return self.output[start : self._seen - len(text)]

    def unread(self) -> str:
        """What came after all that was expected."""
        return self.output[self._seen :]

    def expect_status(self, status: int) -> str:
        """Waits for the end of bst; gives what came before it."""
        before = self.expect("\nstatus: ")
        self.expect(_PROMPT)
        found = self.output[: self._seen].rpartition("\nstatus: ")[2].split()[0]
        assert int(found) == status, self.output
        return before

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until CONDITION is true, while the terminal goes on showing."""
        self._read_until(condition, what)

    def processes(self) -> list[int]:
        """The processes below the shell."""
        return descendants(self._shell.pid)

    def states(self) -> set[str]:
        """The states of the processes below the shell."""
        return {state_of(pid) for pid in self.processes()}

    def is_as_before(self) -> bool:
        """Whether the terminal has the modes that it had at first, and the shell reads from it."""
        is_shell_in_front = os.tcgetpgrp(self._master) == os.getpgid(self._shell.pid)
        now, before = termios.tcgetattr(self._slave), self._at_first
        return is_shell_in_front and now == before

    def hang_up(self) -> None:
        """Closes the window."""
        if self._is_open:
            self._is_open = False
            os.close(self._slave)
            os.close(self._master)
            self._shell.wait(PATIENCE_S)

    def _read_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited too long for {what}\n{self.output}")
            if select.select([self._master], [], [], 0.02)[0]:
                self._received += os.read(self._master, 1 << 16)
                text = self._received.decode("utf-8", "replace")
                # what has been seen stays: a sequence that is not complete is at the end
                self.output = _COLOR.sub("", text).replace("\r\n", "\n")


def wait_for_end_of(processes: list[int]) -> None:
    """Waits until none of PROCESSES is there any more, or only until it is collected by its parent."""
    deadline = time.monotonic() + PATIENCE_S
    while left := {pid: state for pid in processes if (state := state_of(pid)) not in ("", "Z")}:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)  # nothing tells of the end of processes that are nobody's children here
