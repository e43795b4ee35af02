"""Starting sandboxes through the launcher program, from any thread."""

import marshal
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from .._dataclass import dataclass
from .._exceptions import SandboxError
from .launcher import BLOCKED_SIGNALS, HEADER, receive_exactly

if TYPE_CHECKING:
    from .launcher import Request

LAUNCHER_PROGRAM = os.path.join(os.path.dirname(__file__), "launcher.py")


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One program to start.  Paths are host paths; they and all texts may hold any byte."""

    argv: tuple[str, ...]  # an absolute path of a program and its arguments
    directory: str  # where it starts; `modes` and `read_only` are relative to it
    options: tuple[str, ...] | None = None  # of any length, if the program is bubblewrap
    # absolute paths, bottom first: an overlay of them and DIRECTORY/upper is mounted on DIRECTORY/root
    layers: tuple[str, ...] | None = None
    stubs: tuple[str, str, int] | None = None  # as `Cas.stub_layers`, if layers are such trees
    modes: tuple[tuple[str, int], ...] = ()  # permissions to set once the overlay is mounted
    read_only: tuple[str, ...] = ()  # what is made read-only in the overlay
    is_interactive: bool = False  # stays in the session and process group of bst


@dataclass(frozen=True, slots=True)
class LaunchFailure:
    """The program could not be started: which step of the launcher failed, and the error number."""

    stage: str  # "unshare", "map", "mount", "exec", or "bubblewrap", which has said why on stderr
    number: int

    def __str__(self) -> str:
        return f"{self.stage}: {os.strerror(self.number)}" if self.number else f"{self.stage} failed"


class LaunchError(SandboxError):
    """Raised when a sandbox could not be set up; the command has not run."""

    def __init__(self, failure: LaunchFailure) -> None:
        super().__init__(f"The sandbox could not be set up: {failure}", reason="sandbox-setup-failed")
        self.failure = failure


class RunningSandbox:
    """A program that was started; all methods can be called from any thread, and after its end."""

    def __init__(self, launcher: "LauncherProgram", identity: int, *, is_sandbox: bool) -> None:
        self._launcher = launcher
        self._identity = identity
        self._is_sandbox = is_sandbox  # not merely a program on the host
        self._ended = threading.Event()
        self._was_ended = False  # asked to end by us
        self._wait_status: int | None = None
        self._report = b""

    def wait(self) -> int:
        """Waits for the program and everything inside the sandbox.

        Returns:
            The exit status, 0 to 255; 128 and a signal number if a signal ended the program.

        Raises:
            LaunchError: the program was never reached.
            SandboxError: the sandbox was ended from outside, so that the status says
                nothing about the command; or the launcher is gone.
        """
        self._ended.wait()
        if self._wait_status is None:
            raise SandboxError("The program that starts sandboxes ended unexpectedly", reason="launcher-lost")
        if self._was_ended and self._wait_status != 0:
            raise SandboxError("The sandbox was terminated", reason="sandbox-terminated")
        failure = failure_from_report(self._report, is_sandbox=self._is_sandbox)
        if failure is not None:
            raise LaunchError(failure)
        if not os.WIFSIGNALED(self._wait_status):
            return os.WEXITSTATUS(self._wait_status)
        number = os.WTERMSIG(self._wait_status)
        if self._is_sandbox:  # signals that end the command itself are told by the exit status
            raise SandboxError(f"The sandbox was killed by signal {number}", reason="sandbox-killed")
        return 128 + number

    def terminate(self) -> None:
        """Asks the sandbox to end."""
        self._was_ended = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends everything in the sandbox at once."""
        self._was_ended = True
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Ends everything in the sandbox, and returns when it is gone."""
        self.kill()
        self._ended.wait()

    def suspend(self) -> None:
        """Stops every process in the sandbox."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continues every process in the sandbox."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            self._launcher.send_signal(self._identity, number)

    def finish(self, wait_status: int | None, report: bytes) -> None:
        """Notes the end; called by the launcher's reading thread."""
        self._wait_status = wait_status
        self._report = report
        self._ended.set()


def failure_from_report(report: bytes, *, is_sandbox: bool) -> LaunchFailure | None:
    """Why a program was not reached, None if it was.

    What bubblewrap can't do once it has its namespaces, like executing a script
    without its interpreter, counts as the command's own failure, with status 1.
    """
    if report.startswith(b"!"):
        stage, number = report[1:].split(b"\n")[0].split()
        return LaunchFailure(stage.decode(), int(number))
    if is_sandbox and b'"child-pid"' not in report:
        return LaunchFailure("bubblewrap", 0)
    return None


