"""How much a transfer has moved, told now and then."""

import threading
from collections.abc import Callable

_INTERVAL_S = 5.0  # between two reports


class Tally:
    """Counts bytes and blobs; counting may happen in any thread.

    Args:
        now_s: A clock.
        report: Told of the tally about every five seconds, in the thread that made it: messages
            belong to the job of their thread.
    """

    def __init__(self, now_s: Callable[[], float], report: "Callable[[Tally], None]") -> None:
        self.moved_bytes = 0
        self.expected_bytes = 0  # as far as it is known yet
        self.blobs = 0
        self._now_s = now_s
        self._report = report
        self._reported_s = now_s()
        self._owner = threading.get_ident()
        self._lock = threading.Lock()

    def expect(self, size_bytes: int) -> None:
        """Tells that SIZE_BYTES more will move."""
        with self._lock:
            self.expected_bytes += size_bytes

    def add(self, size_bytes: int, blobs: int = 0) -> None:
        """Tells what has moved, and reports it now and then."""
        self.count(size_bytes, blobs)
        self.tell()

    def count(self, size_bytes: int, blobs: int = 0) -> None:
        """Tells what has moved."""
        with self._lock:
            self.moved_bytes += size_bytes
            self.blobs += blobs

    def tell(self) -> None:
        """Reports if it is time to, and the calling thread is the one that made the tally."""
        if threading.get_ident() == self._owner and self._now_s() - self._reported_s >= _INTERVAL_S:
            self._reported_s = self._now_s()
            self._report(self)


def size_text(size_bytes: int) -> str:
    """SIZE_BYTES for people: `512 B`, `1.5 MiB`."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
