"""How long a session still takes, while it runs."""

import threading
from collections.abc import Mapping

from .._load.resolved import ResolvedElement
from .durations import Duration, remaining_after


class TimeLeft:
    """Guesses from how long builds took before; asked often, so each answer costs O(running jobs).

    Args:
        order: The elements of the session, dependencies first.
        duration: How long the build of each is expected to take; 0 for what is not built.
        workers: Builds that run at once; 0: no limit.
    """

    def __init__(self, order: list[ResolvedElement], duration: Duration, workers: int) -> None:
        after = remaining_after(order, duration)
        self._durations = {element.full_name: duration(element) for element in order if duration(element) > 0}
        self._after = {element.full_name: after[element] for element in order}
        self._workers = workers or len(order)
        self._work_s = sum(self._durations.values())
        # those that most comes after first; finished ones are passed over for good
        self._by_path = sorted(self._durations, key=lambda name: -(self._durations[name] + self._after[name]))
        self._next = 0
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def end(self, name: str) -> None:
        """The build of the element NAME has ended."""
        with self._lock:  # jobs end in threads of their own
            if name in self._durations and name not in self._ended:
                self._ended.add(name)
                self._work_s -= self._durations[name]

    def left_s(self, running_s: Mapping[str, float]) -> float:
        """Seconds until the end; RUNNING_S tells for how long the running builds have run, by name."""
        done_s = {name: min(s, self._durations.get(name, 0.0)) for name, s in running_s.items()}
        while self._next < len(self._by_path) and self._by_path[self._next] in self._ended:
            self._next += 1
        paths = [
            self._durations.get(name, 0.0) - s + self._after.get(name, 0.0) for name, s in done_s.items()
        ]
        waiting = next((name for name in self._by_path[self._next :] if self._is_waiting(name, done_s)), None)
        if waiting is not None:
            paths.append(self._durations[waiting] + self._after[waiting])
        work_s = max(self._work_s - sum(done_s.values()), 0.0)
        return max([work_s / self._workers, *paths])

    def _is_waiting(self, name: str, done_s: Mapping[str, float]) -> bool:
        return name not in self._ended and name not in done_s
