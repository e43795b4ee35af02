"""Running commands of the host for plugins."""

import contextlib
import os
import signal
from typing import IO, TYPE_CHECKING

from .._exceptions import BstError
from .._requests import HostCommand
from ..exceptions import ErrorDomain
from .jobcontrol import JobControl

if TYPE_CHECKING:
    import subprocess

_UMASK = 0o022


class HostProgramError(BstError, OSError):
    """A program of the host could not be started; an OSError too, since that is what plugins expect."""

    default_domain = ErrorDomain.PROG_NOT_FOUND

    def __init__(self, program: str, error: OSError) -> None:
        super().__init__(f"Failed to run host command '{program}': {error.strerror}")
        self.errno, self.strerror, self.filename = error.errno, error.strerror, error.filename

    def __str__(self) -> str:
        return str(self.args[0])


class HostProgramNotFoundError(HostProgramError, FileNotFoundError):
    """There is no such program."""


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


def run_host_command(command: HostCommand, *, log: IO[bytes] | None, control: JobControl) -> tuple[int, str]:
    """Runs COMMAND in a session of its own; gives its exit status, and what it wrote if that is wanted.

    Streams that are not given go to LOG, or nowhere if that is None.

    Raises:
        HostProgramError: There is no such program, or it may not be run.
    """
    import subprocess

    default: IO[bytes] | int = subprocess.DEVNULL if log is None else log
    stdout = default if command.stdout is None else command.stdout
    if log is not None:
        log.write(f"Running host command {command.cwd or os.getcwd()}: {' '.join(command.argv)}\n".encode())
    supervision = contextlib.ExitStack()
    try:
        with control.starting():
            process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=None if command.env is None else dict(command.env),
                stdin=command.stdin,
                stdout=subprocess.PIPE if command.capture else stdout,
                stderr=default if command.stderr is None else command.stderr,
                text=True,
                errors="replace",
                start_new_session=True,
                umask=_UMASK,
            )
            supervision.enter_context(control.supervise(_HostProcess(process)))
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        kind = HostProgramNotFoundError if is_missing else HostProgramError
        raise kind(command.argv[0], error) from error
    with supervision:
        output, _ = process.communicate()
    return process.returncode, output or ""
