"""Trees of the store as host directories, built once and shared by all who only read them."""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from time import time_ns

from .._model.digest import Digest
from .._model.tree import FileEntry, TreeDirectory
from .layout import DIRECTORY_MODE, EXECUTABLE_MODE, FILE_MODE, MTIME_NS, StoreLayout, storage_errors
from .objects import ObjectStore
from .placing import FilePlacer, Placement
from .sessions import StoreLock
from .trash import discard
from .treecheck import is_tree_sound

_MASK = 0o022  # gives new files the modes of objects


class TreeExtractor:
    """Builds `trees/<hash>` from objects.

    Files are links to the objects, but no two files of one tree share an
    inode: the commands of a build would take them for hard links of each other.

    Args:
        layout: Where trees go.
        objects: What their files are.
        lock: For the marks of trees that are used.
        read_directory: Reads the directories of a tree.
        look_back: Makes sure that trees of an earlier boot of the machine are whole.
    """

    def __init__(
        self,
        layout: StoreLayout,
        objects: ObjectStore,
        lock: StoreLock,
        read_directory: Callable[[Digest], TreeDirectory],
        look_back: Callable[[], None],
    ) -> None:
        self._look_back = look_back
        self._layout = layout
        self._lock = lock
        self._objects = objects
        self._read_directory = read_directory
        self._sound: set[str] = set()  # hashes of trees that this process has published or checked

    def path(self, digest: Digest) -> str:
        """Where the tree DIGEST is, once it is extracted."""
        return f"{self._layout.trees}/{digest.hash}"

    def extract(self, digest: Digest) -> str:
        """The path of the tree DIGEST, which is built now unless it is there.

        One that was damaged is built again.  Any number of threads and processes
        may build the same tree: the first to finish wins, the others throw theirs away.

        Raises:
            CASError: A blob is absent or corrupt, or the disk refuses.
        """
        target = self.path(digest)
        if self._is_usable(digest, target):
            return target
        temporary = self._layout.create_temporary_directory()
        try:
            with storage_errors("extract", target):
                self._build(digest, temporary)
                self.publish(digest, temporary)
        finally:
            if os.path.lexists(temporary):
                discard(self._layout, temporary)
        return target

    def publish(self, digest: Digest, built: str) -> bool:
        """Renames a finished tree to its place; False, and it stays, if another process did so before.

        Raises:
            OSError: It can't be renamed.
        """
        try:
            os.rename(built, self.path(digest))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            return False
        self._sound.add(digest.hash)
        return True

    def _is_usable(self, digest: Digest, target: str) -> bool:
        """Whether the tree is there and sound; a damaged one is discarded."""
        self._look_back()
        if not os.path.isdir(target):
            return False
        if digest.hash not in self._sound:
            if not is_tree_sound(target, digest, self._read_directory):
                discard(self._layout, target)
                return False
            if not self._protect(target):
                return False
            self._sound.add(digest.hash)
        return True

    def _protect(self, target: str) -> bool:
        """Notes in the ctime of a tree just checked that it is used in this session; False if it is gone."""
        try:
            with self._lock.shared():
                os.utime(target, ns=(time_ns(), os.lstat(target).st_mtime_ns))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # a store that can only be read is not cleaned up either
        return True

    def _build(self, digest: Digest, root: str) -> None:
        needs_chmod = stat.S_IMODE(os.lstat(root).st_mode) != DIRECTORY_MODE  # because of the umask
        linked: set[tuple[str, bool]] = set()  # objects that are part of this tree
        finished: list[tuple[str, int]] = []  # parents before children
        with ExitStack() as stack:
            placement = Placement(mask=_MASK, mtime_ns=MTIME_NS, place=self._place_file)
            placer = FilePlacer(stack, self._objects, placement)
            waiting = [(root, digest)]
            while waiting:
                path, directory_digest = waiting.pop()
                directory = self._read_directory(directory_digest)
                _add_files(placer, path, directory.files, linked)
                for name, target in directory.symlinks:
                    os.symlink(target, f"{path}/{name}")
                    os.utime(f"{path}/{name}", ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
                for name, child_digest in directory.directories:
                    os.mkdir(f"{path}/{name}", DIRECTORY_MODE)
                    waiting.append((f"{path}/{name}", child_digest))
                finished.append((path, MTIME_NS if directory.mtime_ns is None else directory.mtime_ns))
            placer.finish()
        for path, mtime_ns in reversed(finished):
            if needs_chmod:
                os.chmod(path, DIRECTORY_MODE)
            os.utime(path, ns=(mtime_ns, mtime_ns))

    def _place_file(self, entry: FileEntry, path: str, links: bool) -> None:
        if links and self._objects.try_link(entry.digest, path, executable=entry.is_executable):
            return
        source = self._objects.object_path(entry.digest, executable=entry.is_executable)
        mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
        copy_file(source, path, mode=mode, mtime_ns=MTIME_NS if entry.mtime_ns is None else entry.mtime_ns)


def _add_files(
    placer: FilePlacer, path: str, entries: Iterable[FileEntry], linked: set[tuple[str, bool]]
) -> None:
    """Has the files of one directory made: as links, as far as their objects are not part of the tree yet."""
    links: list[FileEntry] = []
    copies: list[FileEntry] = []
    for entry in entries:
        key = (entry.digest.hash, entry.is_executable)
        if entry.mtime_ns is None and entry.digest.size and key not in linked:
            linked.add(key)
            links.append(entry)
        else:
            copies.append(entry)
    placer.add(path, links, links=True)
    placer.add(path, copies, links=False)


def copy_file(source: str, target: str, *, mode: int, mtime_ns: int | None) -> os.stat_result:
    """Copies SOURCE to the new file TARGET; gives the status of that.

    Args:
        source: A regular file.
        target: A path where nothing is.
        mode: Its permissions, whatever the umask is.
        mtime_ns: Its modification time; None leaves the present one.

    Raises:
        OSError: It can't be copied.
    """
    with open(source, "rb", buffering=0) as reader:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            copy_content(reader.fileno(), descriptor)
            os.fchmod(descriptor, mode)
            if mtime_ns is not None:
                os.utime(descriptor, ns=(mtime_ns, mtime_ns))
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)


def copy_content(reader: int, writer: int) -> None:
    """Copies what is left to read, inside the kernel where it can."""
    while True:
        try:
            copied = os.copy_file_range(reader, writer, 1 << 30)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
                raise
            copied = os.sendfile(writer, reader, None, 1 << 30)
        if copied == 0:
            return
