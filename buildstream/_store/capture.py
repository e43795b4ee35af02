"""Taking host directories into the store."""

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.tree import DirectoryEntry, FileEntry, TreeDirectory, encode_directory
from .layout import cas_error
from .objects import ObjectStore
from .private_tree import PrivateFiles
from .scan import Scan, ScannedDirectory

# Below this size the work of the interpreter, which threads can't share, outweighs hashing.
THREADED_SIZE_BYTES = 256 * 1024


class CaptureBase(NamedTuple):
    """What the upper directory of an overlay is a change of."""

    digest: Digest  # the tree under it
    before: Digest | None = None  # what the overlay showed at first, if that was not just the tree
    private: PrivateFiles | None = None  # the files that were in the upper directory at first


def capture_directory(objects: ObjectStore, path: str, *, mtimes: bool, consume: bool) -> Digest:
    """Stores the host directory at PATH; see `Cas.import_directory`."""
    return _Capture(objects, Scan(), mtimes=mtimes, consume=consume).run(path, None)


def capture_overlay(
    objects: ObjectStore,
    read_directory: Callable[[Digest], TreeDirectory],
    base: CaptureBase,
    upper_path: str,
    *,
    mtimes: bool,
    consume: bool,
) -> Digest:
    """Stores BASE with the changes of an overlay; see `Cas.capture_overlay`."""
    return _Capture(objects, Scan(read_directory), mtimes=mtimes, consume=consume).run(upper_path, base)


class _FoundFile(NamedTuple):
    """A file that the scan has found."""

    path: str
    name: str
    entries: list[FileEntry]  # of its directory; where it goes once it is stored


class _Capture:
    """One capture: read all directories, store all files, then encode from the leaves to the root."""

    def __init__(self, objects: ObjectStore, scan: Scan, *, mtimes: bool, consume: bool) -> None:
        self._objects = objects
        self._scan = scan
        self._mtimes = mtimes
        self._consume = consume
        self._private: PrivateFiles | None = None

    def run(self, path: str, base: CaptureBase | None) -> Digest:
        try:
            if base is None:
                self._scan.run(path)
            else:
                self._private = base.private
                self._scan.run(path, base.digest, base.before)
            return self._encode(self._store_files())
        finally:
            self._scan.restore_modes()

    def _store_files(self) -> list[list[FileEntry]]:
        """The files of each scanned directory, unsorted; large ones are stored by threads."""
        stored: list[list[FileEntry]] = []
        found: list[_FoundFile] = []
        for directory in self._scan.directories:
            entries: list[FileEntry] = []
            stored.append(entries)
            found += [_FoundFile(f"{directory.path}/{name}", name, entries) for name in directory.files]
        if self._private is not None:
            found = [file for file in found if not self._is_unchanged(file, self._private)]
        large = [file for file in found if not self._store_file(file, may_defer=True)]
        threads = min(len(large), len(os.sched_getaffinity(0)))
        if threads > 1:
            from concurrent.futures import ThreadPoolExecutor

            writer = self._objects.writer
            with ThreadPoolExecutor(threads, "capture", writer.count_for, (writer.stored,)) as pool:
                list(pool.map(self._store_file, large))
        else:
            for file in large:
                self._store_file(file)
        return stored

    @staticmethod
    def _is_unchanged(file: _FoundFile, private: PrivateFiles) -> bool:
        """Whether a file is as it was before, so that its entry is known and now noted."""
        entry = private.unchanged(os.lstat(file.path))
        if entry is None:
            return False
        file.entries.append(entry if entry.name == file.name else entry._replace(name=file.name))
        return True

    def _store_file(self, file: _FoundFile, *, may_defer: bool = False) -> bool:
        """Stores one file, if it still is a regular one; False if it is large and may be left for later."""
        try:
            descriptor, hidden_mode = open_for_reading(file.path)
        except OSError as error:
            raise cas_error("capture", file.path, error) from error
        has_stored = False
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return True
            if may_defer and status.st_size >= THREADED_SIZE_BYTES:
                return False
            mode = status.st_mode if hidden_mode is None else hidden_mode
            is_executable = bool(mode & stat.S_IXUSR)
            digest = self._objects.add_open_file(
                descriptor, file.path, status, executable=is_executable, consume=self._consume
            )
            mtime_ns = status.st_mtime_ns // 1000 * 1000 if self._mtimes else None
            has_stored = True
            file.entries.append(FileEntry(file.name, digest, is_executable, mtime_ns))
            return True
        finally:
            if hidden_mode is not None and not (self._consume and has_stored):
                os.fchmod(descriptor, hidden_mode)
            os.close(descriptor)

    def _encode(self, stored: list[list[FileEntry]]) -> Digest:
        """Stores the directories, children before parents, and gives the digest of the root."""
        subdirectories: list[list[DirectoryEntry]] = [[] for _ in stored]
        digest: Digest | None = None
        for position in range(len(stored) - 1, -1, -1):
            scanned = self._scan.directories[position]
            mtime_ns = scanned.mtime_ns // 1000 * 1000 if self._mtimes and scanned.parent >= 0 else None
            captured = TreeDirectory(
                tuple(stored[position]),
                tuple(subdirectories[position]),
                tuple(scanned.symlinks),
                None,
                mtime_ns,
            )
            merged = _merged(scanned, captured)
            digest = _unchanged(scanned, merged)
            if digest is None:
                digest = self._objects.add_bytes(encode_directory(merged))
            if scanned.parent >= 0:
                subdirectories[scanned.parent].append(DirectoryEntry(scanned.name, digest))
        assert digest is not None, "a scan has at least its root"
        return digest


def open_for_reading(path: str) -> tuple[int, int | None]:
    """Opens a file; if its mode forbids that, gives the mode that has to be restored as second value."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags), None
    except PermissionError:
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        os.chmod(path, mode | stat.S_IRUSR)
        return os.open(path, flags), mode


def _merged(scanned: ScannedDirectory, captured: TreeDirectory) -> TreeDirectory:
    """The captured entries over those of the base."""
    if scanned.base_digest is None:
        return captured
    hidden = scanned.removed.union(
        (entry.name for entry in captured.files),
        (entry.name for entry in captured.directories),
        (entry.name for entry in captured.symlinks),
    )
    base = scanned.base
    return TreeDirectory(
        captured.files + tuple(entry for entry in base.files if entry.name not in hidden),
        captured.directories + tuple(entry for entry in base.directories if entry.name not in hidden),
        captured.symlinks + tuple(entry for entry in base.symlinks if entry.name not in hidden),
        None,
        captured.mtime_ns,
    )


def _unchanged(scanned: ScannedDirectory, merged: TreeDirectory) -> Digest | None:
    """The digest that the directory had before, if the changes amount to nothing."""
    before = scanned.before
    if before is None:
        return None
    was, now = before.content[:3], merged[:3]
    is_same = all(
        len(ours) == len(theirs) and set(ours) == set(theirs) for ours, theirs in zip(was, now, strict=True)
    )
    return before.digest if is_same else None


def require_directory(path: str) -> None:
    """Raises CASError unless PATH is a directory."""
    if not os.path.isdir(path):
        raise CASError(f"Can't capture '{path}': there is no such directory")
