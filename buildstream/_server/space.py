"""How much disk space the cache may take: quota, reserved space, watermarks."""

import os
from collections.abc import Callable

from .._config.values import DiskShare
from .._dataclass import dataclass
from .settings import Quota

_BLOCK_BYTES = 4096
_THRESHOLD = 0.65  # of the way from the low watermark to the limit


def disk_size(size_bytes: int) -> int:
    """The disk space that a file of SIZE_BYTES takes, about."""
    return -(-size_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Volume:
    """State of a file system, in bytes."""

    total: int
    free: int  # to ordinary users


def volume_of(path: str) -> Volume:
    """The file system that holds PATH."""
    status = os.statvfs(path)
    return Volume(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)


class Space:
    """The limits, which depend on how full the disk is.

    Args:
        quota: What was configured.
        look: Gives the state of the disk; asked each time.
    """

    def __init__(self, quota: Quota, look: Callable[[], Volume]) -> None:
        self._quota = quota
        self._look = look

    def limit_bytes(self, used_bytes: int) -> int:
        """What blobs may take, which take USED_BYTES now."""
        volume = self._look()
        limit = used_bytes + volume.free - _bytes_of(self._quota.reserved, volume)
        if self._quota.limit is not None:
            limit = min(limit, _bytes_of(self._quota.limit, volume))
        return max(limit, 0)

    def low_bytes(self, limit_bytes: int) -> int:
        """What a clean-up leaves."""
        return int(limit_bytes * self._quota.low_watermark_percent / 100)

    def threshold_bytes(self, limit_bytes: int) -> int:
        """Above it a clean-up begins."""
        low = self.low_bytes(limit_bytes)
        return int(low + _THRESHOLD * (limit_bytes - low))


def _bytes_of(share: DiskShare, volume: Volume) -> int:
    if share.size_bytes is not None:
        return share.size_bytes
    return int(volume.total * (share.percent or 0) / 100)
