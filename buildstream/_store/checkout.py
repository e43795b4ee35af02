"""Writing trees of the store where the user wants them: to a directory or a tar archive."""

import os
import stat
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import BinaryIO, cast

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.tree import FileEntry
from .._utils_atomic import get_umask
from ..utils import BST_ARBITRARY_TIMESTAMP
from .cas import Cas
from .extract import copy_content
from .layout import host_errors
from .nodes import DirectoryNode, Tree
from .placing import FilePlacer, Making, Placement
from .tarexport import add_tree_to_tar
from .treeplacing import TreePlacer

_NEW_FILE_MODE = 0o666  # the umask is taken off by the system
_NEW_EXECUTABLE_MODE = 0o777
_READ_AT_ONCE_BYTES = 1 << 20


def export_directory(
    cas: Cas, digest: Digest, path: str, *, hardlinks: bool = False, force: bool = False
) -> None:
    """Writes a tree into a host directory.

    Files get the modes that the umask allows and the present time, unless the
    tree records another.

    Args:
        cas: The store.
        digest: The tree.
        path: The directory, created if it is missing.
        hardlinks: Whether files become links of the objects in the store,
            where the file system allows it.
        force: Whether files and links that are in the way are replaced.

    Raises:
        CASError: A blob is missing or corrupt, or something is in the way.
    """
    path = os.path.abspath(path)  # for workers, too
    with host_errors("check out into", path):
        os.makedirs(path, exist_ok=True)
    cas.bring_tree(digest)
    _DirectoryExport(cas, hardlinks=hardlinks, force=force).run(digest, path)


