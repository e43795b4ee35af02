"""How much is read: to show that something is not."""

from pathlib import Path


def reads() -> int:
    """How many bytes this process has read, and the children that it has waited for."""
    (line,) = (line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar"))
    return int(line.split()[1])
