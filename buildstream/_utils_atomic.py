"""Files and directories that appear at once or not at all, and temporary directories."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from ._utils_errors import DirectoryExistsError


def get_umask() -> int:
    """The file mode creation mask of the process."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except OSError:
        pass
    # The only way without /proc: another thread may create a file in between with a mask of 022.
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def move_atomic(
    source: "str | os.PathLike[str]", destination: "str | os.PathLike[str]", *, ensure_parents: bool = True
) -> None:
    """Renames SOURCE to DESTINATION within one file system.

    Args:
        ensure_parents: Whether missing parent directories of DESTINATION are created.

    Raises:
        DirectoryExistsError: DESTINATION is a directory that is not empty.
        OSError: The rename failed for another reason.
    """
    if ensure_parents:
        os.makedirs(os.path.dirname(os.fspath(destination)) or ".", exist_ok=True)
    try:
        os.rename(source, destination)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise DirectoryExistsError(*error.args) from error
        raise


class _NamedFile:
    """A file object whose `name` and `real_filename` can be set; everything else is the file's."""

    def __init__(self, file: IO[Any], name: str, real_filename: str) -> None:
        self._file = file
        self.name = name
        self.real_filename = real_filename

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._file, attribute)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


@contextmanager
def save_file_atomic(
    filename: str,
    mode: str = "w",
    *,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Callable[[str, int], int] | None = None,
    tempdir: str | None = None,
) -> Iterator[Any]:
    """Opens a temporary file for writing, which replaces FILENAME when the body ends without an error.

    Args:
        filename: Absolute path of the file to write.
        tempdir: Where to create the temporary file, by default beside FILENAME.

    Yields:
        The open file; `name` is the temporary path, `real_filename` is FILENAME.
    """
    assert os.path.isabs(filename), "The file to save must be given as an absolute path"
    temporary = _create_temporary_file(tempdir or os.path.dirname(filename))
    try:
        with open(
            temporary,
            mode,
            buffering=buffering,
            encoding=encoding,
            errors=errors,
            newline=newline,
            closefd=closefd,
            opener=opener,
        ) as file:
            yield _NamedFile(file, temporary, filename)
        os.replace(temporary, filename)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def _create_temporary_file(directory: str) -> str:
    """Creates an empty file with a new name; its mode is what the umask leaves of 0666."""
    import secrets

    while True:
        path = os.path.join(directory, f"tmp-{secrets.token_hex(8)}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            continue
        return path


@contextmanager
def locked_directory(directory: str) -> Iterator[None]:
    """Keeps other commands that ask the same out of DIRECTORY, where its file system can do that."""
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_text_file(path: str, text: str) -> None:
    """Replaces the content of PATH, whose directory is locked, at once: a reader sees the old or the new.

    After a crash of the machine it is one of the two as well.  A file of that name that
    ends in `.new` is left behind if the process is killed, and used by the next change.

    Raises:
        OSError: It can't be written.
    """
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


@contextmanager
def temporary_directory(parent: str) -> Iterator[str]:
    """Gives the path of a new directory in PARENT with the usual mode; it is removed at the end.

    It is removed even if parts of it are read-only, and may have been moved away before.
    """
    import tempfile

    path = tempfile.mkdtemp(prefix="tmp", dir=parent)
    os.chmod(path, 0o777 & ~get_umask())
    try:
        yield path
    finally:
        force_remove_tree(path)


def force_remove_tree(path: str) -> None:
    """Removes the directory PATH and what is in it, also where directories are read-only; absent is fine."""
    import shutil

    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except PermissionError:
        os.chmod(path, 0o700)
        for directory, names, _ in os.walk(path):
            for name in names:
                subdirectory = os.path.join(directory, name)
                if not os.path.islink(subdirectory):
                    os.chmod(subdirectory, 0o700)
        shutil.rmtree(path)