class SandboxLauncher:
    """Starts sandboxes.  Thread-safe.

    The sandboxes die with this process, however it ends.
    """

    def __init__(self) -> None:
        # a launcher that has mounted an overlay is in namespaces, and so is all that it starts
        self._for_overlays = LauncherProgram()
        self._for_others = LauncherProgram()

    def start(
        self, spec: LaunchSpec, *, stdout: int, stderr: int, stdin: int | None = None
    ) -> RunningSandbox:
        """Starts the program of SPEC with the given descriptors as standard files; it may have no input."""
        program = self._for_others if spec.layers is None else self._for_overlays
        return program.start(spec, stdin=stdin, stdout=stdout, stderr=stderr)

    def close(self) -> None:
        """Kills what is still running, and returns when all of it has ended."""
        programs = (self._for_overlays, self._for_others)
        for program in programs:  # each needs a moment to end: both at once
            program.end()
        for program in programs:
            program.wait()


class LauncherProgram:
    """One process of the launcher, started on first use.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards everything below and whole frames on the connection
        self._connection: socket.socket | None = None
        self._pid = 0
        self._is_ending = False
        self._next_identity = 0
        self._running: dict[int, RunningSandbox] = {}

    def start(
        self, spec: LaunchSpec, *, stdout: int, stderr: int, stdin: int | None = None
    ) -> RunningSandbox:
        """Starts the program of SPEC with the given descriptors as standard files; it may have no input."""
        with self._lock:
            if self._connection is None:
                self._connection = self._start_program()
            identity = self._next_identity
            self._next_identity += 1
            running = RunningSandbox(self, identity, is_sandbox=spec.options is not None)
            self._running[identity] = running
            try:
                self._send(
                    ("start", identity, request_from_spec(spec)),
                    (stdout, stderr) if stdin is None else (stdin, stdout, stderr),
                )
            except OSError as error:
                del self._running[identity]
                raise SandboxError(f"The program that starts sandboxes can't be reached: {error}") from error
        return running

    def send_signal(self, identity: int, number: int) -> None:
        """Sends signal NUMBER to the sandbox IDENTITY, if it is still running."""
        with self._lock:
            if self._connection is not None and identity in self._running:
                with suppress(OSError):  # without the launcher there are no sandboxes
                    self._send(("signal", identity, int(number)), ())

    def end(self) -> None:
        """Has what is still running killed, and the launcher end then."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.shutdown(socket.SHUT_WR)
            self._is_ending = True

    def wait(self) -> None:
        """Returns when the launcher that was told to end has ended."""
        if self._is_ending:
            self._is_ending = False
            with suppress(ChildProcessError):  # somebody else may wait for all children
                os.waitpid(self._pid, 0)

    def _start_program(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            # not fork: this process may be large and has threads
            self._pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", LAUNCHER_PROGRAM],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                ],
                # from the first moment on: ^C while it starts would end it with a traceback
                setsigmask=BLOCKED_SIGNALS,
            )
        threading.Thread(target=self._receive, args=(ours,), name="sandbox-launcher", daemon=True).start()
        return ours

    def _send(self, request: "tuple[str, int, Request | int]", descriptors: Sequence[int]) -> None:
        assert self._connection is not None
        payload = marshal.dumps(cast("Any", request))
        socket.send_fds(self._connection, [HEADER.pack(len(payload))], descriptors)
        self._connection.sendall(payload)

    def _receive(self, connection: socket.socket) -> None:
        """Hands out answers until the launcher is gone."""
        try:
            while True:
                (size,) = HEADER.unpack(receive_exactly(connection, HEADER.size))
                identity, wait_status, report = marshal.loads(receive_exactly(connection, size))  # noqa: S302 - from our own child
                with self._lock:
                    running = self._running.pop(identity)
                running.finish(wait_status, report)
        except (EOFError, OSError):
            with self._lock:
                if self._connection is connection:
                    self._connection = None
                lost = list(self._running.values())
                self._running.clear()
            connection.close()
            for running in lost:
                running.finish(None, b"")


def request_from_spec(spec: LaunchSpec) -> "Request":
    """SPEC as the launcher wants it: bytes, so that both sides may have different locales."""
    options = None
    if spec.options is not None:
        options = os.fsencode("\0".join((*spec.options, "")))
    return {
        "argv": [os.fsencode(argument) for argument in spec.argv],
        "directory": os.fsencode(spec.directory),
        "options": options,
        "layers": None if spec.layers is None else [os.fsencode(path) for path in spec.layers],
        "stubs": spec.stubs and (os.fsencode(spec.stubs[0]), os.fsencode(spec.stubs[1]), spec.stubs[2]),
        "modes": [(os.fsencode(path), mode) for path, mode in spec.modes],
        "read_only": [os.fsencode(path) for path in spec.read_only],
        "is_interactive": spec.is_interactive,
    }
