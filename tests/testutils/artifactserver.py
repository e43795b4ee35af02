"""The program `bst-artifact-server`, run on the loopback device."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]
_LISTENING = re.compile(r"Listening on (\S+)")
_START = "from buildstream._cli.artifactserver import run; run()"


class ArtifactServer:
    """A running server.

    Args:
        directory: Where it keeps everything.
        arguments: Options; addresses with port 0 get a free one.
        environment: Variables on top of those of this process.

    Attributes:
        lines: What it has logged so far.
        addresses: Of its ports, in the order it opened them: those for reading
            first, that of the metrics last.
    """

    def __init__(
        self, directory: Path, arguments: Sequence[str], environment: dict[str, str] | None = None
    ) -> None:
        self.lines: list[str] = []
        self.addresses: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *arguments, str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY), **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        expected = sum(word in {"--bind", "--bind-push", "--port", "--metrics"} for word in arguments)
        with self._changed:
            self._changed.wait_for(lambda: len(self.addresses) == expected or self._is_ended, timeout=120)
        if len(self.addresses) != expected:
            self.kill()
            pytest.fail("".join(self.lines))

    _is_ended = False

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def wait_for_line(self, text: str, timeout_s: float = 120) -> str:
        """The first line of the log that has TEXT in it."""
        with self._changed:
            self._changed.wait_for(
                lambda: any(text in line for line in self.lines) or self._is_ended, timeout_s
            )
            return next(line for line in self.lines if text in line)

    def stop(self, expect: int = 0) -> None:
        """Ends the server as a service manager does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=120)
        self._close()
        assert status == expect, f"status {status}\n{''.join(self.lines)}"

    def kill(self) -> None:
        """Ends the server as a loss of power does, but for what the kernel has not written."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None, "it was asked for"
        for line in self._process.stderr:
            match = _LISTENING.search(line)
            with self._changed:
                self.lines.append(line)
                if match is not None:
                    self.addresses.append(match[1])
                self._changed.notify_all()
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()


@contextmanager
def artifact_server(
    directory: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[ArtifactServer]:
    """Runs a server during the body; by default it has one port, to which clients may push."""
    server = ArtifactServer(directory, arguments or ("--bind-push", "127.0.0.1:0"), environment)
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    else:
        server.stop()
