"""Where the store keeps what, and temporary names inside it."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from itertools import count
from time import time_ns

from .._exceptions import CASError
from ..utils import BST_ARBITRARY_TIMESTAMP

STORE_VERSION = 1
MTIME_NS = BST_ARBITRARY_TIMESTAMP * 1_000_000_000  # of every object and everything extracted
FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755
DIRECTORY_MODE = 0o755

_TEMPORARY_NAME = re.compile(r"[0-9]+-[0-9a-f]{12,}-[0-9]+")  # process, nanoseconds, number
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class TreeForm(Enum):
    """What the files of extracted trees are; the value is the directory of such trees."""

    LINKS = "trees"  # links of objects; copies, where an object has another link already
    STUBS = "stubs"  # without content: they tell an overlay which object has it


class StoreLayout:
    """The directories of a store, all on one file system.

    Args:
        cas_directory: `<cachedir>/cas`; the others are beside it.

    Raises:
        CASError: They can't be created, or were written by a newer version.
    """

    def __init__(self, cas_directory: str) -> None:
        self.cas = os.path.abspath(cas_directory)
        self.root = os.path.dirname(self.cas)
        self.objects = os.path.join(self.cas, "objects")
        self.incoming = os.path.join(self.cas, "tmp")  # objects that are being written
        self.quarantine = os.path.join(self.cas, "quarantine")  # objects that turned out corrupt
        self.extracted = {form: os.path.join(self.root, form.value) for form in TreeForm}
        self.temporary = os.path.join(self.root, "tmp")  # trees that are being extracted
        self.trash = os.path.join(self.root, "trash")
        self.stats = os.path.join(self.root, "stats")  # what files of the host looked like, with digests
        self.build = os.path.join(self.root, "build")  # scratch directories of sandboxes
        self._prefix = f"{os.getpid()}-{time_ns():x}"
        self._counter = count()
        try:
            needed = (self.objects, self.incoming, *self.extracted.values(), self.temporary, self.trash)
            for directory in needed:
                os.makedirs(directory, exist_ok=True)
            self._check_version()
        except OSError as error:
            raise CASError(f"Can't use the store in '{self.root}': {error}") from error

    def new_path(self, directory: str) -> str:
        """A path in DIRECTORY that no other thread or process uses; see `is_temporary_name`."""
        return f"{directory}/{self._prefix}-{next(self._counter)}"

    def session_of(self, name: str) -> str | None:
        """The session that made the temporary or scratch directory NAME, if it is one."""
        return name.rpartition("-")[0] if is_temporary_name(name) else None

    def adopt_session(self, name: str) -> None:
        """Makes the session NAME the owner of all temporary paths from now on."""
        self._prefix = name

    def create_temporary(self, directory: str) -> tuple[int, str]:
        """Creates a file in DIRECTORY: descriptor and path."""
        path = self.new_path(directory)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), path

    def create_temporary_directory(self) -> str:
        """Creates a directory for a tree that is being extracted, and gives its path."""
        path = self.new_path(self.temporary)
        os.mkdir(path, DIRECTORY_MODE)
        return path

    def _check_version(self) -> None:
        path = os.path.join(self.root, "store-version")
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read().strip()
        except FileNotFoundError:
            self._write_version(path)
            return
        if not text.isdecimal() or int(text) > STORE_VERSION:
            raise CASError(
                f"The store in '{self.root}' has format version '{text}', but this program knows only "
                f"versions up to {STORE_VERSION}. Use a newer version or another cache directory."
            )

    def _write_version(self, path: str) -> None:
        # not in `tmp`: what is in there and of no session is thrown away, and none has begun
        temporary = f"{path}-{self._prefix}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(f"{STORE_VERSION}\n")
        os.rename(temporary, path)


def is_temporary_name(name: str) -> bool:
    """Whether NAME is one that `StoreLayout.new_path` gives."""
    return _TEMPORARY_NAME.fullmatch(name) is not None


@contextmanager
def storage_errors(action: str, path: str) -> Iterator[None]:
    """Turns an OSError of the body into a CASError that says what failed where."""
    try:
        yield
    except OSError as error:
        raise cas_error(action, path, error) from error


@contextmanager
def host_errors(action: str, path: str) -> Iterator[None]:
    """As `storage_errors`, for what is not in the store, so that a full disk says nothing about that."""
    try:
        yield
    except OSError as error:
        raise CASError(f"Failed to {action} '{path}': {error}") from error


def cas_error(action: str, path: str, error: OSError) -> CASError:
    """The CASError for ERROR; its reason is `cache-too-full` if the disk is full."""
    if error.errno in _FULL_DISK:
        return CASError(f"Cache too full: failed to {action} '{path}': {error}", reason="cache-too-full")
    return CASError(f"Failed to {action} '{path}': {error}")
