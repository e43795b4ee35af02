"""What a storage server lacks, asked for many transfers at once before they begin.

A transfer that asks by itself waits for the answer: on a long way that is most of the time of a small one.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

from .._store.blobtrees import Field

_KEPT_S = 600.0  # answers: nothing is deleted by a server sooner than that, if it was asked about
MOST_FIELDS = 200_000  # that answers are kept of


class MissingAhead:
    """Answers that are used as often as somebody asks; safe to use from several threads.

    Args:
        now_s: A clock.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._is_missing: dict[Field, bool] = {}
        self._until_s = 0.0

    def note(self, asked: Iterable[Field], missing: Iterable[Field]) -> None:
        """Of ASKED the server has just said that it lacks MISSING."""
        with self._lock:
            if not self._is_missing:
                self._until_s = self._now_s() + _KEPT_S
            self._is_missing.update(dict.fromkeys(asked, False))
            self._is_missing.update(dict.fromkeys(missing, True))

    def note_given(self, given: Iterable[Field]) -> None:
        """The server has got GIVEN."""
        if self._is_missing:
            with self._lock:
                self._is_missing.update((name, False) for name in given if name in self._is_missing)

    def split(self, asked: Sequence[Field]) -> tuple[list[Field], Sequence[Field]]:
        """Those of ASKED that are known to be missing, and those of which nothing is known."""
        if not self._is_missing:
            return [], asked
        with self._lock:
            if self._now_s() >= self._until_s:
                self._is_missing.clear()
            known = self._is_missing
            answers = [known.get(name) for name in asked]
        missing = [name for name, answer in zip(asked, answers, strict=True) if answer]
        return missing, [name for name, answer in zip(asked, answers, strict=True) if answer is None]
