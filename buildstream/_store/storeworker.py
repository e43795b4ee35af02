"""A program that stores many small files; see `bulk`.

It runs as `python -I -S storeworker.py`, so it imports nothing of this package.  From its standard
input it reads one value in the format of `marshal`: directory of the objects, directory and
beginning of the names for temporary files, the modification time of objects, the largest size, and
the paths.  It answers with a list of one result a path: None if it could not or should not store
the file, else a tuple of hash, size, execute bit, modification time in nanoseconds, and the
identity of the object, or None if there was one.

Everything is done in one function: calls between small ones would take longer than the work.
"""

import marshal
import os
import stat
import sys
from contextlib import suppress
from hashlib import sha256
from time import time_ns

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

Identity = tuple[int, int, int, int, int]  # device, inode, size, modification and change time
Stored = tuple[str, int, bool, int, "Identity | None"]


def store_files(
    objects: str, temporary: str, mtime_ns: int, most_bytes: int, paths: list[str]
) -> "list[Stored | None]":
    """Stores the files at PATHS, as `ObjectWriter` does."""
    results: list[Stored | None] = []
    os.umask(0o022)
    number = 0
    for path in paths:
        try:
            descriptor = os.open(path, _READ)
            try:
                status = os.fstat(descriptor)
                size = status.st_size
                is_suitable = stat.S_ISREG(status.st_mode) and 0 < size < most_bytes
                data = os.read(descriptor, size + 1) if is_suitable else b""
            finally:
                os.close(descriptor)
            if not is_suitable or len(data) != size:
                results.append(None)
                continue
            checksum = sha256(data).hexdigest()
            is_executable = bool(status.st_mode & stat.S_IXUSR)
            plain = f"{objects}/{checksum[:2]}/{checksum[2:]}"
            identity = None
            if not (os.access(plain, os.F_OK) or os.access(f"{plain}.x", os.F_OK)):
                number += 1
                source = f"{temporary}{number}"
                target = f"{plain}.x" if is_executable else plain
                descriptor = os.open(source, _CREATE, 0o755 if is_executable else 0o644)
                try:
                    if os.write(descriptor, data) != size:
                        raise OSError  # a full disk, which the caller will meet again
                    os.utime(descriptor, ns=(time_ns(), mtime_ns))
                    try:
                        os.rename(source, target)
                    except FileNotFoundError:
                        os.makedirs(os.path.dirname(target), exist_ok=True)
                        os.rename(source, target)
                    made = os.fstat(descriptor)
                finally:
                    os.close(descriptor)
                identity = (made.st_dev, made.st_ino, made.st_size, made.st_mtime_ns, made.st_ctime_ns)
            results.append((checksum, size, is_executable, status.st_mtime_ns, identity))
        except OSError:
            results.append(None)
            if number:
                with suppress(OSError):  # it has become an object, or goes with the next clean-up
                    os.unlink(f"{temporary}{number}")
    return results


if __name__ == "__main__":
    answer = store_files(*marshal.load(sys.stdin.buffer))  # noqa: S302 - from its parent
    marshal.dump(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
