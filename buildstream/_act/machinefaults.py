"""Telling a command that failed from one that the machine has let down."""

import os
import re

from .._exceptions import SandboxError

# with less than this, a command that failed may have failed for want of space
LITTLE_SPACE_BYTES = 16 << 20
# what the script of a batch writes at the end of a log
_LOG_END_BYTES = 4096
_EXIT_STATUS = re.compile(rb"^Command .* failed with exitcode ([0-9]+)$", re.MULTILINE)
_STATUS_OF_SIGKILL = b"137"
KERNEL_COUNTERS = "/proc/vmstat"


class MachineWatch:
    """What happens to the machine while the commands of a build run.

    Args:
        directory: On the file system that the commands write to.
        counters: The kernel's counters, a line each.
    """

    def __init__(self, directory: str, counters: str = KERNEL_COUNTERS) -> None:
        self._directory = directory
        self._counters = counters
        self._oom_kills = count_oom_kills(counters)

    def check(self, failure: Exception, log: str | None = None) -> None:
        """Raises what may have caused FAILURE, so that it is not remembered as the element's own.

        Raises:
            SandboxError: Since the start, processes were killed for want of memory,
                with reason `out-of-memory`; or the disk is full, with `disk-full`; or the last
                command in the file LOG was killed by force, with `command-killed`.
        """
        if count_oom_kills(self._counters) > self._oom_kills:
            raise SandboxError(
                f"{failure}, and the kernel killed processes because the machine ran out of memory",
                detail="The failure is not kept: the next build tries again."
                " Fewer builders or a lower max-jobs need less memory.",
                reason="out-of-memory",
            ) from failure
        if has_little_space(self._directory):
            raise SandboxError(
                f"{failure}, and there is no space left in '{self._directory}'",
                detail="The failure is not kept: the next build tries again.",
                reason="disk-full",
            ) from failure
        if log is not None and was_killed(log):
            raise SandboxError(
                f"{failure}, because it was killed by force",
                detail="The failure is not kept: the next build tries again."
                " Somebody has killed the command, perhaps a program that keeps memory free.",
                reason="command-killed",
            ) from failure


def was_killed(log: str) -> bool:
    """Whether the last command that failed by the log file LOG was ended by SIGKILL.

    Programs do not end themselves like that: somebody did, such as a daemon that keeps memory free.
    """
    try:
        with open(log, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _LOG_END_BYTES, 0))
            text = file.read()
    except OSError:
        return False
    statuses = _EXIT_STATUS.findall(text)
    return bool(statuses) and statuses[-1] == _STATUS_OF_SIGKILL


def count_oom_kills(counters: str) -> int:
    """How many processes the kernel has killed for want of memory since it runs; 0 if it does not tell."""
    try:
        with open(counters, "rb", buffering=0) as file:
            text = b"\n" + file.read()
    except OSError:
        return 0
    value = text.partition(b"\noom_kill ")[2].partition(b"\n")[0]
    return int(value) if value.isdigit() else 0


def has_little_space(directory: str) -> bool:
    """Whether the file system of DIRECTORY is full, or nearly so."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return False
    lacks_files = status.f_files > 0 and status.f_favail == 0
    return lacks_files or status.f_bavail * status.f_frsize < LITTLE_SPACE_BYTES
