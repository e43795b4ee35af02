"""Trees of which all objects were seen to be right, remembered from one command to the next.

Whatever is done to a file sets its change time, which nobody can set back. So an object of such a tree is
still right if it was changed last before that moment; to look at it takes a third of the time of reading it.
"""

import os
from contextlib import suppress

from .._model.digest import Digest
from .completeness import WORTHWHILE, boot
from .statrecords import clock_ns, replace_record

_FORMAT = b"bst-verified-1\n"
_MOST_DIGITS = 20


class VerifiedTrees:
    """What is remembered about the trees of one store.

    Args:
        records: Directory for one file a tree, on the file system of the objects.
    """

    def __init__(self, records: str) -> None:
        self._records = records

    def verified_ns(self, digest: Digest) -> int:
        """Objects of the tree that have not been changed since then are right; 0 if none are known to be.

        In nanoseconds of the clock of the file system.
        """
        try:
            with open(self._path(digest), "rb") as file:
                head, _, text = file.read().rpartition(b"\n")
                written_ns = os.fstat(file.fileno()).st_ctime_ns
        except OSError:
            return 0
        is_number = text.isdigit() and len(text) < _MOST_DIGITS
        since_ns = int(text) if head == self._head() and is_number else 0
        return since_ns if since_ns <= written_ns else 0

    def remember(self, digest: Digest, file_count: int) -> None:
        """Notes that all objects of the tree are right now.

        Those that have been changed within this tick of the clock do not count.
        Does nothing if it is not worth the trouble.
        """
        if file_count < WORTHWHILE:
            return
        with suppress(OSError):
            now_ns = clock_ns(self._records)
            replace_record(self._path(digest), b"%b\n%d" % (self._head(), now_ns))

    def _path(self, digest: Digest) -> str:
        return os.path.join(self._records, f"verified-{digest.hash}")

    @staticmethod
    def _head() -> bytes:
        """What may be lost when the machine crashes counts for one boot only."""
        return _FORMAT + boot()
