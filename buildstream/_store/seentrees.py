"""What was seen of host directories, kept in a file a tree; it is no harm if one is lost."""

import stat
from array import array
from typing import NamedTuple

from .fileworker import HASH_BYTES, SEPARATOR
from .statrecords import read_values, write_values

_FORMAT = b"bst-stat-2\n"
_HALF = 1 << 63

# What is kept of each entry that is no directory, as `facts_of` tells; all of a directory are one array.
Facts = tuple[int, int, int, int, int]
UNSETTLED: Facts = (0, 0, 0, 0, 0)  # what no entry has
NO_HASH = bytes(HASH_BYTES)


class SeenDirectory(NamedTuple):
    """A directory as it was, in few values of types that `marshal` knows, which are compared at once."""

    names: str  # of all entries that are no directories, in the order of the directory
    facts: bytes  # of these entries, in that order
    contents: bytes  # hashes of the regular files among them, in that order; of others zeros
    directories: tuple[tuple[str, str, int], ...]  # name and digest, in the order of the directory
    mtime_ns: int | None  # as far as it counts
    digest: tuple[str, int]


def joined(names: list[str]) -> str:
    """Names as one text."""
    return SEPARATOR.join(names)


def split_names(names: str) -> list[str]:
    """What `joined` has joined."""
    return names.split(SEPARATOR) if names else []


def packed(facts: list[int]) -> bytes:
    """Facts of any number of entries, one after the other, in little space."""
    try:
        return array("q", facts).tobytes()
    except OverflowError:  # inode numbers of some file systems use all of 64 bits
        return array("q", [(value + _HALF) % (2 * _HALF) - _HALF for value in facts]).tobytes()


def split_facts(data: bytes) -> list[Facts]:
    """What `packed` has packed, by entry."""
    values = iter(array("q", data))
    return list(zip(*[values] * 5, strict=True))


def split_hashes(contents: bytes) -> list[str]:
    """Hashes as texts."""
    text = contents.hex()
    return [text[start : start + 2 * HASH_BYTES] for start in range(0, len(text), 2 * HASH_BYTES)]


def known_hashes(directory: SeenDirectory | None) -> dict[tuple[str, Facts], str]:
    """The hashes of the regular files of DIRECTORY, by name and facts."""
    if directory is None or not directory.facts:
        return {}
    entries = zip(split_names(directory.names), split_facts(directory.facts), strict=True)
    hashes = split_hashes(directory.contents)
    return {entry: hash_ for entry, hash_ in zip(entries, hashes, strict=True) if stat.S_ISREG(entry[1][0])}


def load_seen(path: str) -> dict[str, SeenDirectory]:
    """The directories of a tree by relative path; nothing if the file can't be read, or is damaged."""
    content = read_values(path, _FORMAT)
    if not isinstance(content, dict):
        return {}
    try:
        return {name: SeenDirectory(*values) for name, values in content.items()}
    except TypeError:
        return {}


def save_seen(path: str, directories: dict[str, SeenDirectory]) -> None:
    """Keeps the directories of a tree."""
    write_values(path, _FORMAT, {name: tuple(values) for name, values in directories.items()})
