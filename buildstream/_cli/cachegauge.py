"""How full the cache is, for the status bar."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._model.session import CacheUsage

_INTERVAL_S = 5.0


class CacheGauge:
    """Measures in a thread of its own: the first look at a cache that nobody has counted takes long.

    Attributes:
        usage: What was measured last; None while nothing is known.
    """

    def __init__(self, measure: "Callable[[], CacheUsage]") -> None:
        self.usage: CacheUsage | None = None
        self._measure = measure
        self._ended = threading.Event()

    def start(self) -> None:
        """Measures every few seconds from now on."""
        # not waited for: it may be counting when the session ends
        threading.Thread(target=self._run, name="cache gauge", daemon=True).start()

    def stop(self) -> None:
        """Measures no more."""
        self._ended.set()

    def _run(self) -> None:
        from .._exceptions import BstError

        while not self._ended.is_set():
            try:
                self.usage = self._measure()
            except (BstError, OSError):
                self.usage = None  # the jobs will tell what is wrong with the cache
            self._ended.wait(_INTERVAL_S)
