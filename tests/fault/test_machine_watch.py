"""Commands that fail because the machine has let them down are told from those that fail by themselves."""

from pathlib import Path

import pytest

from buildstream._act.machinefaults import MachineWatch, count_oom_kills
from buildstream._exceptions import SandboxError
from buildstream.element import ElementError

FAILURE = ElementError("Command failed")


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    path = tmp_path / "vmstat"
    path.write_text("nr_free_pages 1234\noom_kill 7\n")
    return path


def test_failure_of_the_command_itself(tmp_path: Path, counters: Path) -> None:
    MachineWatch(str(tmp_path), str(counters)).check(FAILURE)


def test_processes_killed_for_want_of_memory(tmp_path: Path, counters: Path) -> None:
    watch = MachineWatch(str(tmp_path), str(counters))
    counters.write_text("nr_free_pages 1\noom_kill 8\n")
    with pytest.raises(SandboxError, match="Command failed, and the kernel killed") as caught:
        watch.check(FAILURE)
    assert caught.value.reason == "out-of-memory"


@pytest.mark.parametrize("text", ["", "nr_free_pages 1\n", "not a counter\n"])
def test_kernel_that_does_not_tell(counters: Path, text: str) -> None:
    counters.write_text(text)
    assert count_oom_kills(str(counters)) == 0
    counters.unlink()
    assert count_oom_kills(str(counters)) == 0
