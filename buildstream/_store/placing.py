"""Making the files of trees on the host: many of them by workers, as links of objects or copies."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from enum import Enum
from functools import partial
from typing import NamedTuple

from .._dataclass import dataclass
from .._model.tree import FileEntry
from .fileworker import LEFT, MOST_BYTES, ObjectFile
from .objects import ObjectStore, object_name
from .workers import WORTHWHILE, Group, Size, slices


class Making(Enum):
    """How a file is made of an object."""

    COPY = "copy"
    LINK = "link"
    LONE_LINK = "lone link"  # the only one that the object has beside its name; else a copy
    STUB = "stub"  # see `stubs`


@dataclass(frozen=True, slots=True)
class Placement:
    """How files are made.

    Attributes:
        mask: The umask, which is taken off the modes of copies.
        mtime_ns: The modification time of copies for which none is recorded; None for the present one.
        place: Makes a file at a path, in this way if it is possible, and verifies what it is made of.
    """

    mask: int
    mtime_ns: int | None
    place: Callable[[FileEntry, str, Making], None]


class _Files(NamedTuple):
    """Files of one directory."""

    directory: str  # path
    entries: list[FileEntry]
    making: Making


_File = tuple[FileEntry, str, Making]
_MOST_TOGETHER = 4  # large files


class FilePlacer:
    """Makes files: few in this process, many with workers.

    Args:
        stack: To be left at the end, or before: that ends what is not finished.
        objects: What files are made of.
        placement: How.
    """

    def __init__(self, stack: ExitStack, objects: ObjectStore, placement: Placement) -> None:
        self._stack = stack
        self._objects = objects
        self._placement = placement
        self._count = 0
        self._group: Group | None = None
        self._waiting: list[_Files] = []
        self._left: list[_Files] = []

    def add(self, directory: str, entries: Sequence[FileEntry], making: Making) -> None:
        """Has the files ENTRIES made in DIRECTORY, where nothing has these names, now or later.

        Args:
            directory: A path.
            entries: Without recorded time if they are to be links.
            making: How.
        """
        if not entries:
            return
        self._count += len(entries)
        self._waiting.append(_Files(directory, list(entries), making))
        if self._count < WORTHWHILE:
            return
        if self._group is None:
            self._group = self._stack.enter_context(self._objects.workers.borrowed())
        if self._group is None:
            return
        for files in self._waiting:
            self._submit(self._group, files)
        self._waiting.clear()

    @property
    def group(self) -> Group | None:
        """The workers, once there is so much to do that they are worth it."""
        return self._group

    def finish(self) -> None:
        """Makes what is left; after it, all files are there.

        Raises:
            CASError: A blob is missing or corrupt.
            OSError: A file can't be made.
        """
        if self._group is not None:
            self._group.finish()
        small: list[_File] = []
        large: list[_File] = []
        for directory, entries, making in self._left + self._waiting:
            for entry in entries:
                files = large if entry.digest.size > MOST_BYTES else small
                files.append((entry, f"{directory}/{entry.name}", making))
        if len(large) > 1:
            self._make_together(large)
        else:
            small += large
        for file in small:
            self._placement.place(*file)

    def _make_together(self, files: Sequence[_File]) -> None:
        """Makes large FILES, several at a time: what takes long of them needs no interpreter."""
        from concurrent.futures import ThreadPoolExecutor

        threads = ThreadPoolExecutor(min(len(files), len(os.sched_getaffinity(0)), _MOST_TOGETHER))
        try:
            for _ in threads.map(lambda file: self._placement.place(*file), files):
                pass
        finally:
            threads.shutdown(cancel_futures=True)

    def _submit(self, group: Group, files: _Files) -> None:
        """Has workers make FILES, as far as they are small."""
        directory, entries, making = files
        small = [entry for entry in entries if entry.digest.size <= MOST_BYTES]
        if len(small) < len(entries):
            others = [entry for entry in entries if entry.digest.size > MOST_BYTES]
            self._left.append(_Files(directory, others, making))
        for part in slices(small):
            size = Size(len(part), sum(entry.digest.size for entry in part))
            done = partial(self._take, _Files(directory, part, making))
            objects = self._files(part)
            if making is Making.COPY:
                group.submit("copy", (directory, self._placement.mask, objects), size, done)
            elif making is Making.STUB:
                group.submit("stub", (directory, objects), size, done)
            else:
                group.submit("link", (directory, objects, 0, making is Making.LONE_LINK), size, done)

    def _files(self, entries: Sequence[FileEntry]) -> list[ObjectFile]:
        default_ns = self._placement.mtime_ns
        return [
            (
                entry.name,
                object_name(entry),
                entry.digest.size,
                default_ns if entry.mtime_ns is None else entry.mtime_ns,
            )
            for entry in entries
        ]

    def _take(self, files: _Files, states: bytes | None) -> None:
        """Notes what a worker has left to do of FILES."""
        if states is None:
            for entry in files.entries:  # some of which it may have made before it died
                with suppress(FileNotFoundError):
                    os.unlink(f"{files.directory}/{entry.name}")
            self._left.append(files)
        elif LEFT in states:
            left = [entry for entry, state in zip(files.entries, states, strict=True) if state == LEFT]
            self._left.append(files._replace(entries=left))
