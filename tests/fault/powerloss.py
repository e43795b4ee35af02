"""What a loss of power may leave of a store: a disk that notes all calls, and the states that follow."""

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from buildstream._store.diskfiles import DiskFiles


@dataclass(slots=True)
class _File:
    """An inode."""

    mode: int
    content: bytes = b""
    safe: bytes = b""  # what is on the disk for sure
    times_ns: tuple[int, int] = (0, 0)


class NotingDisk(DiskFiles):
    """Does what it is asked to, below one directory, and can tell what a loss of power leaves.

    Names that are given, and contents, are on the disk for sure after `synchronize_all`;
    a content alone after `synchronize_file`. Until then each name may be there or not, and
    of each content any part, or zeros in its place.

    Args:
        top: The directory that the calls are about.
    """

    def __init__(self, top: Path) -> None:
        self._top = top
        self._files: dict[int, _File] = {}  # by inode
        self._safe_names: dict[str, _File] = {}
        self._unsafe_names: list[tuple[str, _File]] = []
        self.boot = "first boot"
        self.snapshots: list[Snapshot] = []  # one after each call

    def create(self, path: str, mode: int) -> int:
        descriptor = super().create(path, mode)
        self._files[os.fstat(descriptor).st_ino] = _File(mode)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        super().write(descriptor, data)
        self._files[os.fstat(descriptor).st_ino].content += data
        self._note()

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        self._name(target)

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        self._name(target)

    def note_named(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._add_name(path)
        self._note()

    def synchronize_file(self, descriptor: int) -> None:
        file = self._files[os.fstat(descriptor).st_ino]
        file.safe = file.content

    def synchronize_all(self, directory: str) -> None:
        for file in self._files.values():
            file.safe = file.content
        self._safe_names.update(self._unsafe_names)
        self._unsafe_names.clear()
        self._note()

    def boot_id(self) -> str:
        return self.boot

    def _name(self, path: str) -> None:
        self._add_name(path)
        self._note()

    def _add_name(self, path: str) -> None:
        status = os.lstat(path)
        file = self._files.get(status.st_ino)
        if file is None:  # written by somebody else, without these calls
            file = self._files[status.st_ino] = _File(status.st_mode & 0o777, Path(path).read_bytes())
        file.mode, file.times_ns = status.st_mode & 0o777, (status.st_atime_ns, status.st_mtime_ns)
        self._unsafe_names.append((str(Path(path).relative_to(self._top)), file))

    def _note(self) -> None:
        names = [*self._safe_names.items(), *self._unsafe_names]
        self.snapshots.append(
            Snapshot(
                dict(self._safe_names),
                list(self._unsafe_names),
                {id(file): (file.safe, file.content) for _, file in names},
            )
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is on the disk for sure at one moment, and what may be."""

    safe_names: dict[str, _File]
    unsafe_names: list[tuple[str, _File]]
    contents: dict[int, tuple[bytes, bytes]]  # by identity of a file: what is safe, and what was written

    def leave(self, top: Path, chance: random.Random) -> None:
        """Makes below TOP what is there after a loss of power at this moment, as CHANCE decides."""
        names = dict(self.safe_names)
        share = chance.choice((0.5, 0.9, 1.0))
        names.update(each for each in self.unsafe_names if chance.random() < share)
        written: dict[int, Path] = {}
        for name, file in names.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            first = written.setdefault(id(file), path)
            if first != path:
                os.link(first, path)
                continue
            path.write_bytes(_survivor(*self.contents[id(file)], chance))
            path.chmod(file.mode)
            os.utime(path, ns=file.times_ns)


def _survivor(safe: bytes, content: bytes, chance: random.Random) -> bytes:
    """What may be there of CONTENT, of which the beginning SAFE is on the disk."""
    lost = content[len(safe) :]
    if not lost:
        return content
    kinds = (lost, bytes(len(lost)), b"", lost[: chance.randrange(len(lost))])
    return safe + chance.choices(kinds, (10, 3, 1, 1))[0]