class _DirectoryExport:
    """One export to a host directory."""

    def __init__(self, cas: Cas, *, hardlinks: bool, force: bool) -> None:
        self._cas = cas
        self._hardlinks = hardlinks
        self._force = force
        self._file_count = 0
        self._times: list[tuple[str, int]] = []  # recorded times of directories, parents before children

    def run(self, root_digest: Digest, root: str) -> None:
        # where no link is possible, it is not tried for each file
        self._hardlinks = self._hardlinks and os.stat(root).st_dev == os.stat(self._cas.directory).st_dev
        placement = Placement(mask=get_umask(), mtime_ns=None, place=self._write_file)
        verified_ns = self._cas.verified_ns(root_digest) if self._hardlinks else 0
        manner = (self._hardlinks, placement.mask, verified_ns)
        with host_errors("check out into", root):
            waiting = [(root, root_digest, not os.listdir(root))]
        with ExitStack() as stack:
            placer = self._cas.placer(stack, placement)
            while waiting:
                path, digest, is_empty = waiting.pop()
                with host_errors("check out", path):
                    waiting += self._make(placer, path, digest, is_empty=is_empty)
                if placer.group is not None:
                    trees = TreePlacer(placer.group, manner)
                    trees.run((path, digest) for path, digest, is_empty in waiting if is_empty)
                    waiting = [task for task in waiting if not task[2]]
                    waiting += self._take_over(trees)
            placer.finish()
        if self._hardlinks:
            self._cas.note_verified(root_digest, self._file_count)
        for path, mtime_ns in reversed(self._times):
            with host_errors("check out", path):
                os.utime(path, ns=(mtime_ns, mtime_ns))

    def _make(
        self, placer: FilePlacer, path: str, digest: Digest, *, is_empty: bool
    ) -> list[tuple[str, Digest, bool]]:
        """Makes what is in a directory; gives the paths of those in it, and whether they are empty."""
        directory = self._cas.read_directory(digest)
        if not is_empty:
            for entry in directory.files:
                self._clear(f"{path}/{entry.name}")
        self._file_count += len(directory.files)
        self._add_files(placer, path, directory.files)
        for name, target in directory.symlinks:
            if not is_empty:
                self._clear(f"{path}/{name}")
            os.symlink(target, f"{path}/{name}")
        if directory.mtime_ns is not None:
            self._times.append((path, directory.mtime_ns))
        children: list[tuple[str, Digest, bool]] = []
        for name, child in directory.directories:
            is_new = is_empty or self._is_free(f"{path}/{name}")
            if is_new:
                os.mkdir(f"{path}/{name}")
            children.append((f"{path}/{name}", child, is_new))
        return children

    def _take_over(self, trees: TreePlacer) -> list[tuple[str, Digest, bool]]:
        """Does what workers have left; gives the directories that they did not make."""
        self._file_count += trees.file_count
        self._times += trees.times
        for path, digest, positions, may_exist in trees.left:
            entries = self._cas.read_directory(digest).files
            for position in positions:
                entry = entries[position]
                if may_exist:
                    _remove(f"{path}/{entry.name}")
                is_link = self._hardlinks and entry.mtime_ns is None
                self._write_file(entry, f"{path}/{entry.name}", Making.LINK if is_link else Making.COPY)
        for path, digest in trees.refused:
            directory = self._cas.read_directory(digest)
            for name, *_ in (*directory.files, *directory.symlinks):
                _remove(f"{path}/{name}")
        return [(path, digest, False) for path, digest in trees.refused]

    def _add_files(self, placer: FilePlacer, path: str, entries: tuple[FileEntry, ...]) -> None:
        if not self._hardlinks:
            placer.add(path, entries, Making.COPY)
            return
        placer.add(path, [entry for entry in entries if entry.mtime_ns is None], Making.LINK)
        placer.add(path, [entry for entry in entries if entry.mtime_ns is not None], Making.COPY)

    def _write_file(self, entry: FileEntry, path: str, making: Making) -> None:
        """Writes one file, where nothing is in its way."""
        with host_errors("check out", path):
            if making is Making.COPY or not self._cas.link(entry, path):
                self._copy_file(entry, path)

    def _copy_file(self, entry: FileEntry, path: str) -> None:
        is_small = entry.digest.size <= _READ_AT_ONCE_BYTES
        # what is read at once is verified on its way, without a second look at the file
        data = self._cas.read_bytes(entry.digest) if is_small else b""
        mode = _NEW_EXECUTABLE_MODE if entry.is_executable else _NEW_FILE_MODE
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            if is_small:
                _write_all(descriptor, data)
            else:
                self._copy_large(entry, descriptor)
            if entry.mtime_ns is not None:
                os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(descriptor)

    def _copy_large(self, entry: FileEntry, descriptor: int) -> None:
        try:
            self._copy_verified(entry, descriptor)
        except CASError as error:
            if error.reason != "corrupt-blob":
                raise
            # perhaps found at the end: it is healed now, or an error
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            self._copy_verified(entry, descriptor)

    def _copy_verified(self, entry: FileEntry, descriptor: int) -> None:
        with (
            self._cas.read_path(entry.digest, executable=entry.is_executable) as source,
            open(source, "rb", buffering=0) as reader,
        ):
            copy_content(reader.fileno(), descriptor)

    def _clear(self, path: str) -> None:
        """Removes a file or link that is in the way, if that is allowed."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode) or not self._force:
            kind = "a directory" if stat.S_ISDIR(mode) else "a file"
            raise CASError(f"Failed to check out '{path}': there is {kind} already")
        os.unlink(path)

    def _is_free(self, path: str) -> bool:
        """Whether there is no directory at PATH, and nothing else any more."""
        if not os.path.islink(path) and os.path.isdir(path):  # a link would lead the export elsewhere
            return False
        self._clear(path)
        return True


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def export_tar(
    cas: Cas, digest: Digest, stream: BinaryIO, *, compression: str = "", prefix: str = "."
) -> None:
    """Writes a tree as a tar archive, with the same bytes every time.

    Args:
        cas: The store.
        digest: The tree.
        stream: Where to write to; it needs no position and is left open.
        compression: "gz", "xz", "bz2", or "" for none.
        prefix: Leading component of the names of members; "" is none.

    Raises:
        CASError: A blob is missing or corrupt, or the stream can't be written.
    """
    import tarfile

    cas.bring_tree(digest)
    node = DirectoryNode(Tree(cas), None, "", digest)
    with host_errors("write the archive", getattr(stream, "name", "-")):
        with (
            _compressed(stream, compression) as compressed,
            # the mode of the module for streams would copy all through a buffer of 10 KiB
            tarfile.TarFile(
                fileobj=cast("BinaryIO", _Sink(compressed)), mode="w", copybufsize=_READ_AT_ONCE_BYTES
            ) as archive,
        ):
            add_tree_to_tar(archive, node, prefix, BST_ARBITRARY_TIMESTAMP)
        stream.flush()


class _Sink:
    """What an archive needs of a stream that has no position."""

    def __init__(self, stream: BinaryIO) -> None:
        self.write = stream.write

    @staticmethod
    def tell() -> int:
        """Where the archive begins, as far as it has to know."""
        return 0


def _compressed(stream: BinaryIO, compression: str) -> AbstractContextManager[BinaryIO]:
    """A stream that compresses into STREAM, which is left open."""
    if compression == "gz":
        from gzip import GzipFile

        return cast("BinaryIO", GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
    if compression == "xz":
        from lzma import LZMAFile

        return cast("BinaryIO", LZMAFile(stream, "wb"))
    if compression == "bz2":
        from bz2 import BZ2File

        return cast("BinaryIO", BZ2File(stream, "wb"))
    return nullcontext(stream)
