"""Copying, linking and listing of files and directory trees on the host."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from ._utils_errors import UtilError


class FileListResult:
    """What an operation on a list of files did."""

    def __init__(self) -> None:
        self.overwritten: list[str] = []
        """Files which were replaced, relative to the root of the operation."""

        self.ignored: list[str] = []
        """Files which were not written, as they would have replaced directories that are not empty."""

        self.failed_attributes: list[str] = []
        """Destination paths of files whose attributes could not be set."""

        self.files_written: list[str] = []
        """Files which were written, relative to the root of the operation."""


def list_relative_paths(directory: str) -> Iterator[str]:
    """Yields the paths of everything below DIRECTORY, relative to it.

    Symbolic links are not followed.  A directory comes before its content;
    files and links of a directory come, sorted, before its subdirectories.
    Nothing is below a directory that does not exist.
    """
    if os.path.isdir(directory):
        yield from _list_below(directory, "")


def _list_below(directory: str, prefix: str) -> Iterator[str]:
    subdirectories: list[str] = []
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda item: item.name):
            if entry.is_dir(follow_symlinks=False):
                subdirectories.append(entry.name)
            else:
                yield prefix + entry.name
    for name in subdirectories:
        yield prefix + name
        yield from _list_below(os.path.join(directory, name), f"{prefix}{name}/")


def safe_copy(src: str, dest: str, *, copystat: bool = True, result: FileListResult | None = None) -> None:
    """Copies the file SRC to DEST, which is unlinked before if it exists.

    Args:
        copystat: Whether mode, times and extended attributes are copied too.
        result: Where to note DEST if its attributes may not be set.

    Raises:
        UtilError: The copy failed.
    """
    import shutil  # loads all the compression modules

    try:
        os.unlink(dest)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UtilError(f"Failed to remove destination file '{dest}': {error}") from error
    try:
        shutil.copyfile(src, dest)
        if copystat:
            try:
                shutil.copystat(src, dest)
            except PermissionError:
                if result is not None:
                    result.failed_attributes.append(dest)
    except (OSError, shutil.Error) as error:
        raise UtilError(f"Failed to copy '{src} -> {dest}': {error}") from error


def safe_link(src: str, dest: str, *, result: FileListResult | None = None) -> None:
    """Makes DEST a hard link of the file SRC, replacing DEST if it exists.

    The file is copied where hard links are not possible.

    Args:
        result: Where to note DEST if it was copied and its attributes may not be set.

    Raises:
        UtilError: Neither a link nor a copy could be made.
    """
    try:
        try:
            os.link(src, dest)
        except FileExistsError:
            os.unlink(dest)
            os.link(src, dest)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM):
            safe_copy(src, dest, result=result)
            return
        raise UtilError(f"Failed to link '{src} -> {dest}': {error}") from error


def safe_remove(path: str) -> bool:
    """Removes the file, symbolic link or empty directory PATH.

    Returns:
        True if there is nothing at PATH any more, False if it is a directory that is not empty.

    Raises:
        UtilError: PATH could not be removed for another reason.
    """
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise UtilError(f"Failed to remove '{path}': {error}") from error
    return True


def copy_files(
    src: str,
    dest: str,
    *,
    filter_callback: Callable[[str], bool] | None = None,
    ignore_missing: bool = False,
    report_written: bool = False,
) -> FileListResult:
    """Copies the tree SRC into the directory DEST, on top of what is there.

    Args:
        filter_callback: Is given each relative path; those for which it answers False are left out.
            Leaving out a directory does not leave out what is in it.
        ignore_missing: Whether files that vanish while copying are skipped.
        report_written: Whether `files_written` of the result is filled.

    Raises:
        UtilError: Something could not be copied.
    """
    writer = _TreeWriter(src, dest, safe_copy, ignore_missing=ignore_missing, report_written=report_written)
    return writer.write(filter_callback, "copy")


def link_files(
    src: str,
    dest: str,
    *,
    filter_callback: Callable[[str], bool] | None = None,
    ignore_missing: bool = False,
    report_written: bool = False,
) -> FileListResult:
    """Like `copy_files`, but regular files become hard links where that is possible."""
    writer = _TreeWriter(src, dest, safe_link, ignore_missing=ignore_missing, report_written=report_written)
    return writer.write(filter_callback, "link")


class _TreeWriter:
    """One run of `copy_files` or `link_files`."""

    def __init__(
        self,
        src: str,
        dest: str,
        write_file: Callable[..., None],
        *,
        ignore_missing: bool,
        report_written: bool,
    ) -> None:
        self._src = src
        self._dest = dest
        self._write_file = write_file
        self._ignore_missing = ignore_missing
        self._report_written = report_written
        self._result = FileListResult()
        self._real_directories: set[str] = {""}  # relative paths known to be real directories
        self._modes: dict[str, int] = {}  # of destination directories, set at the end

    def write(self, filter_callback: Callable[[str], bool] | None, verb: str) -> FileListResult:
        paths: Iterable[str] = list_relative_paths(self._src)
        try:
            if filter_callback is not None:
                paths = [path for path in paths if filter_callback(path)]
            os.makedirs(self._dest, exist_ok=True)
            for path in paths:
                self._write_path(path)
            for directory, mode in self._modes.items():
                os.chmod(directory, mode)
        except OSError as error:
            raise UtilError(f"Failed to {verb} '{self._src} -> {self._dest}': {error}") from error
        return self._result

    def _write_path(self, path: str) -> None:
        src = os.path.join(self._src, path)
        dest = os.path.join(self._dest, path)
        try:
            source_stat = os.lstat(src)
        except FileNotFoundError as error:
            if self._ignore_missing:
                return
            raise UtilError(f"Source file is missing: {src}") from error

        self._ensure_directory(os.path.dirname(path))
        if self._report_written:
            self._result.files_written.append(path)
        if os.path.lexists(dest) and not os.path.isdir(dest):
            self._result.overwritten.append(path)

        mode = source_stat.st_mode
        if stat.S_ISDIR(mode):
            self._ensure_directory(path)
            self._modes[dest] = stat.S_IMODE(mode)
        elif stat.S_ISLNK(mode) or stat.S_ISREG(mode):
            self._write_file_or_link(path, src, dest, is_link=stat.S_ISLNK(mode))
        elif stat.S_ISFIFO(mode):
            os.mkfifo(dest)
        elif not stat.S_ISSOCK(mode):
            raise UtilError(f"Cannot extract {src} into staging-area. Unsupported type.")

    def _write_file_or_link(self, path: str, src: str, dest: str, *, is_link: bool) -> None:
        if not safe_remove(dest):
            self._result.ignored.append(path)
        elif is_link:
            os.symlink(os.readlink(src), dest)
        else:
            self._write_file(src, dest, result=self._result)

    def _ensure_directory(self, path: str) -> None:
        """Makes PATH and its parents real, writable directories below the destination."""
        if path in self._real_directories:
            return
        self._ensure_directory(os.path.dirname(path))
        dest = os.path.join(self._dest, path)
        try:
            mode = os.lstat(dest).st_mode
        except FileNotFoundError:
            os.makedirs(dest)
        else:
            if not stat.S_ISDIR(mode):
                raise UtilError(f"Destination is a {_type_name(mode)}, not a directory: /{path}")
            if not os.access(dest, os.W_OK):
                self._modes.setdefault(dest, stat.S_IMODE(mode))
                os.chmod(dest, 0o755)
        self._real_directories.add(path)


def _type_name(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symlink"
    return "regular file" if stat.S_ISREG(mode) else "special file"
