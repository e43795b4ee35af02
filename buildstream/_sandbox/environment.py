"""What a local sandbox needs from the rest of the program, as values."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from .._dataclass import dataclass
from .._store.cas import Cas
from ..sandbox.sandbox import ActivityReporter
from .client import RunningSandbox, SandboxLauncher
from .jobserver import JobServer
from .probe import SandboxProbe


@dataclass(frozen=True, slots=True)
class SandboxConfiguration:
    """The `sandbox` configuration of an element."""

    build_os: str  # lower case, for example "linux"
    build_arch: str  # canonical name, for example "x86-64"
    build_uid: int | None = None  # None: root
    build_gid: int | None = None


@dataclass(frozen=True, slots=True)
class SandboxEnvironment:
    """The services and settings of one local sandbox."""

    cas: Cas
    launcher: SandboxLauncher
    probe: SandboxProbe
    configuration: SandboxConfiguration
    host_os: str  # as build_os
    host_arch: str  # as build_arch
    scratch_directory: str  # does not exist yet; on the file system of the store
    reporter: ActivityReporter
    output_descriptor: Callable[[], int]  # where commands write, asked for each command
    # the block in which a command runs, so that the job can suspend and end it
    supervise: Callable[[RunningSandbox], AbstractContextManager[object]]
    check: Callable[[], None]  # ends the job by an exception if it was told to end
    # the block in which a command is started and its supervision begins
    starting: Callable[[], AbstractContextManager[None]] = nullcontext
    job_server: JobServer | None = None  # shares cores between the makes of all sandboxes
    keeps_mtimes: bool = False  # whether captured files keep their modification times: workspaces
