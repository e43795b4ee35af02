"""Getting contents onto the disk before anything refers to them, and what is doubtful where power was lost.

`cas/synced` is written after each flush: its modification time is when the flush
began, its text the boot of the machine.
"""

import os
from contextlib import suppress
from threading import Lock
from time import time_ns

from .diskfiles import DiskFiles
from .layout import FILE_MODE, StoreLayout, storage_errors
from .objectwriter import ObjectWriter
from .sessions import CLOCK_SLACK_NS, StoreLock
from .trash import discard


class Flusher:
    """Makes contents durable; jobs that finish together share one flush.

    Args:
        layout: Of the store.
        lock: Under which trees are discarded.
        writer: Knows whether anything was added.
        disk: Synchronises.
    """

    def __init__(self, layout: StoreLayout, lock: StoreLock, writer: ObjectWriter, disk: DiskFiles) -> None:
        self._layout = layout
        self._store_lock = lock
        self._writer = writer
        self._disk = disk
        self._lock = Lock()
        self._has_commits = False  # whether records were written that are perhaps not on the disk
        self._has_looked_back = False

    def flush(self) -> None:
        """Writes all that was added so far to the disk; a record is going to be written.

        Raises:
            CASError: The disk refuses.
        """
        with self._lock:  # a second caller waits until the first has written the data of both
            if self._writer.has_unflushed:
                self._writer.has_unflushed = False
                self._synchronize()
            self._has_commits = True

    def finish(self) -> None:
        """Writes records to the disk, at the end of a session.

        Raises:
            CASError: The disk refuses.
        """
        with self._lock:
            if self._has_commits:
                self._has_commits = False
                self._synchronize()

    def look_back(self) -> None:
        """Discards extracted trees that may not be on the disk, if the machine was started anew since.

        They alone are trusted by their attributes when another process has made them.
        To be called before one is used; costs a look at each tree, once a boot.

        Raises:
            CASError: One can't be moved.
        """
        if self._has_looked_back:
            return
        boot = self._disk.boot_id()
        if not self._is_of(boot):
            with self._store_lock.exclusive():
                if not self._is_of(boot):  # nobody else has done it meanwhile, and uses trees already
                    self._discard_doubtful_trees(boot)
        self._has_looked_back = True

    def _synchronize(self) -> None:
        self.look_back()
        started_ns = time_ns()
        with storage_errors("write to the disk", self._layout.objects):
            self._disk.synchronize_all(self._layout.objects)
        with suppress(OSError):  # then trees are made again after a loss of power that might have been kept
            self._note(self._disk.boot_id(), started_ns)

    def _is_of(self, boot: str) -> bool:
        """Whether the note in the store is of this boot of the machine."""
        with suppress(OSError, ValueError), open(_note_path(self._layout), encoding="ascii") as file:
            return file.read() == boot != ""
        return False

    def _discard_doubtful_trees(self, boot: str) -> None:
        synced_ns = last_flush_ns(self._layout)
        for directory in self._layout.extracted.values():
            for name in os.listdir(directory):
                with suppress(FileNotFoundError):
                    if os.lstat(f"{directory}/{name}").st_ctime_ns >= synced_ns:
                        discard(self._layout, f"{directory}/{name}")
        with suppress(OSError):  # a store that can only be read
            self._note(boot, synced_ns + CLOCK_SLACK_NS if synced_ns else 0)

    def _note(self, boot: str, synced_ns: int) -> None:
        """Notes that everything was on the disk at SYNCED_NS, and which BOOT of the machine this is."""
        path = _note_path(self._layout)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.write(descriptor, boot.encode("ascii"))
            os.utime(descriptor, ns=(synced_ns, synced_ns))
        finally:
            os.close(descriptor)


def last_flush_ns(layout: StoreLayout) -> int:
    """When everything was on the disk, in nanoseconds since the epoch, with some reserve; 0 if never."""
    try:
        return max(os.stat(_note_path(layout)).st_mtime_ns - CLOCK_SLACK_NS, 0)
    except OSError:
        return 0


def _note_path(layout: StoreLayout) -> str:
    return os.path.join(layout.cas, "synced")
