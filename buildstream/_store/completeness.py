"""Trees that were seen to be complete, remembered from one command to the next.

To look whether 50,000 blobs are there takes most of the time of a build that has nothing to do.
Adding or deleting an object changes the time of the directory that it is in.  So a tree that was
complete still is as long as none of these directories, of which there are 256, has
changed since.  Content is verified when it is used, as always.
"""

import os
import time
from array import array
from contextlib import suppress

from .._model.digest import Digest
from .statrecords import clock_ns, is_settled, replace_record

_FORMAT = b"bst-complete-1\n"
WORTHWHILE = 2_000  # blobs; looking at fewer is as fast as looking at the directories
_PREFIXES = [f"{number:02x}" for number in range(256)]
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class CompleteTrees:
    """What is remembered about the trees of one store.

    Args:
        objects: The directory of the objects.
        records: Directory for one file a tree.
    """

    def __init__(self, objects: str, records: str) -> None:
        self._objects = objects
        self._records = records

    def is_known(self, digest: Digest) -> bool:
        """Whether nothing has changed in the store since the tree was complete."""
        try:
            with open(self._path(digest), "rb") as file:
                data = file.read()
        except OSError:
            return False
        return data == self._text(self._times())

    def remember(self, digest: Digest, blob_count: int, since_ns: int) -> None:
        """Notes that all BLOB_COUNT blobs of the tree were there, when looked for from SINCE_NS on.

        Does nothing if one may have been deleted meanwhile, or if it is not worth the trouble.
        """
        if blob_count < WORTHWHILE:
            return
        times = self._times()
        newest_ns = max(times)
        if is_settled(newest_ns, newest_ns, since_ns):
            replace_record(self._path(digest), self._text(times))

    def remember_claimed(self, digest: Digest, blob_count: int) -> None:
        """As `remember`, for a tree of which this session still claims all blobs."""
        if blob_count < WORTHWHILE:
            return
        with suppress(OSError):
            now_ns = clock_ns(self._records)
            times = self._times()
            if max(times) < now_ns:
                replace_record(self._path(digest), self._text(times))

    def _path(self, digest: Digest) -> str:
        return os.path.join(self._records, f"complete-{digest.hash}")

    def _times(self) -> "array[int]":
        """When the directories of the objects have changed; 0 for those that are not there."""
        times = array("q", bytes(8 * len(_PREFIXES)))
        for number, prefix in enumerate(_PREFIXES):
            try:
                times[number] = os.stat(f"{self._objects}/{prefix}").st_mtime_ns
            except OSError:
                continue
        return times

    @staticmethod
    def _text(times: "array[int]") -> bytes:
        """The content of a file: what may be lost when the machine crashes counts for one boot only."""
        return _FORMAT + boot() + times.tobytes()


def boot() -> bytes:
    """A text for this boot of the machine; another one each time if it has none."""
    try:
        with open(_BOOT_ID, "rb") as file:
            return file.read()
    except OSError:
        return b"%d" % time.time_ns()
