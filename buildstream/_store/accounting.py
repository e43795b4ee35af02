"""What takes how much of a store: every content counted once, for the last used record that needs it."""

from collections.abc import Iterator
from typing import NamedTuple

from .cleanup import Candidate, Cleaner


class Account(NamedTuple):
    """One record, and what it alone is to blame for.

    A content that several records need counts for the one that was used last, so that the sizes of all
    accounts add up to that of all contents in use.
    """

    candidate: Candidate
    size_by_part: dict[str, int]  # in bytes; parts as in `Reference`
    total_bytes: int  # with what is counted for other records


def accounts(cleaner: Cleaner) -> Iterator[Account]:
    """An account for each record, the last used first.

    Costs a look at every directory of every tree, those of trees that are shared once, and memory for the
    hash of every content.
    """
    marked: set[str] = set()
    sizes: dict[str, int] = {}
    for candidate in sorted(cleaner.candidates(), reverse=True):
        size_by_part: dict[str, int] = {}
        total_bytes = 0
        for reference in cleaner.references(candidate):
            key = ("/" if reference.is_tree else "") + reference.digest.hash
            fresh = cleaner.unmarked([reference], marked)
            if key not in sizes:
                sizes[key] = sum(fresh.values())
            marked.update(fresh)
            size = sum(fresh.values())
            size_by_part[reference.part] = size_by_part.get(reference.part, 0) + size
            total_bytes += size or sizes.get(key, 0)
        yield Account(candidate, size_by_part, total_bytes)
