"""The small files that give names to what is in the store.

A record is written last and appears at once: it is the only commit point of
an artifact or source.  Names of one artifact may be hard links of each other,
so a record is replaced, never written to.  What the bytes mean is not known
here.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from threading import get_ident

from .._exceptions import CASError
from .diskfiles import DiskFiles
from .layout import storage_errors

_TEMPORARY_PREFIX = "tmp-"  # keys start with a hexadecimal digit
_NEW_FILE_MODE = 0o666  # the umask is taken off by the system
_MOST_RACES_LOST = 10  # against removals, until a write gives up

Protecting = Callable[[], AbstractContextManager[None]]  # gives the block in which nothing is cleaned up

_LEADING_ELSEWHERE = frozenset(("", ".", ".."))  # parts of a path


class Records:
    """Named byte strings below one directory; names have components separated by slashes.

    `artifacts/refs` has the names `<project>/<element>/<key>`, `elementsources`
    the names `<key>`, and `source_protos` the names `<kind>/<key>`.

    Args:
        directory: Created when something is written.
        durable: Whether a record is on the disk before it gets its name; otherwise a
            loss of power may leave any part of it, which readers take for no record.
        protecting: Gives the block in which nothing is cleaned up.
        disk: Writes.
    """

    def __init__(
        self,
        directory: str,
        *,
        durable: bool = False,
        protecting: Protecting = nullcontext,
        disk: DiskFiles | None = None,
    ) -> None:
        self._disk = disk or DiskFiles()
        self.directory = directory
        self._protecting = protecting
        self._durable = durable

    def path(self, name: str) -> str:
        """The path of the record NAME, whether it is there or not.

        Raises:
            CASError: NAME leads outside of the directory.
        """
        if not _LEADING_ELSEWHERE.isdisjoint(name.split("/")) or "\0" in name:
            raise CASError(f"Invalid name '{name}' of a record in '{self.directory}'")
        return f"{self.directory}/{name}"

    def exists(self, name: str) -> bool:
        """Whether there is such a record."""
        return os.path.isfile(self.path(name))

    def read(self, name: str, *, is_use: bool = True) -> bytes | None:
        """The content of a record; None if there is no such record.

        Args:
            name: Of the record.
            is_use: Whether it counts as used now, for listing and expiry.

        Raises:
            CASError: It can't be read.
        """
        path = self.path(name)
        if is_use and not self.touch(name):
            return None
        try:
            with open(path, "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CASError(f"Failed to read '{path}': {error}") from error
        return data

    def write(self, name: str, data: bytes) -> None:
        """Writes a record, which replaces one of the same name.

        Raises:
            CASError: It can't be written.
        """
        path = self.path(name)
        with storage_errors("write", path):
            for _ in range(_MOST_RACES_LOST):  # a removal may prune the directory at any moment
                with suppress(FileNotFoundError, FileExistsError):
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                with suppress(FileNotFoundError):
                    self._write(path, data)
                    return
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _write(self, path: str, data: bytes) -> None:
        temporary = _temporary_path(path)
        with suppress(FileNotFoundError):  # of a process with the same number that was killed
            os.unlink(temporary)
        descriptor = self._disk.create(temporary, _NEW_FILE_MODE)
        try:
            self._disk.write(descriptor, data)
            if self._durable:
                self._disk.synchronize_file(descriptor)
            self._disk.rename(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)

    def link(self, existing: str, name: str) -> None:
        """Gives a record a second name, in place of what has that name.

        Raises:
            CASError: The link can't be made.
        """
        source, target = self.path(existing), self.path(name)
        if source == target:
            return
        with storage_errors("link", target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            temporary = _temporary_path(target)
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            try:
                self._disk.link(source, temporary)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                    raise
                with open(source, "rb") as file:
                    self.write(name, file.read())
                return
            self._disk.rename(temporary, target)
            with suppress(FileNotFoundError):
                os.unlink(temporary)  # still there if both were the same file already

    def touch(self, name: str) -> bool:
        """Notes that a record is used now, which protects it as long as the session lasts.

        Returns:
            Whether it is there.
        """
        path = self.path(name)
        if not os.access(path, os.F_OK):
            return False  # nothing to protect: the lock costs more than to look first
        with self._protecting():
            try:
                os.utime(path)
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError:
                return os.path.lexists(path)  # a store that can only be read
        return True

    def used_ns(self, name: str) -> int | None:
        """When a record was last used, in nanoseconds since the epoch; None if it is not there."""
        try:
            return os.lstat(self.path(name)).st_mtime_ns
        except OSError:
            return None

    def remove(self, name: str) -> bool:
        """Removes a record, and directories that are empty then; gives whether it was there.

        Raises:
            CASError: It can't be removed.
        """
        path = self.path(name)
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise CASError(f"Failed to remove '{path}': {error}") from error
        parent = os.path.dirname(path)
        with suppress(OSError):  # not empty, or another process was faster
            while parent != self.directory:
                os.rmdir(parent)
                parent = os.path.dirname(parent)
        return True

    def names(self, prefix: str = "") -> list[str]:
        """The names of all records, the least recently used first.

        Args:
            prefix: Leading components, without a slash at the end; "" is all.

        Raises:
            CASError: A directory can't be read.
        """
        return [name for name, _ in self.names_with_times(prefix)]

    def names_with_times(self, prefix: str = "") -> list[tuple[str, int]]:
        """As `names`, with the time of the last use in nanoseconds since the epoch."""
        top = self.path(prefix) if prefix else self.directory
        with storage_errors("list", top):
            found = [(mtime_ns, name) for name, mtime_ns in _walk(top, f"{prefix}/" if prefix else "")]
        return [(name, mtime_ns) for mtime_ns, name in sorted(found)]


def artifact_records(
    cache_directory: str,
    *,
    durable: bool = False,
    protecting: Protecting = nullcontext,
    disk: DiskFiles | None = None,
) -> Records:
    """Serialised `Artifact` messages by `<project>/<element>/<key>`."""
    directory = os.path.join(cache_directory, "artifacts", "refs")
    return Records(directory, durable=durable, protecting=protecting, disk=disk)


def element_source_records(
    cache_directory: str, *, durable: bool = False, protecting: Protecting = nullcontext
) -> Records:
    """Serialised `Source` messages of the combined sources of elements, by key."""
    return Records(os.path.join(cache_directory, "elementsources"), durable=durable, protecting=protecting)


def source_records(
    cache_directory: str, *, durable: bool = False, protecting: Protecting = nullcontext
) -> Records:
    """Serialised `Source` messages of single sources, by `<kind>/<key>`."""
    return Records(os.path.join(cache_directory, "source_protos"), durable=durable, protecting=protecting)


def _temporary_path(path: str) -> str:
    """A path beside PATH that no other thread or process uses."""
    return f"{os.path.dirname(path)}/{_TEMPORARY_PREFIX}{os.getpid()}-{get_ident()}"


def _walk(directory: str, prefix: str) -> Iterator[tuple[str, int]]:
    """Yields name and modification time of all files; what vanishes meanwhile is skipped."""
    try:
        with os.scandir(directory) as scan:
            entries = list(scan)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{prefix}{entry.name}/")
        elif not entry.name.startswith(_TEMPORARY_PREFIX):
            with suppress(FileNotFoundError):
                yield prefix + entry.name, entry.stat(follow_symlinks=False).st_mtime_ns
