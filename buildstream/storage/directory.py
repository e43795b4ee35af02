"""The interface of a directory: a tree of files, symbolic links and directories.

All paths are relative to the directory, with `/` between the components;
empty components are skipped, `.` and `..` are understood, `..` of the root of
the tree is the root itself.  Symbolic links are followed only where a method
says so; an absolute link target starts at the root of the tree.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any, Union

from .._exceptions import BstError
from ..exceptions import ErrorDomain
from ..types import FastEnum
from ..utils import BST_ARBITRARY_TIMESTAMP, FileListResult

if TYPE_CHECKING:
    from tarfile import TarFile


class DirectoryError(BstError):
    """Raised by directory functions: a path is missing or of the wrong type, or can't be changed so.

    The reasons are `directory-not-found` and `not-a-directory`, else None.
    """

    default_domain = ErrorDomain.VIRTUAL_FS

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message, reason=reason)


class FileType(FastEnum):
    """What a directory entry is."""

    DIRECTORY = 1
    REGULAR_FILE = 2
    SYMLINK = 3

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class FileStat:
    """The attributes of a directory entry.

    Args:
        file_type: What it is.
        executable: Whether it may be executed; True for directories.
        size: In bytes; 0 for a directory, the length of the target for a link.
        mtime: Modification time in seconds since the epoch.
    """

    def __init__(
        self,
        file_type: FileType,
        *,
        executable: bool = False,
        size: int = 0,
        mtime: float = BST_ARBITRARY_TIMESTAMP,
    ) -> None:
        self.file_type = file_type
        self.executable = executable
        self.size = size
        self.mtime = mtime

    def _key(self) -> tuple[FileType, bool, int, float]:
        return (self.file_type, self.executable, self.size, self.mtime)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileStat):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return (
            f"FileStat({self.file_type}, executable={self.executable}, size={self.size}, mtime={self.mtime})"
        )


class Directory:
    """A directory, seen as a collection of the names of its entries.

    Iterating yields entry names in no particular order; `len()` counts them;
    an empty directory is false.
    """

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def open_directory(
        self, path: str, *, create: bool = False, follow_symlinks: bool = False
    ) -> "Directory":
        """The directory at PATH; an empty path is this directory.

        Args:
            path: Relative path.
            create: Whether missing directories on the way are created.
            follow_symlinks: Whether links to directories are followed.

        Raises:
            DirectoryError: With reason `directory-not-found` or `not-a-directory`.
        """
        raise NotImplementedError

    def import_files(
        self,
        external_pathspec: Union["Directory", str],
        *,
        filter_callback: Callable[[str], bool] | None = None,
        collect_result: bool = True,
    ) -> FileListResult | None:
        """Copies the content of another directory into this one.

        A file or link replaces a file, a link or an empty directory of the same
        name; it is ignored where a directory that is not empty stands in its
        way.  Directories are merged.

        Args:
            external_pathspec: A directory, or the path of one on the host.
            filter_callback: Called with the relative path of every entry,
                directories after their content; False leaves the entry out.
            collect_result: Whether to tell what was done.

        Raises:
            DirectoryError: A directory was to be merged into something else.
        """
        raise NotImplementedError

    def import_single_file(self, external_pathspec: str) -> FileListResult:
        """Copies the host file EXTERNAL_PATHSPEC into this directory, under its own name."""
        raise NotImplementedError

    def export_to_tar(
        self, tarfile: "TarFile", destination_dir: str, mtime: int = BST_ARBITRARY_TIMESTAMP
    ) -> None:
        """Adds the content of this directory to TARFILE, below the path DESTINATION_DIR.

        Entries are sorted, owned by uid and gid 0, and modified at MTIME, in seconds.
        """
        raise NotImplementedError

    def list_relative_paths(self) -> Iterator[str]:
        """Yields the paths of everything below this directory.

        A directory comes before its content; files and links of a directory
        come, sorted, before its subdirectories.
        """
        raise NotImplementedError

    def exists(self, path: str, *, follow_symlinks: bool = False) -> bool:
        """Whether there is an entry at PATH."""
        raise NotImplementedError

    def stat(self, path: str, *, follow_symlinks: bool = False) -> FileStat:
        """The attributes of the entry at PATH.

        Raises:
            DirectoryError: There is no such entry.
        """
        raise NotImplementedError

    def open_file(self, path: str, *, mode: str = "r") -> AbstractContextManager[IO[Any]]:
        """Opens the file at PATH, as a context manager.

        A file that is written is a temporary one until the body ends without
        an error; it is executable if the temporary file is so at that time.

        Args:
            path: Relative path; links are not followed.
            mode: As of the built-in `open()`, without appending; text is UTF-8.

        Raises:
            ValueError: An unsupported mode.
            DirectoryError: There is no such file to read, or one to create exclusively.
        """
        raise NotImplementedError

    def file_digest(self, path: str) -> str:
        """The SHA-256 of the content of the file at PATH, in hexadecimal digits.

        Raises:
            DirectoryError: There is no regular file at PATH.
        """
        raise NotImplementedError

    def readlink(self, path: str) -> str:
        """The target of the symbolic link at PATH.

        Raises:
            DirectoryError: There is no symbolic link at PATH.
        """
        raise NotImplementedError

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Removes the entry at PATH.

        Args:
            path: Relative path.
            recursive: Whether a directory may have content.

        Raises:
            DirectoryError: There is no such entry, or it is a directory that is not empty.
        """
        raise NotImplementedError

    def rename(self, src: str, dest: str) -> None:
        """Moves the entry at SRC to DEST, which is replaced.

        Raises:
            DirectoryError: There is no such entry, or DEST can't be replaced.
        """
        raise NotImplementedError

    def isfile(self, path: str, *, follow_symlinks: bool = False) -> bool:
        """Whether there is a regular file at PATH."""
        return self._has_type(path, FileType.REGULAR_FILE, follow_symlinks=follow_symlinks)

    def isdir(self, path: str, *, follow_symlinks: bool = False) -> bool:
        """Whether there is a directory at PATH."""
        return self._has_type(path, FileType.DIRECTORY, follow_symlinks=follow_symlinks)

    def islink(self, path: str, *, follow_symlinks: bool = False) -> bool:
        """Whether there is a symbolic link at PATH."""
        return self._has_type(path, FileType.SYMLINK, follow_symlinks=follow_symlinks)

    def _has_type(self, path: str, file_type: FileType, *, follow_symlinks: bool) -> bool:
        try:
            return self.stat(path, follow_symlinks=follow_symlinks).file_type is file_type
        except (DirectoryError, OSError):
            return False
