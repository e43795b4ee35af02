"""Deleting trees: away at once by a rename, emptied later."""

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from threading import Event

from .._background import in_background
from .._exceptions import CASError
from .layout import StoreLayout, cas_error, is_temporary_name, storage_errors

_STALE_AFTER_S = 24 * 60 * 60


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


def trash_emptied_in_background(layout: StoreLayout, interval_s: float) -> AbstractContextManager[None]:
    """The block in which a thread empties the trash every INTERVAL_S, so that its space is free again.

    At the end it stops within a moment; what it can't delete is left to who empties the trash then.
    """

    def empty(ended: Event) -> None:
        while not ended.wait(interval_s):
            with suppress(CASError):
                empty_trash(layout, ended.is_set)

    return in_background("trash", empty)


def empty_trash(layout: StoreLayout, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Deletes what is in the trash, and what processes that were killed have left half-written.

    Safe while other threads and processes discard or do the same.  It stops between two directories
    when it should.

    Raises:
        CASError: Something can't be deleted; the rest was.
    """
    failure: OSError | None = None
    for path in [*_listed(layout.trash), *_stale(layout.incoming), *_stale(layout.temporary)]:
        try:
            delete_tree(path, should_stop)
        except OSError as error:
            failure = error
    if failure is not None:
        raise cas_error("empty", layout.trash, failure) from failure


def _listed(directory: str) -> list[str]:
    with storage_errors("read", directory), os.scandir(directory) as entries:
        return [entry.path for entry in entries]


def _stale(directory: str) -> list[str]:
    """Temporary files and directories of the store that nobody can be writing any more."""
    newest_ns = time.time_ns() - _STALE_AFTER_S * 1_000_000_000
    stale: list[str] = []
    for path in _listed(directory):
        if is_temporary_name(os.path.basename(path)):
            with suppress(FileNotFoundError):
                if os.lstat(path).st_ctime_ns < newest_ns:
                    stale.append(path)
    return stale


def delete_tree(path: str, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Deletes PATH with all below it, whatever the modes of directories are; absent is fine.

    If it should stop, some of it may be left.

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
        if should_stop():
            return
        directories.extend(_delete_files(directory))
    for directory in reversed(directories):
        with suppress(FileNotFoundError):
            os.rmdir(directory)


def _delete_files(directory: str) -> list[str]:
    """Deletes all but directories with something in them in DIRECTORY, and gives the paths of these."""
    try:
        if os.lstat(directory).st_mode & 0o700 != 0o700:
            os.chmod(directory, 0o700)
        with os.scandir(directory) as entries:
            listed = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except FileNotFoundError:
        return []
    left: list[str] = []
    for path, is_directory in listed:
        if not is_directory:
            _ignore_missing_unlink(path)
        elif not _try_rmdir(path):
            left.append(path)
    return left


def _try_rmdir(path: str) -> bool:
    """Deletes a directory that is empty, as most in a scratch directory are, without reading it."""
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def _ignore_missing_unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
