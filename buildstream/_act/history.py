"""How long the jobs of elements took before: a small file a project in the cache directory.

A file is replaced as a whole, under a lock that all processes take, by what it held with what is
new in it; so nothing is lost when several sessions end at once.  It only serves to guess: one that
is missing, damaged or of a newer version counts as empty.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._dataclass import dataclass
from ..utils import save_file_atomic

HISTORY_VERSION = 1
# what is kept a project; the ones that were used least recently go first
MOST_ELEMENTS = 50_000
# how much the newest time counts against all before it
_NEWEST_WEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Timing:
    """How long jobs of one action for one element take."""

    expected_s: float  # an average in which the newest counts most
    samples: int
    updated_s: float  # seconds since the epoch


_Timings = dict[str, dict[str, Timing]]  # by element, then by action in lower case


class DurationHistory:
    """The times of past jobs.

    Args:
        directory: `<cachedir>/history`; made when something is saved.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._loaded: dict[str, _Timings] = {}  # by project
        self._new: dict[str, list[tuple[str, str, float]]] = {}  # project -> element, action, seconds

    def find(self, project: str, element: str, action: str) -> Timing | None:
        """What is known of jobs of ACTION for ELEMENT, by its name in PROJECT."""
        return self._timings(project).get(element, {}).get(action.lower())

    def elements(self, project: str) -> list[str]:
        """The names of all elements of a project of which something is known, in no order."""
        return list(self._timings(project))

    def _timings(self, project: str) -> _Timings:
        timings = self._loaded.get(project)
        if timings is None:
            timings = self._loaded[project] = self._read(project)
        return timings

    def add(self, project: str, element: str, action: str, elapsed_s: float) -> None:
        """Notes the time of a job that has succeeded; kept by `save`."""
        self._new.setdefault(project, []).append((element, action.lower(), elapsed_s))

    def save(self, now_s: float) -> None:
        """Writes what was added; a file that can't be written is left as it is."""
        new, self._new = self._new, {}
        for project, samples in new.items():
            # a full disk must not fail a build that has succeeded
            with suppress(OSError), self._locked(project):
                timings = self._read(project, for_writing=True)
                for element, action, elapsed_s in samples:
                    actions = timings.setdefault(element, {})
                    actions[action] = _averaged(actions.get(action), elapsed_s, now_s)
                self._write(project, timings)
                self._loaded[project] = timings

    @contextmanager
    def _locked(self, project: str) -> Iterator[None]:
        os.makedirs(self._directory, exist_ok=True)
        with open(os.path.join(self._directory, f"{project}.lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, project: str) -> str:
        return os.path.join(self._directory, f"{project}.json")

    def _read(self, project: str, *, for_writing: bool = False) -> _Timings:
        """What the file of PROJECT holds.

        Raises:
            OSError: FOR_WRITING, and the file is one of a newer version, to be left alone.
        """
        try:
            with open(self._path(project), encoding="utf-8") as file:
                content = json.load(file)
            version = content["version"]
            if version != HISTORY_VERSION:
                if for_writing and isinstance(version, int) and version > HISTORY_VERSION:
                    raise OSError(f"{self._path(project)} has version {version}")
                return {}
            return {
                element: {
                    action: Timing(float(expected_s), int(samples), float(updated_s))
                    for action, (expected_s, samples, updated_s) in actions.items()
                }
                for element, actions in content["elements"].items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}  # damaged
        except OSError:
            if for_writing:
                raise
            return {}

    def _write(self, project: str, timings: _Timings) -> None:
        if len(timings) > MOST_ELEMENTS:
            newest = sorted(timings, key=lambda name: _last_use_s(timings[name]))[-MOST_ELEMENTS:]
            timings = {name: timings[name] for name in newest}
        elements = {
            element: {
                action: [round(timing.expected_s, 3), timing.samples, round(timing.updated_s)]
                for action, timing in actions.items()
            }
            for element, actions in timings.items()
        }
        with save_file_atomic(self._path(project), "w") as file:
            json.dump({"version": HISTORY_VERSION, "elements": elements}, file, separators=(",", ":"))


def _averaged(before: Timing | None, elapsed_s: float, now_s: float) -> Timing:
    if before is None:
        return Timing(elapsed_s, 1, now_s)
    expected_s = before.expected_s + _NEWEST_WEIGHT * (elapsed_s - before.expected_s)
    return Timing(expected_s, before.samples + 1, now_s)


def _last_use_s(actions: dict[str, Timing]) -> float:
    return max((timing.updated_s for timing in actions.values()), default=0.0)
