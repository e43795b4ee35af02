"""Trees of the store as host directories, built once and shared by all who only read them."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from time import time_ns

from .._model.digest import Digest
from .._model.tree import FileEntry, TreeDirectory
from .layout import (
    DIRECTORY_MODE,
    EXECUTABLE_MODE,
    FILE_MODE,
    MTIME_NS,
    StoreLayout,
    TreeForm,
    storage_errors,
)
from .objects import ObjectStore, object_name
from .placing import FilePlacer, Making, Placement
from .sessions import StoreLock
from .stubs import make_stub
from .trash import discard
from .treecheck import TreeCheck

_MASK = 0o022  # gives new files the modes of objects


class TreeExtractor:
    """Builds trees of one form from objects, each under its hash.

    No two files of any trees share an inode: the commands of a build would take them
    for hard links of each other.

    Args:
        layout: Where trees go.
        form: What their files are.
        objects: What their files are.
        lock: For the marks of trees that are used.
        read_directory: Reads the directories of a tree.
        look_back: Makes sure that trees of an earlier boot of the machine are whole.
        announce: Has all clean-ups spare the objects of trees as long as the session lasts.
    """

    def __init__(
        self,
        layout: StoreLayout,
        form: TreeForm,
        objects: ObjectStore,
        lock: StoreLock,
        *,
        read_directory: Callable[[Digest], TreeDirectory],
        look_back: Callable[[], None],
        announce: Callable[[Sequence[Digest]], None],
    ) -> None:
        self.form = form
        self.announce = announce
        self._look_back = look_back
        self._layout = layout
        self._lock = lock
        self._objects = objects
        self._read_directory = read_directory
        self._quarantine_count = 0  # what it was when trees were looked through
        self._sound: set[str] = set()  # hashes of trees that this process has published or checked

    def path(self, digest: Digest) -> str:
        """Where the tree DIGEST is, once it is extracted."""
        return f"{self._layout.extracted[self.form]}/{digest.hash}"

    def exists(self, digest: Digest) -> bool:
        """Whether the tree DIGEST is there, whatever its state may be."""
        self._look_back()
        return os.path.isdir(self.path(digest))

    def extract(self, digests: Iterable[Digest]) -> list[str]:
        """The paths of the trees DIGESTS, of which those that are not there are built now.

        One that was damaged is built again.  Any number of threads and processes
        may build the same tree: the first to finish wins, the others throw theirs away.

        Raises:
            CASError: A blob is absent or corrupt, or the disk refuses.
        """
        digests = list(digests)
        if self._quarantine_count != self._objects.quarantine_count:
            self._quarantine_count = self._objects.quarantine_count
            self._sound.clear()  # some may have had the corrupt object
        self._check([digest for digest in digests if digest.hash not in self._sound])
        return [self._extract(digest) for digest in digests]

    def _extract(self, digest: Digest) -> str:
        target = self.path(digest)
        if digest.hash in self._sound and self.exists(digest):
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

    def _check(self, digests: list[Digest]) -> None:
        """Looks through those of the trees that are there, to be used; damaged ones are discarded."""
        if self.form is TreeForm.STUBS:
            self.announce(digests)  # before their objects are looked at
        present = [digest for digest in digests if self.exists(digest)]
        for digest, is_sound in zip(present, self._sound_ones(present), strict=True):
            if not is_sound:
                discard(self._layout, self.path(digest))
            elif self._protect(self.path(digest)):
                self._sound.add(digest.hash)

    def _sound_ones(self, digests: list[Digest]) -> list[bool]:
        check = TreeCheck(self.form, self._objects, self._read_directory)
        return check.sound((self.path(digest), digest) for digest in digests)

    def unsound(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of the trees that are not there any more with all their contents; looks at each file."""
        digests = list(digests)
        found = [
            digest for digest, right in zip(digests, self._sound_ones(digests), strict=True) if not right
        ]
        self._sound.difference_update(digest.hash for digest in found)
        return found

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
        finished: list[tuple[str, int]] = []  # parents before children
        with ExitStack() as stack:
            placement = Placement(mask=_MASK, mtime_ns=MTIME_NS, place=self._place_file)
            placer = FilePlacer(stack, self._objects, placement)
            waiting = [(root, digest)]
            while waiting:
                path, directory_digest = waiting.pop()
                directory = self._read_directory(directory_digest)
                self._add_files(placer, path, directory.files)
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

    def _add_files(self, placer: FilePlacer, path: str, entries: Iterable[FileEntry]) -> None:
        """Has the files of one directory made."""
        made: list[FileEntry] = []
        copies: list[FileEntry] = []
        is_stub = self.form is TreeForm.STUBS
        for entry in entries:
            if entry.digest.size and (is_stub or entry.mtime_ns is None):
                made.append(entry)
            else:
                copies.append(entry)
        placer.add(path, made, Making.STUB if is_stub else Making.LONE_LINK)
        placer.add(path, copies, Making.COPY)

    def _place_file(self, entry: FileEntry, path: str, making: Making) -> None:
        if making is Making.STUB:
            make_stub_of(self._objects, entry, path)
            return
        if making is Making.LONE_LINK and self._objects.try_link_alone(
            entry.digest, path, executable=entry.is_executable
        ):
            return
        source = self._objects.object_path(entry.digest, executable=entry.is_executable)
        mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
        copy_file(source, path, mode=mode, mtime_ns=MTIME_NS if entry.mtime_ns is None else entry.mtime_ns)


def make_stub_of(objects: ObjectStore, entry: FileEntry, path: str) -> None:
    """Makes a stub of the file ENTRY, which is not empty, at PATH; its object is verified.

    Raises:
        CASError: The object is missing or corrupt.
        OSError: The stub can't be made.
    """
    objects.object_path(entry.digest, executable=entry.is_executable)
    mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
    mtime_ns = MTIME_NS if entry.mtime_ns is None else entry.mtime_ns
    make_stub(path, object_name(entry), entry.digest.size, mode=mode, mtime_ns=mtime_ns)


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
