"""Reading many files of the host, once each: hashed, and stored if they are to be."""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import field
from functools import partial
from typing import cast

from .._dataclass import dataclass
from .._model.digest import Digest, digest_from_bytes
from .capture import THREADED_SIZE_BYTES, open_for_reading
from .filedigest import digest_from_descriptor, read_small
from .fileworker import FOUND, HASH_BYTES, LEFT, facts_of
from .objects import ObjectStore
from .seentrees import UNSETTLED, Facts
from .workers import WORTHWHILE, Group, Size, slices


@dataclass(slots=True)
class Files:
    """What a scan has found in one directory, other than directories, and the hashes that reading gives."""

    directory: str  # path
    names: list[str]
    facts: list[Facts]  # of each
    contents: bytearray  # the hash of each; zeros of what is no regular file, or not there any more
    numbers: list[int] = field(default_factory=list)  # positions of the regular files to be read
    read_facts: dict[int, Facts] = field(default_factory=dict)  # what reading has found, where it may differ

    def set_hash(self, number: int, hash_: bytes) -> None:
        """Notes what reading has given for one file."""
        self.contents[HASH_BYTES * number : HASH_BYTES * (number + 1)] = hash_


class ManyFiles:
    """Reads files: few in this process, many with workers, from the moment on when there are many.

    Args:
        stack: To be left at the end, or before: that ends what is not finished.
        objects: Where files are stored.
        stores: Whether all files are stored.
        stores_many: Whether they are if there are many.
    """

    def __init__(self, stack: ExitStack, objects: ObjectStore, *, stores: bool, stores_many: bool) -> None:
        self._stack = stack
        self._objects = objects
        self.stores = stores  # whether what is read is stored
        self.are_new = True  # whether all that was read is in the store only now, as far as that is known
        self._stores_many = stores_many
        self._count = 0
        self._waiting: list[Files] = []
        self._group: Group | None = None
        self._is_serial = False  # because there are no workers
        self._left: list[tuple[Files, int]] = []
        self._unanswered = 0  # requests to store
        stack.callback(self._end)

    def add(self, files: Files) -> None:
        """Has FILES read, now or later.

        Raises:
            CASError: Something can't be stored.
        """
        self._waiting.append(files)
        self._count += len(files.numbers)
        if self._count < WORTHWHILE or self._is_serial:
            return
        if self._group is None:
            self._group = self._stack.enter_context(self._objects.workers.borrowed())
            self._is_serial = self._group is None
            if self._group is None:
                return
            self.stores = self.stores or self._stores_many
            if self.stores:
                self._objects.begin_storing()
        for each in self._waiting:
            self._submit(self._group, each)
        self._waiting.clear()

    def finish(self) -> None:
        """Reads what is left; after it, all hashes are there.

        Raises:
            CASError: Something can't be stored.
            OSError: Something can't be read.
        """
        if self._group is not None:
            self._group.finish()
        left = [*self._left, *((files, number) for files in self._waiting for number in files.numbers)]
        self.are_new = self.are_new and all(files.facts[number][2] == 0 for files, number in left)
        small = [each for each in left if each[0].facts[each[1]][2] < THREADED_SIZE_BYTES]
        large = [each for each in left if each[0].facts[each[1]][2] >= THREADED_SIZE_BYTES]
        for each in small:
            self._read(each)
        threads = min(len(large), len(os.sched_getaffinity(0)))
        if threads > 1:
            from concurrent.futures import ThreadPoolExecutor

            writer = self._objects.writer
            with ThreadPoolExecutor(threads, "read", writer.count_for, (writer.stored,)) as pool:
                list(pool.map(self._read, large))
        else:
            for each in large:
                self._read(each)

    def _end(self) -> None:
        if self._unanswered:  # the worker has died, or was ended in the middle of its work
            self._objects.doubt_usage()

    def _submit(self, group: Group, files: Files) -> None:
        """Has workers read FILES, as far as they are small."""
        small = [number for number in files.numbers if 0 < files.facts[number][2] < THREADED_SIZE_BYTES]
        if len(small) < len(files.numbers):
            others = set(files.numbers).difference(small)
            self._left += [(files, number) for number in sorted(others)]
        for numbers in slices(small):
            names = [files.names[number] for number in numbers]
            sizes = [files.facts[number][2] for number in numbers]
            arguments: tuple[object, ...] = (files.directory, names, sizes)
            if self.stores:
                arguments = (*arguments, _executables(files, numbers))
                self._unanswered += 1
            group.submit(
                "store" if self.stores else "hash",
                arguments,
                Size(len(names), sum(sizes)),
                partial(self._take, files, numbers),
            )

    def _take(self, files: Files, numbers: Sequence[int], answer: object) -> None:
        """Takes over what a worker has found out about the files with these NUMBERS."""
        if answer is None:
            self._left += [(files, number) for number in numbers]
            return
        states, hashes = cast("tuple[bytes, bytes]", answer)
        if self.stores:
            self._unanswered -= 1
            self.are_new = self.are_new and FOUND not in states
            sizes = [files.facts[number][2] for number in numbers]
            states = self._objects.take_over(hashes, sizes, _executables(files, numbers), states)
        if LEFT not in states and numbers[-1] - numbers[0] == len(numbers) - 1:
            files.contents[HASH_BYTES * numbers[0] : HASH_BYTES * (numbers[-1] + 1)] = hashes
            return
        for position, number in enumerate(numbers):
            if states[position] == LEFT:
                self._left.append((files, number))
            else:
                files.set_hash(number, hashes[HASH_BYTES * position : HASH_BYTES * (position + 1)])

    def _read(self, what: tuple[Files, int]) -> None:
        """Reads one file, as it is now."""
        files, number = what
        files.read_facts[number] = UNSETTLED
        path = f"{files.directory}/{files.names[number]}"
        try:
            descriptor, hidden_mode = open_for_reading(path)
        except FileNotFoundError:
            return
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return
            facts = facts_of(status)
            if hidden_mode is not None:
                facts = (stat.S_IFREG | hidden_mode, *facts[1:])
            digest = self._digest(descriptor, path, status, executable=bool(facts[0] & stat.S_IXUSR))
            files.set_hash(number, bytes.fromhex(digest.hash))
            files.read_facts[number] = (*facts[:2], digest.size, *facts[3:])
        finally:
            if hidden_mode is not None:
                os.fchmod(descriptor, hidden_mode)
            os.close(descriptor)

    def _digest(self, descriptor: int, path: str, status: os.stat_result, *, executable: bool) -> Digest:
        if self.stores:
            return self._objects.add_open_file(descriptor, path, status, executable=executable, consume=False)
        data = read_small(descriptor, status.st_size)
        return digest_from_descriptor(descriptor) if data is None else digest_from_bytes(data)


def _executables(files: Files, numbers: Sequence[int]) -> bytes:
    """For each file whether its object is executable."""
    return bytes(files.facts[number][0] & stat.S_IXUSR != 0 for number in numbers)
