"""Which objects were used when, and deleting those that were not: for caches that keep what is used.

Local caches keep what records refer to; see `cleanup`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from .layout import storage_errors


class ObjectUse(NamedTuple):
    """An object, and when it was used; sorts the least recently used one first."""

    used_ns: int  # since the epoch; far back if it never was claimed
    size_bytes: int
    path: str


def object_uses(directory: str) -> Iterator[ObjectUse]:
    """All objects in DIRECTORY, in no order.  Costs a system call for each.

    Raises:
        CASError: They can't be listed.
    """
    with storage_errors("list", directory):
        for prefix in os.listdir(directory):
            path = f"{directory}/{prefix}"
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield ObjectUse(status.st_atime_ns, status.st_size, entry.path)


def remove_unused(use: ObjectUse) -> bool:
    """Deletes an object unless it was used since USE was seen; gives whether it is gone.

    Raises:
        CASError: It can't be deleted.
    """
    with storage_errors("delete", use.path):
        try:
            if os.lstat(use.path).st_atime_ns != use.used_ns:
                return False
            os.unlink(use.path)
        except FileNotFoundError:
            pass
    return True
