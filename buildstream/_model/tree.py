"""Directories of the Remote Execution API as values, and their canonical bytes.

The bytes are those of the protocol buffer message `Directory`, written by
hand: loading the protocol buffer library costs more time than most commands
take, and a plain encoder needs about a microsecond an entry.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat
from operator import itemgetter
from typing import NamedTuple

from .digest import Digest
from .directorybytes import Columns, TreeDecodeError, check_hashes, check_names, decode_canonical
from .wire import WireError, fields, length_prefixed, read_varint, skip_field, varint

_NANOSECONDS = 1_000_000_000
_SUBTREE_READ_ONLY = "SubtreeReadOnly"


class FileEntry(NamedTuple):
    """A regular file in a directory."""

    name: str
    digest: Digest
    is_executable: bool = False
    mtime_ns: int | None = None  # since the epoch; None if none was recorded


class DirectoryEntry(NamedTuple):
    """A directory in a directory."""

    name: str
    digest: Digest  # of the encoded TreeDirectory


class SymlinkEntry(NamedTuple):
    """A symbolic link in a directory."""

    name: str
    target: str


class TreeDirectory(NamedTuple):
    """One directory: its entries, sorted by name when they were decoded."""

    files: tuple[FileEntry, ...] = ()
    directories: tuple[DirectoryEntry, ...] = ()
    symlinks: tuple[SymlinkEntry, ...] = ()
    subtree_read_only: bool | None = None  # whether a sandbox may write below; None if it is not said
    mtime_ns: int | None = None  # since the epoch; None if none was recorded


# Make entries of tuples, without a step of the interpreter for each.
_NEW_DIGEST = partial(tuple.__new__, Digest)
_NEW_FILE = partial(tuple.__new__, FileEntry)
_NEW_DIRECTORY = partial(tuple.__new__, DirectoryEntry)


# --- Encoding


def encode_directory(directory: TreeDirectory) -> bytes:
    """The canonical bytes of DIRECTORY: entries sorted by name, defaults left out.

    Raises:
        UnicodeEncodeError: A name or target can't be expressed in UTF-8.
    """
    by_name = itemgetter(0)  # code point order equals the order of UTF-8 bytes
    parts = [_encode_file(entry) for entry in sorted(directory.files, key=by_name)]
    for name, digest in sorted(directory.directories, key=by_name):
        node = length_prefixed(b"\x0a", name.encode()) + encode_digest_field(digest)
        parts.append(length_prefixed(b"\x12", node))
    for name, target in sorted(directory.symlinks, key=by_name):
        node = length_prefixed(b"\x0a", name.encode())
        if target:
            node += length_prefixed(b"\x12", target.encode())
        parts.append(length_prefixed(b"\x1a", node))
    if directory.subtree_read_only is not None or directory.mtime_ns is not None:
        properties = b""
        if directory.subtree_read_only is not None:
            properties = _encode_subtree_read_only(directory.subtree_read_only)
        parts.append(length_prefixed(b"\x2a", properties + _encode_mtime(directory.mtime_ns)))
    return b"".join(parts)


def _encode_file(entry: FileEntry) -> bytes:
    name, digest, is_executable, mtime_ns = entry
    node = length_prefixed(b"\x0a", name.encode()) + encode_digest_field(digest)
    if is_executable:
        node += b"\x20\x01"
    if mtime_ns is not None:
        node += length_prefixed(b"\x32", _encode_mtime(mtime_ns))
    return length_prefixed(b"\x0a", node)


def encode_digest_field(digest: Digest) -> bytes:
    """A digest as field 2 of the message that holds it."""
    hash_bytes = digest.hash.encode()
    if digest.size:
        size = varint(digest.size)
        return b"\x12%c\x0a@%b\x10%b" % (67 + len(size), hash_bytes, size)
    return b"\x12\x42\x0a@" + hash_bytes


def _encode_subtree_read_only(value: bool) -> bytes:
    name = length_prefixed(b"\x0a", _SUBTREE_READ_ONLY.encode())
    text = length_prefixed(b"\x12", b"true" if value else b"false")
    return length_prefixed(b"\x0a", name + text)


def _encode_mtime(mtime_ns: int | None) -> bytes:
    """A time as field 2 of NodeProperties; nothing for None."""
    if mtime_ns is None:
        return b""
    seconds, nanoseconds = divmod(mtime_ns, _NANOSECONDS)
    timestamp = b""
    if seconds:
        timestamp += b"\x08" + varint(seconds & 0xFFFF_FFFF_FFFF_FFFF)
    if nanoseconds:
        timestamp += b"\x10" + varint(nanoseconds)
    return length_prefixed(b"\x12", timestamp)


# --- Decoding


def decode_directory(data: bytes) -> TreeDirectory:
    """The directory that DATA encodes, with its entries sorted by name.

    Fields may come in any order and unknown fields are skipped.

    Raises:
        TreeDecodeError: DATA is no directory, or one that can't be written to a
            file system: empty names, names with a slash, names that come twice,
            digests that are not 64 lower-case hexadecimal digits.
    """
    symlinks: list[SymlinkEntry] = []
    subtree_read_only: bool | None = None
    mtime_ns: int | None = None
    try:
        columns, directory_columns, position = decode_canonical(data)
        rows = zip(columns.names, _digests(columns), columns.executables, repeat(None))
        files: list[FileEntry] = list(map(_NEW_FILE, rows))
        rows_of_directories = zip(directory_columns.names, _digests(directory_columns), strict=True)
        directories: list[DirectoryEntry] = list(map(_NEW_DIRECTORY, rows_of_directories))
        end = len(data)
        while position < end:
            tag = data[position]
            if tag not in (0x0A, 0x12, 0x1A, 0x2A):
                position = skip_field(data, position)
                continue
            length = data[position + 1]
            position += 2
            if length >= 0x80:
                length, position = read_varint(data, position - 1)
            node_end = position + length
            if node_end > end:
                raise TreeDecodeError("an entry is cut short")
            if tag == 0x0A:
                files.append(_decode_file(data, position, node_end))
            elif tag == 0x12:
                name, digest, _, _ = _decode_file(data, position, node_end)
                directories.append(DirectoryEntry(name, digest))
            elif tag == 0x1A:
                symlinks.append(_decode_symlink(data, position, node_end))
            else:
                subtree_read_only, mtime_ns = _decode_properties(data[position:node_end])
            position = node_end
    except (IndexError, UnicodeDecodeError, WireError) as error:
        raise TreeDecodeError(f"malformed directory: {error}") from error
    by_name = itemgetter(0)
    check_names(list(map(by_name, chain(files, directories, symlinks))))
    check_hashes([entry.digest.hash for entry in files] + [entry.digest.hash for entry in directories])
    return TreeDirectory(
        tuple(sorted(files, key=by_name)),
        tuple(sorted(directories, key=by_name)),
        tuple(sorted(symlinks, key=by_name)),
        subtree_read_only,
        mtime_ns,
    )


def tree_digests(root: Digest, read: Callable[[Digest], TreeDirectory]) -> dict[Digest, None]:
    """All directories and files of the tree ROOT, each once, directories first; READ gives a directory."""
    directories: dict[Digest, None] = {}
    files: dict[Digest, None] = {}  # a file may be what a directory is
    waiting = [root]
    while waiting:
        digest = waiting.pop()
        if digest in directories:
            continue
        directories[digest] = None
        directory = read(digest)
        waiting.extend(entry.digest for entry in directory.directories)
        files.update((file.digest, None) for file in directory.files)
    return directories | files


def _digests(columns: Columns) -> Iterator[Digest]:
    return map(_NEW_DIGEST, zip(columns.hashes, columns.sizes, strict=True))


def _decode_file(data: bytes, position: int, end: int) -> FileEntry:
    """A FileNode or DirectoryNode; the canonical layout is read directly, any other field by field."""
    name_length = data[position + 1]
    name_end = position + 2 + name_length
    hash_end = name_end + 68
    if (
        data[position] == 0x0A
        and name_length < 0x80
        and hash_end <= end
        and data[name_end] == 0x12
        and data[name_end + 2 : name_end + 4] == b"\x0a@"
    ):
        name = data[position + 2 : name_end].decode()
        digest_end = name_end + 2 + data[name_end + 1]
        size = 0
        if digest_end > hash_end and data[hash_end] == 0x10:
            size, hash_end_of_size = read_varint(data, hash_end + 1)
        else:
            hash_end_of_size = hash_end
        if hash_end_of_size == digest_end and digest_end <= end:
            digest = Digest(data[name_end + 4 : hash_end].decode(), size)
            is_executable = data[digest_end : digest_end + 2] == b"\x20\x01"
            rest = digest_end + 2 if is_executable else digest_end
            if rest == end:
                return FileEntry(name, digest, is_executable)
            mtime_ns = _canonical_mtime(data, rest, end)
            if mtime_ns is not None:
                return FileEntry(name, digest, is_executable, mtime_ns)
    return _decode_any_file(data[position:end])


def _canonical_mtime(data: bytes, position: int, end: int) -> int | None:
    """The time, if it is all that is left of a FileNode, in canonical layout; else None."""
    length = end - position
    if length < 7 or data[position] != 0x32 or data[position + 1] != length - 2:
        return None
    if data[position + 2] != 0x12 or data[position + 3] != length - 4 or data[position + 4] != 0x08:
        return None
    seconds, position = read_varint(data, position + 5)
    if seconds >= 1 << 63:
        return None
    if position == end:
        return seconds * _NANOSECONDS
    if position > end or data[position] != 0x10:
        return None
    nanoseconds, position = read_varint(data, position + 1)
    return seconds * _NANOSECONDS + nanoseconds if position == end else None


def _decode_any_file(node: bytes) -> FileEntry:
    name, digest, is_executable, mtime_ns = "", Digest("", 0), False, None
    for number, value in fields(node):
        if number == 1 and isinstance(value, bytes):
            name = value.decode()
        elif number == 2 and isinstance(value, bytes):
            digest = _decode_digest(value)
        elif number == 4:
            is_executable = bool(value)
        elif number == 6 and isinstance(value, bytes):
            _, mtime_ns = _decode_properties(value)
    return FileEntry(name, digest, is_executable, mtime_ns)


def _decode_symlink(data: bytes, position: int, end: int) -> SymlinkEntry:
    name, target = "", ""
    for number, value in fields(data[position:end]):
        if number == 1 and isinstance(value, bytes):
            name = value.decode()
        elif number == 2 and isinstance(value, bytes):
            target = value.decode()
    return SymlinkEntry(name, target)


def _decode_digest(message: bytes) -> Digest:
    hash_text, size = "", 0
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            hash_text = value.decode()
        elif number == 2 and isinstance(value, int):
            size = value
    return Digest(hash_text, size)


def _decode_properties(message: bytes) -> tuple[bool | None, int | None]:
    """SubtreeReadOnly and the modification time of a NodeProperties message."""
    subtree_read_only: bool | None = None
    mtime_ns: int | None = None
    for number, value in fields(message):
        if number == 1 and isinstance(value, bytes):
            texts = {field: text.decode() for field, text in fields(value) if isinstance(text, bytes)}
            if texts.get(1) == _SUBTREE_READ_ONLY:
                subtree_read_only = texts.get(2) == "true"
        elif number == 2 and isinstance(value, bytes):
            time = {field: part for field, part in fields(value) if isinstance(part, int)}
            seconds = time.get(1, 0)
            if seconds >= 1 << 63:
                seconds -= 1 << 64
            mtime_ns = seconds * _NANOSECONDS + time.get(2, 0)
    return subtree_read_only, mtime_ns
