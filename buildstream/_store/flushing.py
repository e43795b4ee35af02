"""Getting contents onto the disk before anything refers to them."""

import os
from threading import Lock

from .objectwriter import ObjectWriter


class Flusher:
    """Makes contents durable; jobs that finish together share one flush.

    Args:
        directory: On the file system of the store.
        writer: Knows whether anything was added.
    """

    def __init__(self, directory: str, writer: ObjectWriter) -> None:
        self._directory = directory
        self._writer = writer
        self._lock = Lock()

    def flush(self) -> None:
        """Writes all that was added so far to the disk."""
        with self._lock:  # a second caller waits until the first has written the data of both
            if self._writer.has_unflushed:
                self._writer.has_unflushed = False
                _sync_file_system(self._directory)


def _sync_file_system(path: str) -> None:
    """Writes the dirty pages of the file system that holds PATH."""
    import ctypes

    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None or syncfs(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)
