"""Trees as members of a tar archive, the same bytes every time."""

from io import BytesIO
from typing import TYPE_CHECKING

from .._model.tree import FileEntry, SymlinkEntry
from ..storage import FileType
from .layout import DIRECTORY_MODE, EXECUTABLE_MODE, FILE_MODE
from .nodes import DirectoryNode, Tree, View

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo

SYMLINK_MODE = 0o777
_READ_AT_ONCE_BYTES = 1 << 20


def add_tree_to_tar(archive: "TarFile", directory: DirectoryNode, destination: str, mtime: int) -> None:
    """Adds the content of a directory to an archive, without loading nodes.

    Args:
        archive: Opened for writing.
        directory: What to add; itself it gets no member.
        destination: The path of the directory in the archive; "" is none.
        mtime: Modification time of every member, in seconds since the epoch.

    Raises:
        CASError: A blob is missing or corrupt.
    """
    _add_entries(archive, directory.tree, directory.view(), destination, mtime)


def _add_entries(archive: "TarFile", tree: Tree, top: View, destination: str, mtime: int) -> None:
    # directories that are being added, each with what is left of it; trees may be deeper than the stack
    open_directories = [(destination, iter(sorted(tree.entries_of(top).items())))]
    while open_directories:
        directory, entries = open_directories[-1]
        name, entry = next(entries, ("", None))
        if entry is None:
            open_directories.pop()
            continue
        path = f"{directory}/{name}" if directory else name
        if isinstance(entry, FileEntry):
            _add_file(archive, tree, entry, path, mtime)
        elif isinstance(entry, SymlinkEntry):
            member = tar_member(path, FileType.SYMLINK, SYMLINK_MODE, mtime)
            member.linkname = entry.target
            archive.addfile(member)
        else:
            archive.addfile(tar_member(path, FileType.DIRECTORY, DIRECTORY_MODE, mtime))
            open_directories.append((path, iter(sorted(tree.entries_of(tree.view(entry)).items()))))


def _add_file(archive: "TarFile", tree: Tree, entry: FileEntry, path: str, mtime: int) -> None:
    mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
    member = tar_member(path, FileType.REGULAR_FILE, mode, mtime)
    member.size = entry.digest.size
    if entry.digest.size <= _READ_AT_ONCE_BYTES:
        archive.addfile(member, BytesIO(tree.cas.read_bytes(entry.digest)))
        return
    with tree.cas.read_path(entry.digest) as source, open(source, "rb") as content:
        archive.addfile(member, content)


def tar_member(path: str, file_type: FileType, mode: int, mtime: int) -> "TarInfo":
    """The header of a member that is owned by nobody in particular."""
    from tarfile import DIRTYPE, REGTYPE, SYMTYPE, TarInfo

    member = TarInfo(path)
    member.mode = mode
    member.mtime = mtime
    if file_type is FileType.REGULAR_FILE:
        member.type = REGTYPE
    else:
        member.type = DIRTYPE if file_type is FileType.DIRECTORY else SYMTYPE
    return member
