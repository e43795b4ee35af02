"""The shared budget of cores: tokens are taken, put back, and never lost for good."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildstream._sandbox.jobserver import PIPE_PATH, JobServer

PARALLEL = {"MAKEFLAGS": "-j8 V=1", "PATH": "/bin"}
SHELL = ("sh", "-c", "-e", "make")


def never() -> None:
    """Nobody wants the job to end."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[JobServer]:
    made = JobServer(str(tmp_path), 3)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


def free_tokens(tmp_path: Path) -> int:
    """How many tokens nobody has; they are put back."""
    (pipe,) = tmp_path.iterdir()
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        held = os.read(descriptor, 100)
    except BlockingIOError:
        held = b""
    os.write(descriptor, held)
    os.close(descriptor)
    return len(held)


def test_command_takes_part(server: JobServer, tmp_path: Path) -> None:
    with server.share(SHELL, PARALLEL, never) as shared:
        assert shared.environment["MAKEFLAGS"] == "-j3 --jobserver-auth=9,9 V=1"
        assert shared.environment["PATH"] == "/bin"
        assert [mount.target for mount in shared.mounts] == [PIPE_PATH]
        assert shared.argv[-4:] == SHELL
        assert free_tokens(tmp_path) == 2
    assert free_tokens(tmp_path) == 3


@pytest.mark.parametrize("flags", [None, "", "V=1", "-j1", "-j", "-jobs8", "x-j8"])
def test_serial_command_stays_serial(server: JobServer, tmp_path: Path, flags: str | None) -> None:
    environment = {} if flags is None else {"MAKEFLAGS": flags}
    with server.share(SHELL, environment, never) as shared:
        assert (shared.argv, shared.environment, shared.mounts) == (SHELL, environment, ())
        assert free_tokens(tmp_path) == 2  # it is a job all the same


def test_lost_tokens_come_back_when_nothing_runs(server: JobServer, tmp_path: Path) -> None:
    with server.share(SHELL, PARALLEL, never):
        (pipe,) = tmp_path.iterdir()
        descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        assert os.read(descriptor, 2) == b"++"  # by a make that is killed then
        os.close(descriptor)
    assert free_tokens(tmp_path) == 3


def test_waits_for_a_token_and_can_be_told_to_give_up(server: JobServer) -> None:
    class GiveUp(Exception):
        pass

    def give_up() -> None:
        raise GiveUp

    started = threading.Event()

    def run() -> None:
        with server.share(SHELL, PARALLEL, never):
            started.set()

    with server.share(SHELL, PARALLEL, never), server.share(SHELL, PARALLEL, never):
        with server.share(SHELL, PARALLEL, never):
            with pytest.raises(GiveUp), server.share(SHELL, PARALLEL, give_up):
                pytest.fail("there is no token")
            waiting = threading.Thread(target=run)
            waiting.start()
            assert not started.is_set()
        waiting.join()
    assert started.is_set()


def test_command_that_asks_for_the_name_of_the_pipe(server: JobServer, tmp_path: Path) -> None:
    # as ninja wants it; no shell has to open anything
    flags = {"MAKEFLAGS": "-j8 --jobserver-style=fifo"}
    with server.share(("ninja",), flags, never) as shared:
        assert shared.environment["MAKEFLAGS"] == f"-j3 --jobserver-auth=fifo:{PIPE_PATH}"
        assert [mount.target for mount in shared.mounts] == [PIPE_PATH]
        assert shared.argv == ("ninja",)
        assert free_tokens(tmp_path) == 2
