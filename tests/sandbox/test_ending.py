"""Sandboxes can be stopped, continued and ended, and end with the process that started them."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._exceptions import SandboxError
from buildstream._sandbox.client import RunningSandbox
from tests.sandbox.conftest import BUILD_ROOT, SandboxRig
from tests.testutils.waiting import wait_until

# two processes, one of them in a session of its own; `made` tells that both run
SCRIPT = "setsid sh -c 'while true; do true; done' {mark} & touch made; while true; do true; done"


def states_of(mark: str) -> list[str]:
    """The states, for example "R", of the shells that have MARK among their arguments."""
    states = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                arguments = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
                if arguments[0] == b"sh" and mark.encode() in arguments:
                    states.append(
                        Path("/proc", entry, "stat").read_text("utf-8").rpartition(")")[2].split()[0]
                    )
            except OSError:
                continue  # it has just ended
    return states


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """An argument that no other process has."""
    return f"mark-{os.getpid()}-{tmp_path.name}"


@pytest.mark.parametrize("end", [RunningSandbox.terminate, RunningSandbox.kill])
def test_ended_sandbox_is_no_failed_command(
    rig: SandboxRig, mark: str, end: Callable[[RunningSandbox], None]
) -> None:
    def end_once_running(running: RunningSandbox) -> None:
        wait_until(lambda: states_of(mark) == ["R", "R"])
        end(running)

    rig.on_start = end_once_running
    sandbox = rig.sandbox()
    with pytest.raises(SandboxError) as caught:
        sandbox.run(["sh", "-c", SCRIPT.format(mark=mark), mark])
    assert caught.value.reason == "sandbox-terminated"
    assert not states_of(mark)
    assert sandbox.get_virtual_directory().exists(BUILD_ROOT[1:])


def test_stopping_reaches_every_process(rig: SandboxRig, mark: str) -> None:
    def stop_continue_and_end(running: RunningSandbox) -> None:
        wait_until(lambda: states_of(mark) == ["R", "R"])
        running.suspend()
        wait_until(lambda: states_of(mark) == ["T", "T"])
        running.resume()
        wait_until(lambda: states_of(mark) == ["R", "R"])
        running.suspend()
        running.kill()

    rig.on_start = stop_continue_and_end
    with pytest.raises(SandboxError):
        rig.sandbox().run(["sh", "-c", SCRIPT.format(mark=mark), mark])
    assert not states_of(mark)


def test_exception_in_the_job_ends_the_sandbox(rig: SandboxRig, mark: str) -> None:
    def interrupt(running: RunningSandbox) -> None:
        wait_until(lambda: states_of(mark) == ["R", "R"])
        os.kill(os.getpid(), signal.SIGINT)

    rig.on_start = interrupt
    with pytest.raises(KeyboardInterrupt):
        rig.sandbox().run(["sh", "-c", SCRIPT.format(mark=mark), mark])
    assert not states_of(mark)


def test_nothing_is_left_when_bst_is_killed(rig: SandboxRig, mark: str, tmp_path: Path) -> None:
    program = f"""
        from contextlib import ExitStack
        from pathlib import Path
        from buildstream._model.digest import Digest
        from buildstream._sandbox.probe import RootMethod
        from tests.sandbox.conftest import SandboxRig
        method = RootMethod({rig.environment.probe.capabilities().method.value!r})
        with ExitStack() as stack:
            rig = SandboxRig(Path({str(tmp_path)!r}), {rig.base!r}, method, stack)
            rig.sandbox().run(["sh", "-c", {SCRIPT.format(mark=mark)!r}, {mark!r}])
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: states_of(mark) == ["R", "R"])
        process.kill()
    wait_until(lambda: not states_of(mark))
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")


def test_nothing_is_left_when_the_launcher_is_killed(rig: SandboxRig, mark: str) -> None:
    def kill_launcher(running: RunningSandbox) -> None:
        wait_until(lambda: states_of(mark) == ["R", "R"])
        for program in (rig.launcher._for_overlays, rig.launcher._for_others):
            if program._pid:
                os.kill(program._pid, signal.SIGKILL)

    rig.on_start = kill_launcher
    with pytest.raises(SandboxError) as caught:
        rig.sandbox().run(["sh", "-c", SCRIPT.format(mark=mark), mark])
    assert caught.value.reason == "launcher-lost"
    wait_until(lambda: not states_of(mark))
