"""Writing trees of the store where the user wants them: to a directory or a tar archive."""

import os
import stat
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import BinaryIO, cast

from .._exceptions import CASError
from .._model.digest import Digest
from .._model.tree import FileEntry
from .._utils_atomic import get_umask
from ..utils import BST_ARBITRARY_TIMESTAMP
from .cas import Cas
from .extract import copy_content
from .layout import storage_errors
from .nodes import DirectoryNode, Tree
from .placing import FilePlacer, Placement
from .tarexport import add_tree_to_tar

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
    with storage_errors("check out into", path):
        os.makedirs(path, exist_ok=True)
    _DirectoryExport(cas, hardlinks=hardlinks, force=force).run(digest, path)


class _DirectoryExport:
    """One export to a host directory."""

    def __init__(self, cas: Cas, *, hardlinks: bool, force: bool) -> None:
        self._cas = cas
        self._hardlinks = hardlinks
        self._force = force

    def run(self, root_digest: Digest, root: str) -> None:
        # where no link is possible, it is not tried for each file
        self._hardlinks = self._hardlinks and os.stat(root).st_dev == os.stat(self._cas.directory).st_dev
        with ExitStack() as stack:
            self._run(root_digest, root, self._cas.placer(stack, self._placement()))

    def _placement(self) -> Placement:
        """How files are made where nothing can be in their way."""
        return Placement(mask=get_umask(), mtime_ns=None, place=self._write_file)

    def _run(self, root_digest: Digest, root: str, placer: FilePlacer) -> None:
        finished: list[tuple[str, int]] = []  # directories with a recorded time, parents first
        with storage_errors("check out into", root):
            waiting = [(root, root_digest, not os.listdir(root))]
        while waiting:
            path, digest, is_empty = waiting.pop()
            directory = self._cas.read_directory(digest)
            with storage_errors("check out", path):
                if not is_empty:
                    for entry in directory.files:
                        self._clear(f"{path}/{entry.name}")
                self._add_files(placer, path, directory.files)
                for name, target in directory.symlinks:
                    self._clear(f"{path}/{name}")
                    os.symlink(target, f"{path}/{name}")
                for name, child in directory.directories:
                    is_new = self._make_directory(f"{path}/{name}")
                    waiting.append((f"{path}/{name}", child, is_new))
            if directory.mtime_ns is not None:
                finished.append((path, directory.mtime_ns))
        placer.finish()
        for path, mtime_ns in reversed(finished):
            with storage_errors("check out", path):
                os.utime(path, ns=(mtime_ns, mtime_ns))

    def _add_files(self, placer: FilePlacer, path: str, entries: tuple[FileEntry, ...]) -> None:
        if not self._hardlinks:
            placer.add(path, entries, links=False)
            return
        placer.add(path, [entry for entry in entries if entry.mtime_ns is None], links=True)
        placer.add(path, [entry for entry in entries if entry.mtime_ns is not None], links=False)

    def _write_file(self, entry: FileEntry, path: str, links: bool) -> None:
        """Writes one file, where nothing is in its way."""
        with storage_errors("check out", path):
            if not links or not self._cas.link(entry, path):
                self._copy_file(entry, path)

    def _copy_file(self, entry: FileEntry, path: str) -> None:
        is_small = entry.digest.size <= _READ_AT_ONCE_BYTES
        # what is read at once is verified on its way, without a second look at the file
        data = self._cas.read_bytes(entry.digest) if is_small else None
        source = None if is_small else self._cas.object_path(entry.digest, executable=entry.is_executable)
        mode = _NEW_EXECUTABLE_MODE if entry.is_executable else _NEW_FILE_MODE
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            if source is None:
                _write_all(descriptor, data or b"")
            else:
                with open(source, "rb", buffering=0) as reader:
                    copy_content(reader.fileno(), descriptor)
            if entry.mtime_ns is not None:
                os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(descriptor)

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

    def _make_directory(self, path: str) -> bool:
        """Makes a directory unless there is one; whether it is new."""
        if not os.path.islink(path) and os.path.isdir(path):  # a link would lead the export elsewhere
            return False
        self._clear(path)
        os.mkdir(path)
        return True


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

    node = DirectoryNode(Tree(cas), None, "", digest)
    with storage_errors("write the archive", getattr(stream, "name", "-")):
        with (
            _compressed(stream, compression) as compressed,
            tarfile.open(fileobj=compressed, mode="w|") as archive,
        ):
            add_tree_to_tar(archive, node, prefix, BST_ARBITRARY_TIMESTAMP)
        stream.flush()


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
