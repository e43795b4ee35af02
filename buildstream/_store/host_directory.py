"""The directory of plugins over a directory of the host."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from ..storage import Directory, DirectoryError, FileStat, FileType
from ..utils import (
    BST_ARBITRARY_TIMESTAMP,
    FileListResult,
    UtilError,
    copy_files,
    list_relative_paths,
    safe_copy,
    safe_remove,
    sha256sum,
)
from .layout import DIRECTORY_MODE, EXECUTABLE_MODE, FILE_MODE
from .openfile import check_mode, is_reading, new_host_file, open_host_file
from .tarexport import SYMLINK_MODE, tar_member
from .trash import delete_tree

if TYPE_CHECKING:
    from tarfile import TarFile

_LINKS_FOLLOWED_AT_MOST = 40  # as the kernel does


class HostDirectory(Directory):
    """A directory of the host, seen as the root of a tree or as part of one.

    Args:
        path: An existing directory.
        root: The top of the tree, where absolute links start; by default PATH.
    """

    def __init__(self, path: str, *, root: str | None = None) -> None:
        self._path = os.path.abspath(path)
        self._root = self._path if root is None else os.path.abspath(root)

    @property
    def host_path(self) -> str:
        """Where the directory is."""
        return self._path

    def __str__(self) -> str:
        return self._path

    def __iter__(self) -> Iterator[str]:
        return iter(os.listdir(self._path))

    def __len__(self) -> int:
        return len(os.listdir(self._path))

    def open_directory(
        self, path: str, *, create: bool = False, follow_symlinks: bool = False
    ) -> "HostDirectory":
        _check_relative(path)
        found = self._walk(self._path, path, create=create, follow_symlinks=follow_symlinks)
        return type(self)(found, root=self._root)

    def import_files(
        self,
        external_pathspec: Directory | str,
        *,
        filter_callback: Callable[[str], bool] | None = None,
        collect_result: bool = True,
    ) -> FileListResult | None:
        if isinstance(external_pathspec, HostDirectory):
            external_pathspec = external_pathspec.host_path
        if isinstance(external_pathspec, str):
            result = copy_files(
                external_pathspec, self._path, filter_callback=filter_callback, report_written=collect_result
            )
        else:
            result = self._import_directory(external_pathspec, filter_callback)
        return result if collect_result else None

    def import_single_file(self, external_pathspec: str) -> FileListResult:
        result = FileListResult()
        name = os.path.basename(external_pathspec)
        destination = os.path.join(self._path, name)
        if os.path.lexists(destination) and not os.path.isdir(destination):
            result.overwritten.append(name)
        if not safe_remove(destination):
            result.ignored.append(name)
            return result
        safe_copy(external_pathspec, destination, result=result)
        result.files_written.append(name)
        return result

    def export_to_tar(
        self, tarfile: "TarFile", destination_dir: str, mtime: int = BST_ARBITRARY_TIMESTAMP
    ) -> None:
        for name in sorted(os.listdir(self._path)):
            path = os.path.join(self._path, name)
            member_path = f"{destination_dir}/{name}" if destination_dir else name
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                tarfile.addfile(tar_member(member_path, FileType.DIRECTORY, DIRECTORY_MODE, mtime))
                type(self)(path, root=self._root).export_to_tar(tarfile, member_path, mtime)
            elif stat.S_ISLNK(status.st_mode):
                member = tar_member(member_path, FileType.SYMLINK, SYMLINK_MODE, mtime)
                member.linkname = os.readlink(path)
                tarfile.addfile(member)
            elif stat.S_ISREG(status.st_mode):
                mode = EXECUTABLE_MODE if status.st_mode & stat.S_IXUSR else FILE_MODE
                member = tar_member(member_path, FileType.REGULAR_FILE, mode, mtime)
                member.size = status.st_size
                with open(path, "rb") as content:
                    tarfile.addfile(member, content)

    def list_relative_paths(self) -> Iterator[str]:
        return list_relative_paths(self._path)

    def exists(self, path: str, *, follow_symlinks: bool = False) -> bool:
        try:
            self._lstat(path, follow_symlinks=follow_symlinks)
        except (DirectoryError, OSError):
            return False
        return True

    def stat(self, path: str, *, follow_symlinks: bool = False) -> FileStat:
        status = self._lstat(path, follow_symlinks=follow_symlinks)
        file_type = _type_of(status.st_mode)
        if file_type is None:
            raise DirectoryError(f"Unsupported file type: {path} in {self}")
        is_directory = file_type is FileType.DIRECTORY
        return FileStat(
            file_type,
            executable=is_directory
            or (file_type is FileType.REGULAR_FILE and bool(status.st_mode & stat.S_IXUSR)),
            size=0 if is_directory else status.st_size,
            mtime=status.st_mtime,
        )

    @contextmanager
    def open_file(self, path: str, *, mode: str = "r") -> Iterator[IO[Any]]:
        check_mode(mode)
        host_path = self._entry_path(path)
        present = os.lstat(host_path).st_mode if os.path.lexists(host_path) else None
        if present is not None and not stat.S_ISREG(present):
            raise DirectoryError(f"{path} in {self} is not a regular file")
        if is_reading(mode):
            with open_host_file(host_path, mode) as file:
                yield file
            return
        if mode.startswith("x") and present is not None:
            raise DirectoryError(f"{path} already exists in {self}")
        parent, name = os.path.split(host_path)
        with new_host_file(os.path.join(parent, f".{name}.{os.getpid()}.new"), mode) as file:
            yield file
            file.close()
            os.rename(file.name, host_path)

    def file_digest(self, path: str) -> str:
        if not self.isfile(path):
            raise DirectoryError(f"Unsupported file type for digest: {path} in {self} is not a regular file")
        return sha256sum(self._entry_path(path))

    def readlink(self, path: str) -> str:
        if not self.islink(path):
            raise DirectoryError(f"Unsupported file type for readlink: {path} in {self} is not a symlink")
        return os.readlink(self._entry_path(path))

    def remove(self, path: str, *, recursive: bool = False) -> None:
        host_path = self._entry_path(path)
        try:
            if stat.S_ISDIR(os.lstat(host_path).st_mode) and not recursive:
                os.rmdir(host_path)
            else:
                delete_tree(host_path)
        except FileNotFoundError as error:
            raise DirectoryError(f"{path} not found in {self}") from error
        except OSError as error:
            raise DirectoryError(f"Failed to remove {path} from {self}: {error}") from error

    def rename(self, src: str, dest: str) -> None:
        try:
            os.rename(self._entry_path(src), self._entry_path(dest))
        except OSError as error:
            raise DirectoryError(f"Failed to rename {src} to {dest} in {self}: {error}") from error

    # --- Paths

    def _lstat(self, path: str, *, follow_symlinks: bool) -> os.stat_result:
        host_path = self._entry_path(path, follow_symlinks=follow_symlinks)
        try:
            status = os.lstat(host_path)
        except FileNotFoundError as error:
            raise DirectoryError(f"{path} not found in {self}") from error
        if not (follow_symlinks and stat.S_ISLNK(status.st_mode)):
            return status
        return os.lstat(self._follow(host_path))

    def _follow(self, link: str) -> str:
        """The path that a chain of links leads to, inside of the tree."""
        for _ in range(_LINKS_FOLLOWED_AT_MOST):
            target = os.readlink(link)
            start = self._root if target.startswith("/") else os.path.dirname(link)
            parent, name = os.path.split(target)
            link = os.path.join(self._walk(start, parent, create=False, follow_symlinks=True), name)
            if not os.path.islink(link):
                return link
        raise DirectoryError(f"Too many symbolic links on the way to {link}")

    def _entry_path(self, path: str, *, follow_symlinks: bool = False) -> str:
        """The host path of an entry; the last component is not looked at."""
        _check_relative(path)
        parent, name = os.path.split(path)
        directory = self._walk(self._path, parent, create=False, follow_symlinks=follow_symlinks)
        if name in ("", ".", ".."):
            return self._walk(directory, name, create=False, follow_symlinks=False)
        return os.path.join(directory, name)

    def _walk(self, start: str, path: str, *, create: bool, follow_symlinks: bool) -> str:
        """The host path of the directory at PATH, which never leaves the tree."""
        current = start
        waiting = path.split("/")[::-1]
        links_followed = 0
        while waiting:
            name = waiting.pop()
            if name in ("", "."):
                continue
            if name == "..":
                current = current if current == self._root else os.path.dirname(current)
                continue
            entry = os.path.join(current, name)
            if create and not os.path.lexists(entry):
                os.mkdir(entry)
            if follow_symlinks and os.path.islink(entry) and links_followed < _LINKS_FOLLOWED_AT_MOST:
                links_followed += 1
                target = os.readlink(entry)
                current = self._root if target.startswith("/") else current
                waiting.extend(target.split("/")[::-1])
                continue
            _check_directory(entry, name, current)
            current = entry
        return current

    # --- Importing from the store

    def _import_directory(
        self, source: Directory, filter_callback: Callable[[str], bool] | None
    ) -> FileListResult:
        """Copies the entries of any kind of directory."""
        result = FileListResult()
        for path in list(source.list_relative_paths()):
            if filter_callback is not None and not filter_callback(path):
                continue
            destination = os.path.join(self._path, path)
            try:
                os.makedirs(os.path.dirname(destination), exist_ok=True)
                if source.isdir(path):
                    os.makedirs(destination, exist_ok=True)
                    continue
                if os.path.lexists(destination):
                    if not safe_remove(destination):
                        result.ignored.append(path)
                        continue
                    result.overwritten.append(path)
                _copy_entry(source, path, destination)
            except OSError as error:
                raise UtilError(f"Failed to copy '{path}' to '{destination}': {error}") from error
            result.files_written.append(path)
        return result


def _copy_entry(source: Directory, path: str, destination: str) -> None:
    import shutil

    if source.islink(path):
        os.symlink(source.readlink(path), destination)
        return
    status = source.stat(path)
    with source.open_file(path, mode="rb") as reader, open(destination, "xb") as writer:
        shutil.copyfileobj(reader, writer)
    os.chmod(destination, EXECUTABLE_MODE if status.executable else FILE_MODE)
    os.utime(destination, (status.mtime, status.mtime))


def _check_relative(path: str) -> None:
    if path.startswith("/"):
        raise ValueError(f"Invalid path '{path}'")


def _check_directory(entry: str, name: str, parent: str) -> None:
    """Raises DirectoryError unless ENTRY is a directory, and no link to one."""
    try:
        mode = os.lstat(entry).st_mode
    except FileNotFoundError as error:
        raise DirectoryError(f"'{name}' not found in {parent}", reason="directory-not-found") from error
    if not stat.S_ISDIR(mode):
        raise DirectoryError(f"'{name}' in {parent} is not a directory", reason="not-a-directory")


def _type_of(mode: int) -> FileType | None:
    if stat.S_ISDIR(mode):
        return FileType.DIRECTORY
    if stat.S_ISREG(mode):
        return FileType.REGULAR_FILE
    return FileType.SYMLINK if stat.S_ISLNK(mode) else None
