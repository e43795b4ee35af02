"""Reading host directories: plain ones, and the upper directories of overlays."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from typing import NamedTuple

from .._dataclass import dataclass
from .._exceptions import CASError
from .._model.digest import Digest
from .._model.tree import SymlinkEntry, TreeDirectory
from .layout import storage_errors

_OPAQUE_ATTRIBUTE = "user.overlay.opaque"
_NOTHING = TreeDirectory()


class KnownDirectory(NamedTuple):
    """A directory of the store."""

    digest: Digest
    content: TreeDirectory


@dataclass(slots=True)
class ScannedDirectory:
    """What one host directory contains, and what it stands on."""

    path: str
    parent: int  # position of the parent in the scan; -1 at the top
    name: str  # in its parent
    mtime_ns: int = 0
    files: list[str] = field(default_factory=list)  # names
    symlinks: list[SymlinkEntry] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)  # special files, as whiteouts: they hide what is below
    base_digest: Digest | None = None  # what lies under it in the overlay
    base: TreeDirectory = _NOTHING
    before: KnownDirectory | None = None  # what was here, of the overlay as it was first


class Scan:
    """The directories below a path, parents before children.

    Directories that can't be read get other modes until `restore_modes`.

    Args:
        read_directory: For an overlay: reads directories of the tree under it.
    """

    def __init__(self, read_directory: Callable[[Digest], TreeDirectory] | None = None) -> None:
        self._read_directory = read_directory
        self._changed_modes: list[tuple[str, int]] = []
        self.directories: list[ScannedDirectory] = []

    def run(self, path: str, base: Digest | None = None, before: Digest | None = None) -> None:
        """Reads the directory at PATH with all below it.

        Args:
            path: A host directory.
            base: For an overlay: the tree that PATH lies upon.
            before: What it showed at first, if that was not just the base.

        Raises:
            CASError: Something can't be read, or has a name that is not UTF-8.
        """
        self.directories.append(self._new(path, -1, "", (base, before or base)))
        for position, directory in enumerate(self.directories):  # the list grows meanwhile
            with storage_errors("capture", directory.path):
                self._read(directory, position)

    def restore_modes(self) -> None:
        """Gives the directories that were made readable their modes back."""
        for path, mode in reversed(self._changed_modes):
            with suppress(OSError):
                os.chmod(path, mode)

    def _new(
        self, path: str, parent: int, name: str, known: tuple[Digest | None, Digest | None]
    ) -> ScannedDirectory:
        """A directory to be read; KNOWN is what lies under it, and what was there at first."""
        base, before = known
        directory = ScannedDirectory(path, parent, name)
        if self._read_directory is None or (base is not None and _is_opaque(path)):
            return directory
        if base is not None:
            directory.base_digest = base
            directory.base = self._read_directory(base)
        if before is not None:
            content = directory.base if before == base else self._read_directory(before)
            directory.before = KnownDirectory(before, content)
        return directory

    def _read(self, directory: ScannedDirectory, position: int) -> None:
        status = os.lstat(directory.path)
        directory.mtime_ns = status.st_mtime_ns
        if status.st_mode & 0o500 != 0o500:
            with suppress(PermissionError):
                os.chmod(directory.path, status.st_mode & 0o7777 | 0o500)
                self._changed_modes.append((directory.path, stat.S_IMODE(status.st_mode)))

        bases = dict(directory.base.directories)
        befores = dict(directory.before.content.directories) if directory.before else {}
        with os.scandir(directory.path) as entries:
            for entry in entries:
                name = entry.name
                if not name.isascii():
                    check_utf8(name, entry.path)
                if entry.is_symlink():
                    target = os.readlink(entry.path)
                    check_utf8(target, entry.path)
                    directory.symlinks.append(SymlinkEntry(name, target))
                elif entry.is_file():
                    directory.files.append(name)
                elif entry.is_dir():
                    known = (bases.get(name), befores.get(name))
                    self.directories.append(self._new(entry.path, position, name, known))
                else:
                    directory.removed.add(name)


def check_utf8(text: str, path: str) -> None:
    """Raises CASError unless TEXT, a name or link target found at PATH, is valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        readable = os.fsencode(path).decode(errors="backslashreplace")
        raise CASError(f"The name or link target of '{readable}' is not valid UTF-8") from error


def _is_opaque(path: str) -> bool:
    """Whether an overlay shows the directory at PATH without what lies under it."""
    try:
        return os.getxattr(path, _OPAQUE_ATTRIBUTE, follow_symlinks=False) == b"y"
    except OSError:
        return False  # no such attribute, or none at all on this file system
