"""Small files that hold what `stat` told; it is no harm if one is lost."""

import marshal
import os
import time
import zlib
from contextlib import suppress
from typing import Any

# How long something must have been at rest.  Times come from clocks that tick at least every 10 ms;
# a time of whole seconds may come from a file system that keeps no more than two seconds.
_SETTLED_AFTER_NS = 100_000_000
_SETTLED_AFTER_COARSE_NS = 2_100_000_000
_SECOND_NS = 1_000_000_000

_DAY_S = 24 * 3600
_KEPT_FOR_S = 60 * _DAY_S
_SWEPT = "swept"  # the file whose time says when old records were deleted

_CHECKSUM_BYTES = 4
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot() -> bytes:
    """A text for this boot of the machine; another one each time if it has none."""
    try:
        with open(_BOOT_ID, "rb") as file:
            return file.read()
    except OSError:
        return b"%d" % time.time_ns()


def is_settled(newest_ns: int, changed_ns: int, now_ns: int) -> bool:
    """Whether what is changed from NOW_NS on gets other times than it has.

    Args:
        newest_ns: The latest of its times.
        changed_ns: The one that the file system has set.
        now_ns: When it was looked at, or before.
    """
    is_coarse = changed_ns % _SECOND_NS == 0
    return newest_ns < now_ns - (_SETTLED_AFTER_COARSE_NS if is_coarse else _SETTLED_AFTER_NS)


def clock_ns(directory: str) -> int:
    """The present time of the file system: what changes from now on gets this time or a later one.

    In nanoseconds since the epoch.  DIRECTORY, in which nothing stays, is made if need be.

    Raises:
        OSError: It can't be written to.
    """
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"now.{os.getpid()}.{time.time_ns():x}")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(descriptor).st_ctime_ns
    finally:
        os.close(descriptor)
        os.unlink(path)


def read_values(path: str, format_line: bytes) -> object:
    """What `write_values` has written; None if it can't be read, is damaged or of another format."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(format_line) + _CHECKSUM_BYTES)
            data = file.read()
        if head != format_line + _checksum(data):
            return None
        return marshal.loads(data)  # noqa: S302 - written below, and found intact
    except (OSError, EOFError, ValueError, TypeError):
        return None


def write_values(path: str, format_line: bytes, values: Any) -> None:
    """Replaces the file at PATH by one with VALUES, of types that `marshal` knows; see `replace_record`."""
    # version 2 has no references between values: faster to write, and the same for the same values
    data = marshal.dumps(values, 2)
    replace_record(path, format_line + _checksum(data) + data)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def replace_record(path: str, data: bytes) -> None:
    """Replaces the file at PATH at once, if that is possible, and deletes old ones beside it."""
    temporary = f"{path}.{os.getpid()}.{time.time_ns():x}"
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    _forget_old(os.path.dirname(path))


def _forget_old(directory: str) -> None:
    """Deletes, once a day, records that have not been written for long.

    Costs one system call on other occasions: a project may have thousands of records.
    """
    now_s = time.time()
    swept = os.path.join(directory, _SWEPT)
    with suppress(OSError):
        with suppress(FileNotFoundError):
            if os.stat(swept).st_mtime > now_s - _DAY_S:
                return
        with open(swept, "wb"):
            os.utime(swept, (now_s, now_s))
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.stat().st_mtime < now_s - _KEPT_FOR_S:
                    os.unlink(entry.path)
