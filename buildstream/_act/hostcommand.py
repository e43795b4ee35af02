"""Running commands of the host for plugins."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from .._exceptions import BstError
from ..exceptions import ErrorDomain
from .jobcontrol import JobControl

if TYPE_CHECKING:
    import subprocess

_UMASK = 0o022


class _HostProcess:
    """A process and its whole process group, as a child of a job."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def suspend(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)


def run_host_command(
    argv: Sequence[str],
    *,
    cwd: str | None,
    env: Mapping[str, str] | None,
    stdin: IO[Any] | int | None,
    stdout: IO[Any] | int | None,
    stderr: IO[Any] | int | None,
    capture: bool,
    log: IO[bytes] | None,
    control: JobControl,
) -> tuple[int, str]:
    """Runs ARGV in a session of its own and gives its exit status, and what it wrote if CAPTURE.

    Streams that are not given go to LOG, or nowhere if that is None.

    Raises:
        BstError: There is no such program, or it may not be run.
    """
    import subprocess

    default: IO[bytes] | int = subprocess.DEVNULL if log is None else log
    if log is not None:
        log.write(f"Running host command {cwd or os.getcwd()}: {' '.join(argv)}\n".encode())
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE if capture else (default if stdout is None else stdout),
            stderr=default if stderr is None else stderr,
            text=True,
            errors="replace",
            start_new_session=True,
            umask=_UMASK,
        )
    except OSError as error:
        raise BstError(
            f"Failed to run host command '{argv[0]}': {error.strerror}", domain=ErrorDomain.PROG_NOT_FOUND
        ) from error
    with control.supervise(_HostProcess(process)):
        output, _ = process.communicate()
    return process.returncode, output or ""
