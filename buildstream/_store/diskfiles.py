"""The calls that decide what is on the disk after a loss of power; tests put others in their place."""

import os
from collections.abc import Iterable


class DiskFiles:
    """Creates, writes, names and synchronises files.

    What is not synchronised may be there or not after a loss of power: each name, and of a
    file any part of its content.
    """

    def create(self, path: str, mode: int) -> int:
        """Creates a file and gives a descriptor for writing; the umask is taken off MODE."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    def write(self, descriptor: int, data: bytes) -> None:
        """Writes all of DATA."""
        written = os.write(descriptor, data)
        if written < len(data):
            view = memoryview(data)[written:]
            while view:
                view = view[os.write(descriptor, view) :]

    def rename(self, source: str, target: str) -> None:
        """Moves a file over what may be at TARGET."""
        os.rename(source, target)

    def link(self, source: str, target: str) -> None:
        """Gives a file a second name."""
        os.link(source, target)

    def note_named(self, paths: Iterable[str]) -> None:
        """Is told of files that a process of ours has created, written and renamed to PATHS."""

    def synchronize_file(self, descriptor: int) -> None:
        """Returns when the content of a file is on the disk."""
        os.fsync(descriptor)

    def synchronize_all(self, directory: str) -> None:
        """Returns when everything on the file system that holds DIRECTORY is on the disk."""
        import ctypes

        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
            if syncfs is None or syncfs(descriptor) != 0:
                os.sync()
        finally:
            os.close(descriptor)

    def boot_id(self) -> str:
        """Another text each time the machine is started; "" if that is not known."""
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            return ""
