"""Gives up streams on which nothing moves, or hardly anything."""

import threading
from collections.abc import Callable

from .._dataclass import dataclass
from .retry import Cancellable

_INTERVAL_S = 0.5  # between two looks at the streams
_SLOWEST_BYTES_S = 2048  # average rate of a stream below which it is given up as well


@dataclass(slots=True, eq=False)
class WatchedStream:
    """One stream, as the watch knows it."""

    call: Cancellable
    moved: Callable[[], int]  # bytes so far
    timeout_s: float
    started_s: float
    seen_s: float  # when data was last seen to have moved
    started_bytes: int
    seen_bytes: int
    is_stalled: bool = False  # whether the watch has ended it

    def has_stalled(self, now_s: float) -> bool:
        """Whether the stream has to be given up at NOW_S."""
        moved_bytes = self.moved()
        if moved_bytes != self.seen_bytes:
            self.seen_bytes, self.seen_s = moved_bytes, now_s
        beyond_s = now_s - self.started_s - self.timeout_s
        return (
            now_s - self.seen_s > self.timeout_s
            or moved_bytes - self.started_bytes < beyond_s * _SLOWEST_BYTES_S
        )


class StallWatch:
    """Ends streams that stall, from a thread that exists while there are streams.

    Args:
        now_s: A clock.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._changed = threading.Condition()
        self._streams: set[WatchedStream] = set()
        self._thread: threading.Thread | None = None

    def add(self, call: Cancellable, moved: Callable[[], int], timeout_s: float) -> WatchedStream:
        """Watches CALL from now on; MOVED tells how many bytes it has moved."""
        now_s, moved_bytes = self._now_s(), moved()
        stream = WatchedStream(call, moved, timeout_s, now_s, now_s, moved_bytes, moved_bytes)
        with self._changed:
            self._streams.add(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stall-watch", daemon=True)
                self._thread.start()
        return stream

    def remove(self, stream: WatchedStream) -> None:
        """Watches STREAM no more."""
        with self._changed:
            self._streams.discard(stream)

    def _run(self) -> None:
        with self._changed:
            while self._streams:
                self._changed.wait(_INTERVAL_S)
                now_s = self._now_s()
                for stream in self._streams:
                    if not stream.is_stalled and stream.has_stalled(now_s):
                        stream.is_stalled = True
                        stream.call.cancel()
            self._thread = None
