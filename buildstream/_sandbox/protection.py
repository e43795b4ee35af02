"""Which parts of a root a command may write, when only marked directories are writable.

Files must be linked and renamed between marked directories, so these stay in one
mount with the directories above them.  What is beside them is mounted read-only;
the directories above can't be, so they lose their write permission, which binds a
command without capabilities.  Two things differ from BuildStream 2.8: a new entry
in such a directory is refused with EACCES, not EROFS; and a file of the protected
part can't be hard-linked into a marked directory (EXDEV).
"""

import os
import posixpath
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum

from .._dataclass import dataclass
from .._store.cas_directory import CasDirectory
from ..storage import FileType

# they are mounted afresh for each command; what is staged there can't be seen
MOUNT_POINTS = ("dev", "proc", "tmp")


class EntryKind(Enum):
    """What a protected entry is."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"


_KINDS = {
    FileType.DIRECTORY: EntryKind.DIRECTORY,
    FileType.SYMLINK: EntryKind.LINK,
    FileType.REGULAR_FILE: EntryKind.FILE,
}


@dataclass(frozen=True, slots=True)
class ProtectedEntry:
    """Something beside a writable directory, or beside a directory above one."""

    path: str  # relative to the root
    kind: EntryKind


@dataclass(frozen=True, slots=True)
class WriteProtection:
    """How a root is divided.  Paths are relative to the root, which is the empty path."""

    writable: tuple[str, ...]  # none is inside another
    parents: tuple[str, ...]  # directories above writable ones, each after its own parent
    siblings: tuple[ProtectedEntry, ...]  # all other entries of the parents

    def mountable_siblings(self) -> Iterator[str]:
        """The siblings that can be protected by mounts, and are not hidden by others."""
        for entry in self.siblings:
            if entry.kind is not EntryKind.LINK and entry.path not in MOUNT_POINTS:
                yield entry.path


def protect_all_but(directory: CasDirectory, writable: Iterable[str]) -> WriteProtection:
    """Divides the tree of DIRECTORY so that only WRITABLE, existing relative paths, can be written."""
    outermost = outermost_paths(writable)
    parents = sorted({parent for path in outermost for parent in _ancestors(path)})
    siblings = [
        ProtectedEntry(path, kind)
        for parent in parents
        for path, kind in _entries(directory, parent)
        if path not in outermost and path not in parents
    ]
    return WriteProtection(tuple(outermost), tuple(parents), tuple(siblings))


def outermost_paths(paths: Iterable[str]) -> list[str]:
    """Those of the relative PATHS that are not the same as, or inside, another; sorted."""
    outermost: list[str] = []
    for path in sorted(set(paths), key=lambda path: path.split("/") if path else []):
        if not any(_is_inside(path, outer) for outer in outermost):
            outermost.append(path)
    return outermost


def make_parents_accessible(directory: str, path: str) -> None:
    """Gives the parents of the relative PATH usual modes below DIRECTORY, as far as they are there.

    They were made unwritable, and a command may have made them unreadable.
    """
    for parent in sorted(_ancestors(path)):
        with suppress(FileNotFoundError):
            os.chmod(os.path.join(directory, parent), 0o755)


def _is_inside(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith(outer + "/")


def _ancestors(path: str) -> Iterator[str]:
    while path:
        path = posixpath.dirname(path)
        yield path


def _entries(directory: CasDirectory, parent: str) -> Iterator[tuple[str, EntryKind]]:
    prefix = f"{parent}/" if parent else ""
    for name, file_type in directory._entry_types(parent):
        yield prefix + name, _KINDS[file_type]
