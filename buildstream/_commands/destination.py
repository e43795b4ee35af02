"""Checks of where something is going to be written, before any work is done (command specification 2.9)."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO

from .._exceptions import StreamError
from .._utils_atomic import save_file_atomic
from .termination import ending_by_exception


@contextmanager
def destination(path: str, *, is_tarball: bool, force: bool) -> Iterator[None]:
    """Makes sure that PATH can be written; a command that fails leaves no new directory there.

    Raises:
        StreamError: It can't be written, or there is something, without FORCE.
    """
    if is_tarball:
        check_tarball(path, force=force)
        yield
        return
    with ending_by_exception():
        is_new = check_directory(path, force=force)
        try:
            yield
        except BaseException:
            if is_new:
                from shutil import rmtree

                rmtree(path, ignore_errors=True)
            raise


def archive(path: str) -> AbstractContextManager[BinaryIO]:
    """Opens what becomes the archive at PATH; a file appears there when it is complete, never half of it."""
    if os.path.lexists(path) and not os.path.isfile(path):
        return open(path, "wb")  # a device or pipe
    return save_file_atomic(os.path.realpath(path), "wb")


def check_directory(path: str, *, force: bool) -> bool:
    """Makes sure that PATH is a writable directory, and empty unless FORCE; whether it had to be made.

    Raises:
        StreamError: It is not, or can't be made.
    """
    is_new = not os.path.isdir(path)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise StreamError(f"Failed to create destination directory: '{error}'") from error
    if not os.access(path, os.W_OK):
        raise StreamError(f"Destination directory '{path}' not writable")
    if not force and os.listdir(path):
        raise StreamError(
            f"Destination directory '{path}' not empty", detail="Use --force to write into it all the same."
        )
    return is_new


def check_tarball(path: str, *, force: bool) -> None:
    """Makes sure that the file PATH can be written, and does not exist unless FORCE.

    Raises:
        StreamError: It can't be, or it does.
    """
    if not os.path.exists(path):
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            raise StreamError(f"The directory of the output file does not exist: '{folder}'")
        return
    if not os.access(path, os.W_OK):
        raise StreamError(f"Output file '{path}' not writable")
    if not force:
        raise StreamError(f"Output file '{path}' already exists", detail="Use --force to replace it.")
