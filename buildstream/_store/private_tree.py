"""Trees of the store as host directories that one build has for itself, and what it left as it was."""

import os
import stat
from collections.abc import Callable
from dataclasses import field

from .._dataclass import dataclass
from .._model.digest import Digest
from .._model.tree import FileEntry, TreeDirectory
from .extract import copy_file
from .frozen import FrozenDirectory, frozen_entries
from .layout import DIRECTORY_MODE, EXECUTABLE_MODE, FILE_MODE, MTIME_NS, storage_errors
from .objects import ObjectStore

# size, modification and change time in nanoseconds: the latter tells of every change, and can't be set
_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class PrivateFiles:
    """The files of a private tree as they were made, by inode."""

    made: dict[int, tuple[_Stamp, FileEntry]] = field(default_factory=dict)

    def note(self, status: os.stat_result, entry: FileEntry) -> None:
        """Remembers a file that has just been made."""
        self.made[status.st_ino] = (_stamp(status), entry)

    def unchanged(self, status: os.stat_result) -> FileEntry | None:
        """What the file with this STATUS is if nobody changed it; it may have been renamed since."""
        found = self.made.get(status.st_ino)
        if found is None or found[0] != _stamp(status) or not stat.S_ISREG(status.st_mode):
            return None
        entry = found[1]
        return entry if bool(status.st_mode & stat.S_IXUSR) == entry.is_executable else None


def _stamp(status: os.stat_result) -> _Stamp:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def extract_private(
    objects: ObjectStore,
    read_directory: Callable[[Digest], TreeDirectory],
    content: FrozenDirectory,
    path: str,
) -> PrivateFiles:
    """Builds CONTENT at PATH for the caller alone; see `Cas.extract_private`."""
    made = PrivateFiles()
    directories: list[tuple[str, int]] = []  # with their times; parents before children
    waiting = [(path, content)]
    with storage_errors("extract", path):
        while waiting:
            place, frozen = waiting.pop()
            os.mkdir(place)
            mtime_ns = None
            entries = frozen.entries
            if frozen.digest is not None:
                directory = read_directory(frozen.digest)
                entries, mtime_ns = frozen_entries(directory), directory.mtime_ns
            for name, entry in entries:
                if isinstance(entry, FrozenDirectory):
                    waiting.append((f"{place}/{name}", entry))
                elif isinstance(entry, FileEntry):
                    made.note(_copy(objects, entry, f"{place}/{name}"), entry)
                else:
                    os.symlink(entry.target, f"{place}/{name}")
                    os.utime(f"{place}/{name}", ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
            directories.append((place, MTIME_NS if mtime_ns is None else mtime_ns))
        for place, mtime_ns in reversed(directories):
            os.chmod(place, DIRECTORY_MODE)
            os.utime(place, ns=(mtime_ns, mtime_ns))
    return made


def _copy(objects: ObjectStore, entry: FileEntry, path: str) -> os.stat_result:
    return copy_file(
        objects.object_path(entry.digest, executable=entry.is_executable),
        path,
        mode=EXECUTABLE_MODE if entry.is_executable else FILE_MODE,
        mtime_ns=MTIME_NS if entry.mtime_ns is None else entry.mtime_ns,
    )
