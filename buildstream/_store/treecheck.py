"""Finding out whether an extracted tree is still what it was when it got its name."""

import os
import stat
from collections.abc import Callable, Iterator

from .._model.digest import Digest
from .._model.tree import FileEntry, TreeDirectory
from .filedigest import digest_of_file
from .layout import EXECUTABLE_MODE, FILE_MODE, MTIME_NS


def is_tree_sound(root: str, digest: Digest, read_directory: Callable[[Digest], TreeDirectory]) -> bool:
    """Whether all files of the tree DIGEST, extracted at ROOT, have their content.

    The ctime of ROOT tells when the tree was published, or checked last.  Files
    that were changed since then, be it by a new hard link alone, are hashed;
    for others size and times suffice.  Costs a system call for each file.

    Raises:
        CASError: A directory of the tree is missing or corrupt.
    """
    try:
        checked_ns = os.lstat(root).st_ctime_ns
        suspects = []
        for path, entry in _files(root, digest, read_directory):
            status = os.lstat(path)
            if not _has_attributes(status, entry):
                return False
            if status.st_ctime_ns > checked_ns:
                suspects.append((path, entry.digest))
        if not all(digest_of_file(path).hash == expected.hash for path, expected in suspects):
            return False
        if suspects:
            mtime_ns = os.lstat(root).st_mtime_ns
            os.utime(root, ns=(mtime_ns, mtime_ns))  # for its ctime
    except OSError:
        return False
    return True


def _files(
    root: str, digest: Digest, read_directory: Callable[[Digest], TreeDirectory]
) -> Iterator[tuple[str, FileEntry]]:
    waiting = [(root, digest)]
    while waiting:
        path, directory_digest = waiting.pop()
        directory = read_directory(directory_digest)
        for entry in directory.files:
            yield f"{path}/{entry.name}", entry
        waiting.extend((f"{path}/{child.name}", child.digest) for child in directory.directories)


def _has_attributes(status: os.stat_result, entry: FileEntry) -> bool:
    mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
    mtime_ns = MTIME_NS if entry.mtime_ns is None else entry.mtime_ns
    return (
        status.st_size == entry.digest.size
        and status.st_mode == stat.S_IFREG | mode
        and status.st_mtime_ns == mtime_ns
    )
