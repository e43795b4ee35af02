"""Reading the bytes of directories, in the layout that nearly all of them have.

Imports little: programs that start often and read few of them need nothing else.
"""

from .wire import WireError, read_varint

TYPE_CHECKING = False  # importing it from typing takes longer than all that is here
if TYPE_CHECKING:
    from collections.abc import Collection


class TreeDecodeError(ValueError):
    """Bytes that are not an acceptable directory."""


class Columns:
    """Entries of a directory, in lists of equal length.

    Attributes:
        names: Of each.
        hashes: Of each, 64 characters of any kind.
        sizes: Of each, in bytes.
        executables: Whether it has the execute bit.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.hashes: list[str] = []
        self.sizes: list[int] = []
        self.executables: list[bool] = []


def decode_canonical(data: bytes) -> tuple[Columns, Columns, int]:
    """The files and directories that DATA begins with, and where these end, as far as they are canonical.

    Most directories consist of nothing else: it takes half as long as to look at each field.  Neither
    names nor hashes are checked.

    Raises:
        UnicodeDecodeError: A name is not UTF-8.
        IndexError: DATA is cut short.
    """
    files, directories = Columns(), Columns()
    add_name, add_hash = files.names.append, files.hashes.append
    add_size, add_executable = files.sizes.append, files.executables.append
    text = data.decode("latin-1")
    # what follows a hash, and with that: how far it is from the hash to the end of the node, what is in front
    # of the hash, the size and the execute bit
    tails: dict[bytes, tuple[int, bytes, int, bool]] = {}
    position, end, tag = 0, len(data), 0x0A
    while position + 72 <= end:
        length, start = data[position + 1], position + 2
        if length >= 0x80:
            length, start = length & 0x7F | data[start] << 7, start + 1
        name_start, name_length = start + 2, data[start + 1]
        name_end = name_start + name_length
        hash_start = name_end + 4
        node_end = start + length
        tail = data[hash_start + 64 : node_end]
        known = tails.get(tail)
        if known is None:
            known = _decode_tail(tail)
            if known is None:
                break
            tails[tail] = known
        span, head, size, is_executable = known
        if (
            data[name_end:hash_start] != head
            or hash_start + span != node_end
            or data[start] != 0x0A
            or name_length >= 0x80
        ):
            break
        if data[position] != tag:
            if data[position] != 0x12:
                break
            tag = 0x12  # directories follow files
            add_name, add_hash = directories.names.append, directories.hashes.append
            add_size, add_executable = directories.sizes.append, directories.executables.append
        add_name(text[name_start:name_end])
        add_hash(text[hash_start : hash_start + 64])
        add_size(size)
        add_executable(is_executable)
        position = node_end
    if any(directories.executables):
        return Columns(), Columns(), 0  # very unusual: as if nothing was canonical
    for columns in (files, directories):
        if not "".join(columns.names).isascii():
            columns.names = [name.encode("latin-1").decode() for name in columns.names]
    return files, directories, position


def _decode_tail(tail: bytes) -> tuple[int, bytes, int, bool] | None:
    """What goes with what follows a hash, as `decode_canonical` keeps it; None if it is unusual."""
    is_executable = tail.endswith(b"\x20\x01")
    size_field = tail[:-2] if is_executable else tail
    size = 0
    if size_field:
        if size_field[0] != 0x10:
            return None
        try:
            size, end = read_varint(size_field, 1)
        except (IndexError, WireError):
            return None
        if end != len(size_field):
            return None
    head = b"\x12%c\n@" % (66 + len(size_field))
    return 64 + len(tail), head, size, is_executable


_HEXADECIMAL = b"0123456789abcdef"


def check_names(names: "Collection[str]") -> None:
    """Refuses names that a server could use to reach outside of the directory.  O(bytes of names).

    Raises:
        TreeDecodeError: A name is not that of a directory entry, or comes twice.
    """
    different = set(names)
    if len(different) != len(names):
        raise TreeDecodeError("a name comes twice")
    joined = "".join(different)
    if "/" in joined or "\0" in joined or not different.isdisjoint(("", ".", "..")):
        raise TreeDecodeError("a name is not that of a directory entry")


def check_hashes(hashes: list[str]) -> None:
    """Refuses what is no hash.

    Raises:
        TreeDecodeError: One is not that of a blob.
    """
    joined = "".join(hashes).encode()
    if any(len(text) != 64 for text in hashes) or joined.translate(None, _HEXADECIMAL):
        raise TreeDecodeError("a digest is not a SHA-256")
