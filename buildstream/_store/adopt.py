"""Making a directory that a build has written an extracted tree of the store, without copying."""

import errno
import os
import stat
from collections.abc import Callable

from .._model.digest import Digest
from .._model.tree import FileEntry, TreeDirectory
from .extract import TreeExtractor, make_stub_of
from .layout import DIRECTORY_MODE, EXECUTABLE_MODE, FILE_MODE, MTIME_NS, TreeForm, storage_errors
from .objects import ObjectStore

STUBBED_AT_MOST = 100  # files


class TreeAdopter:
    """Makes a host directory that was just captured the extracted tree of its digest.

    The directory must be exactly what extracting would have made, apart from
    modes and times; otherwise it is left alone. For a tree of stubs, they take
    the places of the files, which are objects since they were captured: at most
    STUBBED_AT_MOST, as to extract the tree, by workers, is faster than that.
    """

    def __init__(
        self,
        extractor: TreeExtractor,
        objects: ObjectStore,
        read_directory: Callable[[Digest], TreeDirectory],
    ) -> None:
        self._extractor = extractor
        self._objects = objects
        self._read_directory = read_directory
        self._stubbed: list[tuple[str, FileEntry]] = []  # files that stubs take the places of

    def adopt(self, digest: Digest, path: str) -> bool:
        """Whether PATH became the tree DIGEST; then it is no longer at PATH.

        Raises:
            CASError: The disk refuses.
        """
        if self._extractor.exists(digest):
            return False
        with storage_errors("adopt", path):
            directories = self._checked_directories(digest, path)
            if directories is None:
                return False
            if self._extractor.form is TreeForm.STUBS:
                self._extractor.announce([digest])
                for file_path, entry in self._stubbed:
                    self._objects.unlink(file_path, entry.digest, executable=entry.is_executable)
                    make_stub_of(self._objects, entry, file_path)
            for directory in reversed(directories):
                os.chmod(directory, DIRECTORY_MODE)
                os.utime(directory, ns=(MTIME_NS, MTIME_NS))
            try:
                return self._extractor.publish(digest, path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return False

    def _checked_directories(self, digest: Digest, root: str) -> list[str] | None:
        """The paths of all directories, parents first; None if ROOT is not the tree DIGEST."""
        directories: list[str] = []
        waiting = [(root, digest)]
        while waiting:
            path, directory_digest = waiting.pop()
            directory = self._read_directory(directory_digest)
            if directory.mtime_ns is not None or self._has_many(directory):
                return None
            if not self._matches(path, directory):
                return None
            directories.append(path)
            waiting.extend((f"{path}/{entry.name}", entry.digest) for entry in directory.directories)
        return directories

    def _has_many(self, directory: TreeDirectory) -> bool:
        """Whether, with the files of DIRECTORY, more stubs would be made than are worth it."""
        is_stub = self._extractor.form is TreeForm.STUBS
        return is_stub and len(self._stubbed) + len(directory.files) > STUBBED_AT_MOST

    def _matches(self, path: str, directory: TreeDirectory) -> bool:
        """Whether the host directory at PATH has exactly these entries; fixes their modes and times."""
        if os.lstat(path).st_mode & 0o700 != 0o700 or not _clear_attributes(path):
            return False
        expected = {entry.name for entries in directory[:3] for entry in entries}
        if set(os.listdir(path)) != expected:
            return False
        return (
            all(self._matches_file(f"{path}/{entry.name}", entry) for entry in directory.files)
            and all(_matches_symlink(f"{path}/{name}", target) for name, target in directory.symlinks)
            and all(stat.S_ISDIR(os.lstat(f"{path}/{name}").st_mode) for name, _ in directory.directories)
        )

    def _matches_file(self, path: str, entry: FileEntry) -> bool:
        status = os.lstat(path)
        if entry.mtime_ns is not None or not stat.S_ISREG(status.st_mode):
            return False
        if status.st_size != entry.digest.size or not _clear_attributes(path):
            return False
        # A second name may only be that of the object: another one would show as a hard link.
        if status.st_nlink != 1 and not (
            status.st_nlink == 2
            and self._objects.is_object(status, entry.digest, executable=entry.is_executable)
        ):
            return False
        if self._extractor.form is TreeForm.STUBS and entry.digest.size:
            self._stubbed.append((path, entry))
            return True
        mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
        if stat.S_IMODE(status.st_mode) != mode:
            os.chmod(path, mode)
        if status.st_mtime_ns != MTIME_NS:
            os.utime(path, ns=(MTIME_NS, MTIME_NS))
        return True


def _matches_symlink(path: str, target: str) -> bool:
    if not os.path.islink(path) or os.readlink(path) != target:
        return False
    os.utime(path, ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
    return True


def _clear_attributes(path: str) -> bool:
    """Removes extended attributes, such as the marks of an overlay; False if that can't be done."""
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            if name == "security.selinux":
                continue
            if not name.startswith("user."):
                return False
            os.removexattr(path, name, follow_symlinks=False)
    except OSError as error:
        return error.errno == errno.EOPNOTSUPP
    return True
