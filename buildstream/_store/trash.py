"""Deleting trees: away at once by a rename, emptied later."""

import errno
import os
import stat
from contextlib import suppress

from .layout import StoreLayout, storage_errors


def discard(layout: StoreLayout, path: str) -> None:
    """Makes PATH disappear at once; its content goes when the trash is emptied.

    A path on another file system is deleted directly.  An absent one is fine.

    Raises:
        CASError: It can't be moved or deleted.
    """
    with storage_errors("delete", path):
        try:
            os.rename(path, layout.new_path(layout.trash))
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EACCES, errno.ENOTEMPTY, errno.EEXIST):
                raise
            delete_tree(path)  # EACCES: the ".." of an unwritable directory can't be changed


def empty_trash(layout: StoreLayout) -> None:
    """Deletes what is in the trash; safe while other threads and processes discard or do the same.

    Raises:
        CASError: Something can't be deleted; the rest was.
    """
    failure: OSError | None = None
    with os.scandir(layout.trash) as entries:
        paths = [entry.path for entry in entries]
    for path in paths:
        try:
            delete_tree(path)
        except OSError as error:
            failure = error
    if failure is not None:
        with storage_errors("empty", layout.trash):
            raise failure


def delete_tree(path: str) -> None:
    """Deletes PATH with all below it, whatever the modes of directories are; absent is fine.

    Raises:
        OSError: Something can't be deleted.
    """
    try:
        is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_directory:
        _ignore_missing_unlink(path)
        return
    directories = [path]  # grows; a parent comes before its children
    for directory in directories:
        directories.extend(_delete_files(directory))
    for directory in reversed(directories):
        with suppress(FileNotFoundError):
            os.rmdir(directory)


def _delete_files(directory: str) -> list[str]:
    """Deletes all but the directories in DIRECTORY, and gives the paths of these."""
    try:
        if os.lstat(directory).st_mode & 0o700 != 0o700:
            os.chmod(directory, 0o700)
        with os.scandir(directory) as entries:
            listed = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except FileNotFoundError:
        return []
    for path, is_directory in listed:
        if not is_directory:
            _ignore_missing_unlink(path)
    return [path for path, is_directory in listed if is_directory]


def _ignore_missing_unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
