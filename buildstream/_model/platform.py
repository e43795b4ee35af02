"""Names of machines: architectures and operating systems (format 2.8.2)."""

import os

from .._exceptions import PlatformError

# accepted spellings, lower case and with dashes, by canonical name
_SPELLINGS = {
    "aarch32": ("aarch32", "arm"),
    "aarch64": ("aarch64", "armv8l"),
    "aarch64-be": ("aarch64-be", "armv8b"),
    "x86-32": ("x86-32", "i386", "i486", "i586", "i686"),
    "x86-64": ("x86-64", "amd64"),
    "power-isa-be": ("power-isa-be", "powerpc", "powerpc64", "ppc64"),
    "power-isa-le": ("power-isa-le", "powerpc64le", "ppc64le"),
    "rv32g": ("rv32g", "riscv32"),
    "rv64g": ("rv64g", "riscv64"),
    "sparc-v9": ("sparc-v9", "sparc", "sparc64", "sun4v"),
    "la64v100": ("la64v100", "loong64", "loongarch64"),
}
_CANONICAL = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}


def canonical_arch(name: str) -> str:
    """The canonical name of the architecture NAME.

    Raises:
        PlatformError: If NAME is no known spelling.
    """
    canonical = _CANONICAL.get(name.lower().replace("_", "-"))
    if canonical is None:
        raise PlatformError(f"Unknown architecture: {name}")
    return canonical


def host_arch(uname: os.uname_result) -> str:
    """The canonical architecture of the machine that UNAME describes.

    Raises:
        PlatformError: If it is unknown.
    """
    if uname.sysname == "AIX":
        # there, the machine field is a serial number
        import platform

        return canonical_arch(platform.processor())
    return canonical_arch(uname.machine)


def host_os(uname: os.uname_result) -> str:
    """The operating system that UNAME describes, as sandbox configurations spell it."""
    name = uname.sysname.lower()
    return "macos" if name == "darwin" else name
