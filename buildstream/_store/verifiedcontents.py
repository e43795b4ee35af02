"""Contents that were seen to be right, remembered from one command to the next.

Whatever is done to a file sets its change time, which nobody can set back.  So an object that was right
at some moment still is if it was changed last before that; to look at its times takes a fraction of the
time of reading it.  This is remembered of trees of many files, and of single large objects.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from .statrecords import boot, clock_ns, replace_record

_FORMAT = b"bst-verified-1\n"
_MOST_DIGITS = 20
_WAIT_S = 0.002
_MOST_WAITS = 10  # clocks of file systems tick every 10 ms, or more often


class VerifiedContents:
    """What is remembered about the contents of one store.

    Args:
        records: Directory for one file a content, on the file system of the objects.
        kind: What the contents are; in the names of these files.
    """

    def __init__(self, records: str, kind: str) -> None:
        self._records = records
        self._kind = kind

    def since_ns(self, name: str) -> int:
        """Objects of the content that have not been changed since then are right; 0 if none are known to be.

        In nanoseconds of the clock of the file system.
        """
        try:
            with open(self._path(name), "rb") as file:
                head, _, text = file.read().rpartition(b"\n")
                written_ns = os.fstat(file.fileno()).st_ctime_ns
        except OSError:
            return 0
        is_number = text.isdigit() and len(text) < _MOST_DIGITS
        since_ns = int(text) if head == self._head() and is_number else 0
        return since_ns if since_ns <= written_ns else 0

    def remember(self, name: str) -> None:
        """Notes that all objects of the content are right now.

        Those that have been changed within this tick of the clock do not count.
        """
        with suppress(OSError):
            self._write(name, clock_ns(self._records))

    def remember_all(self, names: Sequence[str], changed_ns: int) -> None:
        """As `remember`, for contents of which no object has been changed after CHANGED_NS.

        If that was in this tick of the clock, waits for the next one: some milliseconds.
        """
        if not names:
            return
        with suppress(OSError):
            for _ in range(_MOST_WAITS):
                now_ns = clock_ns(self._records)
                if now_ns > changed_ns:
                    break
                time.sleep(_WAIT_S)
            for name in names:
                self._write(name, now_ns)

    def _write(self, name: str, since_ns: int) -> None:
        replace_record(self._path(name), b"%b\n%d" % (self._head(), since_ns))

    def forget(self, name: str) -> None:
        """Has the content read again when it is next needed."""
        with suppress(OSError):
            os.unlink(self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self._records, f"verified-{self._kind}-{name}")

    @staticmethod
    def _head() -> bytes:
        """What may be lost when the machine crashes counts for one boot only."""
        return _FORMAT + boot()
