"""Large objects of a store, and what happens to them behind its back."""

import os
from pathlib import Path

from buildstream._model.digest import Digest

KNOWN_BYTES = 9 << 20  # of an object that other commands are told of


def object_of(directory: str, digest: Digest, suffix: str = "") -> Path:
    """The file of an object in the store at DIRECTORY; SUFFIX is ".x" for an executable one."""
    return Path(directory, "objects", digest.hash[:2], digest.hash[2:] + suffix)


def record_of(directory: str, digest: Digest, suffix: str = "") -> Path:
    """What tells other commands that the object is right."""
    return Path(directory).parent / "stats" / f"verified-object-{digest.hash}{suffix}"


def flip(path: Path) -> None:
    """Changes a byte, and puts the modification time back."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(KNOWN_BYTES // 2)
        file.write(b"X")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip_silently(directory: str, digest: Digest, suffix: str = "") -> None:
    """As a disk that loses something without telling: the object looks as it did when it was right."""
    path = object_of(directory, digest, suffix)
    flip(path)
    record = record_of(directory, digest, suffix)
    head = record.read_bytes().rpartition(b"\n")[0]
    since_ns = path.stat().st_ctime_ns + 1
    written_ns = 0
    while written_ns < since_ns:
        record.write_bytes(b"%b\n%d" % (head, since_ns))
        written_ns = record.stat().st_ctime_ns
