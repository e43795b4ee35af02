"""A program that looks at, hashes, stores, links and copies many small files; see `workers`.

It runs `main` and imports what it needs of this package, without what the package imports. Its working
directory is that of the objects. Requests and answers are values in the format of `marshal`, each behind its
length; the first tells where everything is, each other one is an operation with the arguments
for several calls of it. For each file it answers whether it was done: what is not, for whatever
reason, is left to the caller, who finds the reason when he does it.

Each operation is one loop: calls between small functions would take longer than the work.
"""

import errno
import gc
import marshal
import os
import stat
import struct
import sys
from operator import attrgetter
from time import time_ns

from .stubs import make_stub

try:  # what hashlib would give, without what else it loads
    from _hashlib import openssl_sha256 as sha256
except ImportError:
    from hashlib import sha256

TYPE_CHECKING = False  # importing it from typing would take half of the time that starting takes
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LEFT, MADE, FOUND = range(3)  # what became of a file: nothing, it is an object now, there was one

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
READ_OBJECT = _READ | os.O_NOATIME  # the access time tells of use; fails where they belong to somebody else
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
HASH_BYTES = 32
# Larger files take the time of the system, not of the interpreter, and may be shared by the file system.
MOST_BYTES = 1 << 20  # of a file that is read or copied here
_MOST_CHANGED = 10  # files in a row, before others are not expected to be as they were
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # as for the next file
SEPARATOR = "\0"  # of names: no name holds it
# What tells of each entry that is no directory whether it has changed, and how many bytes that takes.
facts_of = attrgetter("st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
FACTS_BYTES = 5 * 8
LENGTH_BYTES = 4  # in front of each value

# Of a file to be made: its name, the path of its object from the directory of objects, the size of that, and
# the modification time it gets if it is a copy, None for the present one.
ObjectFile = tuple[str, str, int, int | None]


class FileWorker:
    """What a process of this program works with.

    Args:
        temporary: Path of the one file that is not finished.
        mtime_ns: The modification time of objects.
    """

    def __init__(self, temporary: str, mtime_ns: int) -> None:
        self._temporary = temporary
        self._mtime_ns = mtime_ns

    def operations(self) -> "dict[str, Callable[..., object]]":
        """All operations by name."""
        from .treeworker import TreeWorker

        trees = TreeWorker(self, self._mtime_ns)
        return {
            "scan": self.scan,
            "hash": self.hash,
            "store": self.store,
            "link": self.link,
            "copy": self.copy,
            "stub": self.stub,
            "look": trees.look,
            "place": trees.place,
            "inspect": trees.inspect,
        }

    def scan(self, directory: str) -> tuple[str, bytes, list[tuple[str, int]]]:
        """What is in a directory, without reading more of it than `stat` tells.

        Returns:
            The names of its entries but for directories, joined; of these, mode, inode, size, modification
            and change time, as an array of signed numbers of 8 bytes; and name and modification time of
            each directory.
        """
        names: list[str] = []
        facts: list[int] = []
        directories: list[tuple[str, int]] = []
        parent = os.open(directory, _DIRECTORY)
        try:
            with os.scandir(parent) as entries:
                for entry in entries:
                    try:
                        found = facts_of(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                    if stat.S_ISDIR(found[0]):
                        directories.append((entry.name, found[3]))
                    else:
                        names.append(entry.name)
                        facts += found
        finally:
            os.close(parent)
        return SEPARATOR.join(names), struct.pack(f"{len(facts)}q", *facts), directories

    def hash(self, directory: str, names: "Sequence[str]", sizes: "Sequence[int]") -> tuple[bytes, bytes]:
        """The hashes of the files called NAMES in DIRECTORY, if they still have these SIZES.

        Returns:
            For each file LEFT or FOUND; and its hash.
        """
        open_, read, close = os.open, os.read, os.close
        states = bytearray(len(names))
        hashes = bytearray(HASH_BYTES * len(names))
        parent = open_(directory, _DIRECTORY)
        try:
            for number, name in enumerate(names):
                size = sizes[number]
                try:
                    descriptor = open_(name, _READ, dir_fd=parent)
                    try:
                        data = read(descriptor, size + 1)
                    finally:
                        close(descriptor)
                except OSError:
                    continue
                if len(data) == size:
                    hashes[HASH_BYTES * number : HASH_BYTES * (number + 1)] = sha256(data).digest()
                    states[number] = FOUND
        finally:
            close(parent)
        return bytes(states), bytes(hashes)

    def store(
        self, directory: str, names: "Sequence[str]", sizes: "Sequence[int]", executables: bytes
    ) -> tuple[bytes, bytes]:
        """As `hash`, and makes objects of those files for which there are none: MADE.

        Args:
            executables: For each file whether its object is executable.
        """
        open_, read, write, close, access = os.open, os.read, os.write, os.close, os.access
        temporary, times = self._temporary, (time_ns(), self._mtime_ns)
        states = bytearray(len(names))
        hashes = bytearray(HASH_BYTES * len(names))
        os.umask(0o022)
        parent = open_(directory, _DIRECTORY)
        try:
            for number, name in enumerate(names):
                size, is_executable = sizes[number], executables[number]
                try:
                    descriptor = open_(name, _READ, dir_fd=parent)
                    try:
                        data = read(descriptor, size + 1)
                    finally:
                        close(descriptor)
                except OSError:
                    continue
                if len(data) != size:
                    continue
                checksum = sha256(data)
                hashes[HASH_BYTES * number : HASH_BYTES * (number + 1)] = checksum.digest()
                text = checksum.hexdigest()
                target = f"{text[:2]}/{text[2:]}"
                if access(target, os.F_OK) or access(f"{target}.x", os.F_OK):
                    states[number] = FOUND
                    continue
                if is_executable:
                    target += ".x"
                try:
                    descriptor = open_(temporary, _CREATE, 0o755 if is_executable else 0o644)
                    try:
                        if write(descriptor, data) != size:
                            raise OSError(errno.ENOSPC, "only a part was written")
                        os.utime(descriptor, ns=times)
                    finally:
                        close(descriptor)
                    try:
                        os.rename(temporary, target)
                    except FileNotFoundError:
                        os.makedirs(text[:2], exist_ok=True)
                        os.rename(temporary, target)
                    states[number] = MADE
                except OSError as error:
                    _remove(temporary)
                    if error.errno in _HOPELESS:
                        break
        finally:
            close(parent)
        return bytes(states), bytes(hashes)

    def link(
        self, directory: str, files: "Sequence[ObjectFile]", verified_ns: int = 0, alone: bool = False
    ) -> bytes:
        """Makes files in DIRECTORY, second names of objects, which are verified.

        Args:
            verified_ns: Objects that have not changed since then are right, in the time of the file system.
            alone: Whether objects that have a second name already are copied instead; all are read then.

        Returns:
            For each file LEFT or MADE.
        """
        open_, fstat, lstat, read, close, link = os.open, os.fstat, os.lstat, os.read, os.close, os.link
        mtime_ns = self._mtime_ns
        changed = 0  # in a row
        states = bytearray(len(files))
        os.umask(0o022)
        parent = open_(directory, _DIRECTORY)
        try:
            for number, (name, path, size, _) in enumerate(files):
                try:
                    status, is_right, data = None, False, b""
                    if verified_ns:
                        status = lstat(path)
                        is_right = status.st_size == size and status.st_ctime_ns < verified_ns
                        changed = 0 if is_right else changed + 1
                        if changed > _MOST_CHANGED:  # they all have, as when other links of them were removed
                            verified_ns = 0
                    if not is_right:
                        if size > MOST_BYTES:
                            continue
                        descriptor = open_(path, READ_OBJECT)
                        try:
                            status = fstat(descriptor)
                            data = read(descriptor, size + 1)
                        finally:
                            close(descriptor)
                        is_right = len(data) == size and sha256(data).hexdigest() == path[:2] + path[3:65]
                    if (
                        is_right
                        and status is not None
                        and status.st_mtime_ns == mtime_ns
                        and status.st_mode == (0o100755 if path[-1] == "x" else 0o100644)
                    ):
                        if not alone:
                            link(path, name, dst_dir_fd=parent)
                        elif status.st_nlink > 1 or not _is_linked_alone(path, name, parent):
                            _write_new(name, parent, 0o755 if path[-1] == "x" else 0o644, data, mtime_ns)
                        states[number] = MADE
                except OSError as error:
                    if error.errno in _HOPELESS:
                        break
        finally:
            close(parent)
        return bytes(states)

    def copy(self, directory: str, mask: int, files: "Sequence[ObjectFile]") -> bytes:
        """Makes files in DIRECTORY with the content of objects, which is verified.

        Args:
            mask: The umask, which is taken off the modes of files.

        Returns:
            For each file LEFT or MADE.
        """
        states = bytearray(len(files))
        os.umask(mask)
        parent = os.open(directory, _DIRECTORY)
        try:
            for number, (name, path, size, time_ns_) in enumerate(files):
                if size > MOST_BYTES:
                    continue
                try:
                    # of the empty blob there need not be an object
                    data = _content_of(path, size) if size else b""
                    if data is None:
                        continue
                    _write_new(name, parent, 0o777 if path[-1] == "x" else 0o666, data, time_ns_)
                    states[number] = MADE
                except OSError as error:
                    if error.errno in _HOPELESS:
                        break
        finally:
            os.close(parent)
        return bytes(states)

    def stub(self, directory: str, files: "Sequence[ObjectFile]") -> bytes:
        """Makes stubs of objects, which are verified, in DIRECTORY; all have a modification time.

        Returns:
            For each file LEFT or MADE.
        """
        states = bytearray(len(files))
        parent = os.open(directory, _DIRECTORY)
        try:
            for number, (name, path, size, time_ns_) in enumerate(files):
                if size > MOST_BYTES or time_ns_ is None:
                    continue
                try:
                    if _content_of(path, size) is None:
                        continue
                    mode = 0o755 if path[-1] == "x" else 0o644
                    make_stub(name, path, size, mode=mode, mtime_ns=time_ns_, parent=parent)
                    states[number] = MADE
                except OSError as error:
                    if error.errno in _HOPELESS:
                        break
        finally:
            os.close(parent)
        return bytes(states)


def _content_of(path: str, size: int) -> bytes | None:
    """What the small object at PATH holds; None if it is not what its name and SIZE say.

    Raises:
        OSError: It can't be read.
    """
    descriptor = os.open(path, READ_OBJECT)
    try:
        data = os.read(descriptor, size + 1)
    finally:
        os.close(descriptor)
    return data if len(data) == size and sha256(data).hexdigest() == path[:2] + path[3:65] else None


def _is_linked_alone(path: str, name: str, parent: int) -> bool:
    """Makes NAME a second name of the object at PATH; False, and there is none, if that has others."""
    os.link(path, name, dst_dir_fd=parent)
    if os.stat(name, dir_fd=parent, follow_symlinks=False).st_nlink == 2:
        return True
    os.unlink(name, dir_fd=parent)
    return False


def _write_new(name: str, parent: int, mode: int, data: bytes, mtime_ns: int | None) -> None:
    """Makes the file NAME in the directory PARENT.

    Raises:
        OSError: It can't be made, and there is nothing, unless there was.
    """
    descriptor = os.open(name, _CREATE, mode, dir_fd=parent)
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, "only a part was written")
        if mtime_ns is not None:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    except OSError:
        os.unlink(name, dir_fd=parent)
        raise
    finally:
        os.close(descriptor)


def hash_of(data: bytes) -> str:
    """The hash of DATA, as names of objects have it."""
    return sha256(data).hexdigest()


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # it was not there, or nothing helps


def receive(descriptor: int) -> bytes | None:
    """The next value, encoded; None at the end, and if it is cut short."""
    head = _receive(descriptor, LENGTH_BYTES)
    return None if head is None else _receive(descriptor, int.from_bytes(head, "little"))


def _receive(descriptor: int, size: int) -> bytes | None:
    data = os.read(descriptor, size)
    while len(data) < size:
        more = os.read(descriptor, size - len(data))
        if not more:
            return None
        data += more
    return data


def send(descriptor: int, value: bytes) -> None:
    """Writes an encoded value.

    Raises:
        OSError: Nobody reads it.
    """
    view = memoryview(len(value).to_bytes(LENGTH_BYTES, "little") + value)
    while view:
        view = view[os.write(descriptor, view) :]


def main() -> None:
    """The program: does what is asked for until nobody asks any more."""
    try:
        _serve()
    except (OSError, KeyboardInterrupt):
        sys.exit(1)  # its parent is gone


def _serve() -> None:
    first = receive(0)
    if first is None:
        return
    objects, temporary, mtime_ns = marshal.loads(first)  # noqa: S302 - from its parent
    os.chdir(objects)
    gc.disable()  # nothing here refers to itself
    operations = FileWorker(temporary, mtime_ns).operations()
    while (request := receive(0)) is not None:
        name, parts = marshal.loads(request)  # noqa: S302 - from its parent
        operation, answers = operations[name], []
        for arguments in parts:
            try:
                answers.append(operation(*arguments))
            except (OSError, struct.error):  # the directory can't be opened: the caller will say so
                answers.append(None)
        send(1, marshal.dumps(answers))
