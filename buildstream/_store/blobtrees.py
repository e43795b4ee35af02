"""Trees on their way from or to a cache server, looked through where it keeps nobody else waiting.

For trees with a million small files, to decode the directories and to look for each file takes longer than
all the rest that has to be done in one place.  So this runs in the processes of `blobworkers`; blobs go from
there to here as they stand in messages, as field 2 of type Digest: what is asked of a server is put together
by joining them.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import TreeDirectory, decode_directory, encode_digest_field, tree_digests
from .._model.wire import read_varint
from .blobworker import BlobName, Place, Window, content_of, load, store
from .presence import AbsenceIndex

_FIELD = re.compile(rb"\x12[\x42-\x4c]\x0a@(.{64})(?:\x10([\x80-\xff]{0,9}[\x00-\x7f]))?", re.DOTALL)
_WHOLE_FIELD = re.compile(rb"\x12[\x42-\x4c]\x0a@.{64}(?:\x10[\x80-\xff]{0,9}[\x00-\x7f])?", re.DOTALL)
_HASH = re.compile(rb"\x12.\x0a@(.{64})", re.DOTALL)
_HEXADECIMAL = b"0123456789abcdef"
_SIZE_START = 69  # in a digest as a field
_BARE_BYTES = 68  # of an encoded digest without size

Field = bytes  # an encoded digest


def fields_of(message: bytes) -> list[tuple[str, int]]:
    """Hash and size of the digests in MESSAGE, which is nothing else.

    Raises:
        ValueError: It is something else.
    """
    parts: list[tuple[bytes, bytes]] = _FIELD.findall(message)
    sizes = {encoded: read_varint(encoded, 0)[0] if encoded else 0 for _, encoded in parts}
    bare = _BARE_BYTES * len(parts) + sum(len(encoded) + 1 for _, encoded in parts if encoded)
    # nothing is between them, and they are names of objects
    if bare != len(message) or b"".join([name for name, _ in parts]).translate(None, _HEXADECIMAL):
        raise ValueError("not a row of digests")
    return [(str(name, "ascii"), sizes[encoded]) for name, encoded in parts]


def sizes_of(fields: Sequence[Field]) -> list[int]:
    """The sizes of blobs, by encoded digests that `split_fields` gives, or `encode_digest_field`."""
    tails = [field[_SIZE_START:] for field in fields]
    sizes = {tail: read_varint(tail, 0)[0] if tail else 0 for tail in set(tails)}
    return [sizes[tail] for tail in tails]


def hashes_of(message: bytes) -> list[bytes]:
    """The hashes alone; MESSAGE is one that `fields_of` takes."""
    found: list[bytes] = _HASH.findall(message)
    return found


def split_fields(message: bytes) -> list[Field]:
    """The digests in MESSAGE, which is nothing else.

    Raises:
        ValueError: It is something else.
    """
    fields: list[Field] = _WHOLE_FIELD.findall(message)
    if sum(map(len, fields)) != len(message):
        raise ValueError("not a row of digests")
    return fields


class Scanned(NamedTuple):
    """What directories hold, and the store does not.

    Attributes:
        children: The subdirectories of each, in the order in which the directories were given.
        counts: How many other entries each has.
        new: How many files of each are not in the store; what several have counts for the first.
        files: These files, in the same order.
        sizes: Of these, in bytes.
        executables: Those of them that are executable.
        absent: Subdirectories that are not in the store.
        absent_sizes: Of these.
    """

    children: list[list[Field]]
    counts: list[int]
    new: list[int]
    files: list[Field]
    sizes: list[int]
    executables: list[Field]
    absent: list[Field]
    absent_sizes: list[int]


def scan(place: Place, message: bytes, index: AbsenceIndex) -> Scanned:
    """What the directories in MESSAGE, digests that are in the store, hold.

    INDEX tells what is in the store; that of `absence_index`, if it is not too old: who knows better, as he
    has stored some of it since, has to put up with it.

    Raises:
        ValueError: One is missing, or can't be staged.
    """
    children: list[list[Field]] = []
    counts: list[int] = []
    new: list[int] = []
    files: dict[Digest, bool] = {}  # that are absent, and whether they are executable
    present: set[Digest] = {EMPTY_DIGEST}
    below: dict[Digest, Field] = {}
    for name in fields_of(message):
        directory = _directory(place, Digest(*name))
        unseen = {digest for _, digest, _, _ in directory.files if digest not in files}
        absent = index.absent(unseen - present)
        present |= unseen.difference(absent)
        files.update(dict.fromkeys(absent, False))
        files.update((file[1], True) for file in directory.files if file[2] and file[1] in files)
        new.append(len(absent))
        counts.append(len(directory.files) + len(directory.symlinks))
        fields = [encode_digest_field(entry.digest) for entry in directory.directories]
        children.append(fields)
        below.update(zip((entry.digest for entry in directory.directories), fields, strict=True))
    executable = [digest for digest, is_executable in files.items() if is_executable]
    lacking = index.absent(below)
    return Scanned(
        children,
        counts,
        new,
        list(map(encode_digest_field, files)),
        [digest[1] for digest in files],
        list(map(encode_digest_field, executable)),
        [below[digest] for digest in lacking],
        [digest.size for digest in lacking],
    )


def absence_index(place: Place) -> AbsenceIndex:
    """An index that tells what is in the store, or was some time before."""
    return AbsenceIndex(place.prefix or ".", lambda digest: _has(place, digest), lambda _: set())


def _has(place: Place, digest: Digest) -> bool:
    """Whether there is an object that looks right."""
    name, size = digest
    path = f"{place.prefix}{name[:2]}/{name[2:]}"
    for found in (path, f"{path}.x"):
        try:
            status = os.lstat(found)
        except OSError:
            continue
        if status.st_size == size and status.st_mtime_ns == place.mtime_ns:
            return True
    return False


def _directory(place: Place, digest: Digest) -> TreeDirectory:
    """The directory DIGEST, verified.

    Raises:
        ValueError: It is not there, or is none.
    """
    if digest == EMPTY_DIGEST:
        return TreeDirectory()
    name, size = digest
    path = f"{place.prefix}{name[:2]}/{name[2:]}"
    for found in (path, f"{path}.x"):
        data = content_of(found, size)
        if data is not None and sha256(data).hexdigest() == name:
            return decode_directory(data)
    raise ValueError("a directory is missing")


def walk(place: Place, roots: bytes, optional: bytes) -> list[Field]:
    """All directories and files of trees, each once; of those in OPTIONAL only if all is there.

    Raises:
        ValueError: A directory is missing.
    """
    found: dict[Digest, None] = {}
    for root in fields_of(roots):
        found.update(_collect(place, Digest(*root)))
    for root in fields_of(optional):
        with suppress(ValueError):
            tree = _collect(place, Digest(*root))
            if all(_has(place, digest) for digest in tree if digest not in found):
                found.update(tree)
    return list(map(encode_digest_field, found))


def whole(place: Place, roots: bytes, index: AbsenceIndex) -> list[list[Field] | None]:
    """As `walk`, for each of several trees; None for one that is not right, or of which a file has no object.

    What the files contain is not looked at.
    """
    found: list[list[Field] | None] = []
    for root in fields_of(roots):
        tree: list[Field] | None = None
        with suppress(ValueError):
            digests = _collect(place, Digest(*root))
            if index.are_listed(digests):
                tree = list(map(encode_digest_field, digests))
        found.append(tree)
    return found


def _collect(place: Place, root: Digest) -> dict[Digest, None]:
    """The directories and files of the tree ROOT.

    Raises:
        ValueError: A directory is missing, or is none.
    """
    found = tree_digests(root, partial(_directory, place))
    found.pop(EMPTY_DIGEST, None)
    return found


def keep(
    place: Place, message: bytes, wanted: bytes, *, is_executable: bool
) -> tuple[list[BlobName], Window]:
    """Stores the blobs WANTED, digests, that are in MESSAGE, a BatchReadBlobsResponse.

    Gives those that are not stored, whatever the reason, and when the others were.

    Raises:
        ValueError: MESSAGE is malformed.
    """
    names = fields_of(wanted)
    hashes = {name for name, _ in names} if is_executable else set()
    stored, _, when, _, _ = store(place, message, names, hashes)
    if len(stored) == len(names):
        return [], when
    kept = set(stored)
    return [name for name in names if name not in kept], when


def send(prefix: bytes, wanted: bytes, *, compresses: bool) -> tuple[bytes, bytes, list[BlobName]]:
    """A BatchUpdateBlobsRequest that begins with PREFIX and has the blobs WANTED, digests.

    Beside it comes the response of a server that takes them all, as it is usually encoded, and those left
    out, as for `load`.
    """
    message, lacking = load(prefix, fields_of(wanted), compresses=compresses)
    # the digest as field 1, which is as long as it is here as field 2, and a status that says nothing
    fields = (match[0] for match in _FIELD.finditer(wanted))
    expected = b"".join(b"\x0a%c\x0a%b\x12\x00" % (len(field) + 2, field[1:]) for field in fields)
    return message, expected, lacking
