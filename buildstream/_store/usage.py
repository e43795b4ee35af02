"""How much the objects of a store take, and how much they may take."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from time import monotonic

from .._dataclass import dataclass
from .._exceptions import CASError
from .layout import StoreLayout

# Clean-up in the background begins when this much of the way from the low watermark to the quota
# is used, as the reference does (keys specification 3.3).
_THRESHOLD = 0.65
# What may be written until the free space is looked at again.
_UNCHECKED_BYTES = 4 << 20
_UNCHECKED_OBJECTS = 64
_FUTILE_FOR_S = 2.0  # how long a clean-up that did not help is not repeated


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What the user allows the store to take.

    Attributes:
        quota_bytes: All objects together at most; None is no limit.
        reserved_bytes: What has to stay free on the file system.
        low_watermark: The share of the quota that a clean-up leaves, 0 to 1.
    """

    quota_bytes: int | None = None
    reserved_bytes: int = 0
    low_watermark: float = 0.8


class StoreUsage:
    """The size of all objects of a store, as all processes together count it.

    The count is kept in a file, `cas/usage`, when someone needs it: a decimal number.
    A process that is killed takes what it did not write there yet into its grave, so
    every clean-up counts anew.
    """

    def __init__(self, layout: StoreLayout, limits: StoreLimits) -> None:
        self._layout = layout
        self.limits = limits
        self._path = os.path.join(layout.cas, "usage")
        self._lock = Lock()
        self._cleaning = Lock()
        self._base_bytes: int | None = None  # what the file said
        self._unwritten_bytes = 0  # what this process added since
        self._unchecked_bytes = 0
        self._unchecked_objects = 0
        self._is_doubtful = False
        self._futile_until_s = 0.0
        # makes room, given how much is to be left; set by who can
        self.clean_up: Callable[[int], None] | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing has to be watched."""
        return self.limits.quota_bytes is None and not self.limits.reserved_bytes

    @property
    def free_bytes(self) -> int:
        """What is free on the file system for ordinary users."""
        status = os.statvfs(self._layout.objects)
        return status.f_bavail * status.f_frsize

    @property
    def used_bytes(self) -> int:
        """The size of all objects; costs a look at each if nobody has counted yet."""
        if self._base_bytes is None:
            self.synchronize(is_needed=True)
        return max((self._base_bytes or 0) + self._unwritten_bytes, 0)

    @property
    def effective_quota_bytes(self) -> int | None:
        """The quota, lowered as far as the reserve demands; None if nothing limits the store."""
        limits = self.limits
        if not limits.reserved_bytes:
            return limits.quota_bytes
        allowed = max(self.used_bytes + self.free_bytes - limits.reserved_bytes, 0)
        return allowed if limits.quota_bytes is None else min(allowed, limits.quota_bytes)

    def low_bytes(self) -> int:
        """What a clean-up should leave."""
        quota = self.effective_quota_bytes
        return 1 << 62 if quota is None else int(quota * self.limits.low_watermark)

    def needs_cleanup(self) -> bool:
        """Whether it is time to clean up in the background."""
        limits = self.limits
        if limits.reserved_bytes and self.free_bytes < limits.reserved_bytes:
            return True
        if limits.quota_bytes is None:
            return False
        low = limits.quota_bytes * limits.low_watermark
        return self.used_bytes > low + _THRESHOLD * (limits.quota_bytes - low)

    # --- Counting

    def begin_counting(self) -> None:
        """To be called before something is written that is charged only then."""
        if self.limits.quota_bytes is not None and self._base_bytes is None:
            self.synchronize(is_needed=True)

    def charge(self, size_bytes: int, path: str) -> None:
        """Counts what is about to be written to PATH; makes room for it if need be.

        Raises:
            CASError: `cache-too-full`; there is no room, and nothing more can be deleted.
        """
        self.begin_counting()
        with self._lock:
            self._unwritten_bytes += size_bytes
            self._unchecked_bytes += size_bytes
            self._unchecked_objects += 1
            if self.limits.quota_bytes is None:
                if (
                    self._unchecked_bytes < _UNCHECKED_BYTES and self._unchecked_objects < _UNCHECKED_OBJECTS
                ) or not self.limits.reserved_bytes:
                    return
                self._unchecked_bytes = self._unchecked_objects = 0
        if not self._is_exceeded():
            return
        with self._cleaning:  # whoever comes second finds the room that the first has made
            if not self._is_exceeded():
                return
            if self.clean_up is not None and monotonic() >= self._futile_until_s:
                self.clean_up(max(self.low_bytes() - size_bytes, 0))
                with self._lock:  # the clean-up has counted what is there: this is to come
                    self._unwritten_bytes += size_bytes
                if not self._is_exceeded():
                    return
                self._futile_until_s = monotonic() + _FUTILE_FOR_S
        with self._lock:
            self._unwritten_bytes -= size_bytes
        raise self._too_full(size_bytes, path)

    @contextmanager
    def charged(self, size_bytes: int, path: str) -> Iterator[None]:
        """The block that writes what is charged: if it fails, that is given back; see `charge`."""
        self.charge(size_bytes, path)
        try:
            yield
        except BaseException:
            self.give_back(size_bytes)
            raise

    def doubt(self) -> None:
        """Has all objects counted anew after this session, as nobody knows what was written."""
        self._is_doubtful = True

    def give_back(self, size_bytes: int) -> None:
        """Takes back what was charged and not written after all."""
        with self._lock:
            self._unwritten_bytes -= size_bytes

    def _is_exceeded(self) -> bool:
        limits = self.limits
        if limits.quota_bytes is not None and self.used_bytes > limits.quota_bytes:
            return True
        return bool(limits.reserved_bytes) and self.free_bytes < limits.reserved_bytes

    def _too_full(self, size_bytes: int, path: str) -> CASError:
        limits = self.limits
        free = self.free_bytes
        if limits.quota_bytes is not None and self.used_bytes + size_bytes > limits.quota_bytes:
            limit = f"the quota of {limits.quota_bytes:,} bytes"
            advice = "Raise 'quota' in the section 'cache' of the user configuration"
        else:
            limit = f"the reserve of {limits.reserved_bytes:,} bytes, of which {free:,} are free"
            advice = "Free disk space, lower 'reserved-disk-space' in the section 'cache'"
        return CASError(
            "Cache too full",
            detail=f"There is no room for {size_bytes:,} bytes at '{path}' within {limit};\n"
            f"the cache takes {self.used_bytes:,} bytes, and the rest of it is in use or pinned.\n"
            f"{advice}, or see what could go with `bst cache info`.",
            reason="cache-too-full",
        )

    def synchronize(self, *, is_needed: bool = False) -> None:
        """Adds what this process has written to the common count, and reads that.

        Args:
            is_needed: Whether all objects are counted if nobody did so far; False is for the end.
        """
        is_doubtful = self._is_doubtful and not is_needed
        is_same = self._unwritten_bytes == 0 and not is_doubtful
        if not is_needed and (is_same or not os.path.exists(self._path)):
            return
        if is_doubtful:
            with self._lock, _locked(self._path) as descriptor, suppress(OSError):
                os.ftruncate(descriptor, 0)
            return
        with self._lock, _locked(self._path) as descriptor:
            text = os.pread(descriptor, 32, 0).strip()
            if text.isdigit():
                base = max(int(text) + self._unwritten_bytes, 0)
            else:
                base = measure_objects(self._layout.objects)  # all that this process wrote is there
            _rewrite(descriptor, base)
            self._base_bytes, self._unwritten_bytes = base, 0

    def set(self, used_bytes: int) -> None:
        """Corrects the common count, after all objects were counted."""
        with self._lock, _locked(self._path) as descriptor:
            _rewrite(descriptor, used_bytes)
            self._base_bytes, self._unwritten_bytes = used_bytes, 0


class _locked:  # noqa: N801 - used like a function
    """The open file at a path, locked."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> int:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _rewrite(descriptor: int, number: int) -> None:
    with suppress(OSError):  # a full disk: the next clean-up counts anew
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % number, 0)


def measure_objects(directory: str) -> int:
    """The size of all objects in bytes; costs a system call for each."""
    total = 0
    for prefix in os.listdir(directory):
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(f"{directory}/{prefix}") as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_size
    return total
