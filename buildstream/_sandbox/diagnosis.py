"""Why commands can't be run on this machine, told so that the reader can change it."""

import errno
import os

from .._exceptions import SandboxError
from .client import LaunchFailure

# settings of the kernel that forbid what is needed: name, the value that does, one that does not
KERNEL_SETTINGS = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def unavailable(why: str) -> SandboxError:
    """The error for a machine that runs no commands, because of WHY."""
    return SandboxError(
        f"This platform does not support local builds: {why}", reason="unavailable-local-sandbox"
    )


def check_platform(build_os: str, build_arch: str, host_os: str, host_arch: str) -> None:
    """Raises SandboxError if the host can't run commands for BUILD_OS and BUILD_ARCH.

    All are canonical names; a host of x86-64 serves x86-32 too.
    """
    if build_os != host_os:
        raise unavailable(f"OS '{build_os}' is not supported by buildbox-run.")
    if build_arch != host_arch and (build_arch, host_arch) != ("x86-32", "x86-64"):
        raise unavailable(f"ISA '{build_arch}' is not supported by buildbox-run.")


def explain_failure(failure: LaunchFailure | None, complaint: str, settings_directory: str) -> str:
    """What forbids sandboxes, and how to allow them.

    Args:
        failure: The step that failed.
        complaint: What bubblewrap wrote.
        settings_directory: /proc/sys
    """
    for name, forbidding, allowing in KERNEL_SETTINGS:
        path = os.path.join(settings_directory, *name.split("."))
        if _read_setting(path) == forbidding:
            return (
                f"the kernel setting {name}={forbidding} forbids user namespaces;"
                f" allow them with: sysctl -w {name}={allowing}"
            )
    if failure is not None and failure.number in (errno.EPERM, errno.EACCES):
        cause = f"user namespaces are forbidden ({failure})"
    else:
        cause = complaint.strip().splitlines()[-1] if complaint.strip() else str(failure)
    return f"{cause}; a container must be started with a security profile that allows user namespaces"


def _read_setting(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None  # this kernel does not have it
