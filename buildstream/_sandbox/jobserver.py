"""One budget of cores for the makes of all sandboxes: the jobserver of GNU make, behind a named pipe.

The pipe holds a token for each core.  A command takes one before it starts and puts it back at its
end; make, told by MAKEFLAGS, takes another one for each further job that it runs at once.  So
all builds together run as many jobs as there are tokens.

Tokens that a killed make had taken are lost; all are put back whenever nothing runs.
"""

import os
import re
import select
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from .._dataclass import dataclass
from .bwrap import HostMount

# where the pipe is in sandboxes: /dev is made anew for each, so nothing of it can get into an artifact
PIPE_PATH = "/dev/bst-jobserver"
# what the commands have it open as; shells know descriptors of one digit only
_DESCRIPTOR = 9
_TOKEN = b"+"
_MOST_TOKENS = 4096  # what a pipe holds everywhere, and more than any machine has cores
_LOOK_AGAIN_S = 0.2
# `-j8`, `-j 8`, `--jobs=8` and the like, alone or among other options
_PARALLEL = re.compile(r"(?<!\S)(?:-j ?|--jobs(?:=| ))([0-9]+)(?!\S)")
# by this option of GNU make 4.4 a build asks for the name of the pipe instead of a descriptor of it; ninja
# knows no other form, and earlier versions of make fail at it
_BY_NAME = re.compile(r"(?<!\S)--jobserver-style=fifo(?!\S)")


@dataclass(frozen=True, slots=True)
class SharedJobs:
    """How a command takes part."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[HostMount, ...]


class JobServer:
    """The tokens; all methods may be called from any thread.

    Args:
        directory: Where the pipe is made, on the host.
        tokens: How many jobs may run at once, of all sandboxes together.

    Raises:
        OSError: The pipe can't be made.
    """

    def __init__(self, directory: str, tokens: int) -> None:
        os.makedirs(directory, exist_ok=True)
        self._tokens = min(tokens, _MOST_TOKENS)
        self._path = os.path.join(directory, f"jobserver-{os.getpid()}")
        with suppress(FileNotFoundError):
            os.unlink(self._path)  # of a process that had the same number and was killed
        os.mkfifo(self._path, 0o600)
        os.chmod(self._path, 0o666)
        # for reading too: a pipe without readers would lose its content
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()
        self._users = 0  # commands that hold a token or wait for one
        self._fill()

    def close(self) -> None:
        """Removes the pipe; no command may run any more."""
        os.close(self._descriptor)
        with suppress(OSError):
            os.unlink(self._path)

    @contextmanager
    def share(
        self, argv: tuple[str, ...], environment: Mapping[str, str], check: Callable[[], None]
    ) -> Iterator[SharedJobs]:
        """The block in which a command runs; begins once there is a token for it.

        The command takes part if its MAKEFLAGS ask for more than one job at once: one that is to
        run serially stays so.

        Args:
            argv: The command.
            environment: Its variables.
            check: Called while waiting; may raise to give up.
        """
        with self._lock:
            self._users += 1
        has_token = False
        try:
            self._take(check)
            has_token = True
            yield self._shared(argv, environment)
        finally:
            with self._lock:
                self._users -= 1
                if has_token:
                    self._put_back()
                if self._users == 0:
                    self._fill()

    def _take(self, check: Callable[[], None]) -> None:
        while True:
            check()
            with suppress(BlockingIOError):
                if os.read(self._descriptor, 1):
                    return
            select.select([self._descriptor], [], [], _LOOK_AGAIN_S)

    def _put_back(self) -> None:
        with suppress(BlockingIOError):  # a build has filled the pipe with things of its own
            os.write(self._descriptor, _TOKEN)

    def _fill(self) -> None:
        """Makes the pipe hold exactly all tokens."""
        with suppress(BlockingIOError):
            while os.read(self._descriptor, 1 << 16):
                pass
        with suppress(BlockingIOError):
            os.write(self._descriptor, _TOKEN * self._tokens)

    def _shared(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> SharedJobs:
        flags = environment.get("MAKEFLAGS", "")
        asked = _PARALLEL.search(flags)
        by_name = _BY_NAME.search(flags) is not None
        # otherwise the pipe is opened by the shell that nearly all commands run in
        if asked is None or int(asked[1]) < 2 or not (by_name or argv[:1] in (("sh",), ("/bin/sh",))):
            return SharedJobs(argv, environment, ())
        pipe = f"fifo:{PIPE_PATH}" if by_name else f"{_DESCRIPTOR},{_DESCRIPTOR}"
        flags = _PARALLEL.sub(f"-j{self._tokens} --jobserver-auth={pipe}", _BY_NAME.sub("", flags), count=1)
        if not by_name:
            script = f'exec {_DESCRIPTOR}<>{PIPE_PATH} && exec "$@"'
            argv = (argv[0], "-c", script, argv[0], *argv)
        return SharedJobs(
            argv, {**environment, "MAKEFLAGS": flags.strip()}, (HostMount(self._path, PIPE_PATH),)
        )
