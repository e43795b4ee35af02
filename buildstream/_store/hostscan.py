"""What is in a host directory and all below it, as `stat` tells; nothing is read."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import cast

from .._dataclass import dataclass
from .fileworker import FACTS_BYTES, facts_of
from .manyfiles import Files
from .scan import check_utf8
from .seentrees import joined, packed, split_names
from .workers import Group, Size, Workers

_DIRECTORY_SIZE = Size(files=50, bytes=0)  # what a directory counts for in a request


@dataclass(slots=True)
class HostDirectory:
    """A directory as it is now."""

    path: str
    parent: int  # position of the parent; -1 at the top
    place: int  # position among the directories of the parent
    mtime_ns: int | None
    names: str  # of all entries that are no directories, joined
    facts: bytes  # of these
    directories: list[str]
    files: Files | None = None  # if some entries are not known
    is_missing: bool = False  # in the store, and perhaps all that is below

    @property
    def count(self) -> int:
        """How many entries are no directories."""
        return len(self.facts) // FACTS_BYTES


class HostScan:
    """One scan.

    Args:
        path: The top.
        mtimes: Whether the times of directories count.
    """

    def __init__(self, path: str, *, mtimes: bool) -> None:
        self._mtimes = mtimes
        self._waiting: list[HostDirectory] = [HostDirectory(path, -1, 0, None, "", b"", [])]
        self.found: list[HostDirectory] = []  # parents before children

    def run(self) -> Iterator[HostDirectory]:
        """Yields one directory after the other, as long as the caller wants that.

        Raises:
            CASError: A name is not UTF-8.
            OSError: A directory can't be read.
        """
        while self._waiting:
            yield self._read(self._waiting.pop())

    def run_with(self, workers: Workers, meanwhile: Callable[[], None]) -> None:
        """Finds the directories that are left, with workers if they have time.

        MEANWHILE is called once, when they have begun.

        Raises:
            CASError: A name is not UTF-8.
            OSError: A directory can't be read.
        """
        with ExitStack() as stack:
            group = stack.enter_context(workers.borrowed())
            if group is None:
                meanwhile()
            else:
                self._run_with(group, meanwhile)
        for _ in self.run():
            pass

    def _run_with(self, group: Group, meanwhile: Callable[[], None]) -> None:
        refused: list[HostDirectory] = []
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for directory in waiting:
                group.submit(
                    "scan", (directory.path,), _DIRECTORY_SIZE, partial(self._take, refused, directory)
                )
            if not self.found:
                group.begin()
                meanwhile()
            group.finish()  # and those that are below have been found
        self._waiting = refused

    def _take(self, refused: list[HostDirectory], directory: HostDirectory, answer: object) -> None:
        if answer is None:  # the reason is found when it is tried again
            refused.append(directory)
            return
        directory.names, directory.facts, children = cast("tuple[str, bytes, list[tuple[str, int]]]", answer)
        self._add(directory, children)

    def _read(self, directory: HostDirectory) -> HostDirectory:
        names: list[str] = []
        facts: list[int] = []
        children: list[tuple[str, int]] = []  # names and times
        # by descriptor, so that no path is looked up again for each entry
        descriptor = os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        found = facts_of(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                    if stat.S_ISDIR(found[0]):
                        children.append((entry.name, found[3]))
                    else:
                        names.append(entry.name)
                        facts += found
        except OSError as error:
            error.filename = directory.path
            raise
        finally:
            os.close(descriptor)
        directory.names, directory.facts = joined(names), packed(facts)
        self._add(directory, children)
        return directory

    def _add(self, directory: HostDirectory, children: list[tuple[str, int]]) -> None:
        """Adds DIRECTORY to what was found, and its CHILDREN, names and times, to what is to be read."""
        path = directory.path
        directory.directories = [name for name, _ in children]
        if not directory.names.isascii() or not "".join(directory.directories).isascii():
            for name in (*split_names(directory.names), *directory.directories):
                check_utf8(name, f"{path}/{name}")
        parent = len(self.found)
        self.found.append(directory)
        for place, (name, mtime_ns) in enumerate(children):
            recorded_ns = mtime_ns // 1000 * 1000 if self._mtimes else None
            self._waiting.append(HostDirectory(f"{path}/{name}", parent, place, recorded_ns, "", b"", []))
