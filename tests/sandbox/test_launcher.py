"""The launcher starts programs, tells how they ended, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildstream._exceptions import SandboxError
from buildstream._sandbox.client import LaunchError, LaunchSpec, RunningSandbox, SandboxLauncher
from tests.testutils.waiting import wait_until


@pytest.fixture
def launcher() -> Iterator[SandboxLauncher]:
    started = SandboxLauncher()
    yield started
    started.close()


def start(launcher: SandboxLauncher, *argv: str, stdout: int = 2) -> RunningSandbox:
    with open(os.devnull, "rb") as nothing:
        return launcher.start(LaunchSpec(argv, "/"), stdin=nothing.fileno(), stdout=stdout, stderr=2)


def shell(launcher: SandboxLauncher, script: str, *, stdout: int = 2) -> RunningSandbox:
    return start(launcher, "/bin/sh", "-c", script, stdout=stdout)


def processes_with(mark: str) -> list[int]:
    """The processes that have MARK among their arguments."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                arguments = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in arguments:
                found.append(int(entry))
    return found


@pytest.mark.parametrize(("script", "status"), [("true", 0), ("exit 7", 7), ("kill -9 $$", 128 + 9)])
def test_exit_status_is_that_of_a_shell(launcher: SandboxLauncher, script: str, status: int) -> None:
    assert shell(launcher, script).wait() == status


def test_many_programs_run_at_the_same_time(launcher: SandboxLauncher) -> None:
    running = [shell(launcher, f"exit {number}") for number in range(20)]
    assert [one.wait() for one in running] == list(range(20))


def test_arguments_may_be_large_and_hold_any_byte(launcher: SandboxLauncher, tmp_path: Path) -> None:
    word = "x" * 100_000
    with open(tmp_path / "out", "wb") as out:
        assert start(launcher, "/usr/bin/printf", "%s%s\udcff", word, word, stdout=out.fileno()).wait() == 0
    assert (tmp_path / "out").read_bytes() == b"x" * 200_000 + b"\xff"


def test_missing_program_is_no_exit_status(launcher: SandboxLauncher) -> None:
    with pytest.raises(LaunchError) as caught:
        start(launcher, "/nothing").wait()
    assert caught.value.failure.stage == "exec"


def test_signals_have_their_default_effect_in_the_program(launcher: SandboxLauncher) -> None:
    # python ignores SIGPIPE, the launcher SIGTERM: neither may be inherited
    assert shell(launcher, "kill -PIPE $$").wait() == 128 + signal.SIGPIPE
    assert shell(launcher, "kill -TERM $$").wait() == 128 + signal.SIGTERM


@pytest.mark.parametrize("end", [RunningSandbox.terminate, RunningSandbox.kill])
def test_ended_program_has_no_status(launcher: SandboxLauncher, end: "type") -> None:
    running = shell(launcher, "sleep 1000")
    end(running)
    with pytest.raises(SandboxError) as caught:
        running.wait()
    assert caught.value.reason == "sandbox-terminated"


def state_of(pid: int) -> str:
    """The state of a process, for example "T" if it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2]


def test_stopped_program_continues(launcher: SandboxLauncher) -> None:
    reading, writing = os.pipe()
    # the child has a session of its own, so that no signal to a process group reaches it
    running = shell(launcher, "setsid --wait sh -c 'echo $$; read line; exit 5' </dev/zero", stdout=writing)
    os.close(writing)
    with open(reading, encoding="ascii") as output:
        child = int(output.readline())
        running.suspend()
        # on another processor it may take a moment to stop
        wait_until(lambda: state_of(child) == "T")
        running.resume()
        wait_until(lambda: state_of(child) != "T")
        running.kill()


def test_nothing_is_left_when_bst_is_killed(tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    program = f"""
        import os, sys
        from buildstream._sandbox.client import LaunchSpec, SandboxLauncher
        argv = ("/bin/sh", "-c", "sleep 1000 & echo; sleep 1000", {mark!r})
        SandboxLauncher().start(LaunchSpec(argv, "/"), stdin=0, stdout=1, stderr=2).wait()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes_with(mark)
        process.kill()
        # ends when the last process that holds it has
        process.stdout.read()
    assert not processes_with(mark)
