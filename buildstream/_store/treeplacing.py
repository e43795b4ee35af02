"""Making whole trees on the host by workers, which read the directories themselves."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple, cast

from .._model.digest import Digest
from .treeworker import Manner, Part, Placed
from .workers import DIRECTORY_SIZE, Group


class LeftFiles(NamedTuple):
    """Files of a directory that are left to the caller."""

    path: str
    digest: Digest
    positions: Sequence[int]
    may_exist: bool  # perhaps half


class TreePlacer:
    """Makes directories with all below them.

    Args:
        group: Makes them.
        manner: How.

    Attributes:
        file_count: Files that were made, or left.
        left: What the caller has to make.
        refused: Directories that the caller has to make, in which something may be there.
        times: Recorded times of directories, parents before children.
    """

    def __init__(self, group: Group, manner: Manner) -> None:
        self._group = group
        self._manner = manner
        self._waiting: list[tuple[str, Digest, Part | None]] = []
        self.file_count = 0
        self.left: list[LeftFiles] = []
        self.refused: list[tuple[str, Digest]] = []
        self.times: list[tuple[str, int]] = []

    def run(self, trees: Iterable[tuple[str, Digest]]) -> None:
        """Makes TREES, each in an empty directory, as far as that is possible."""
        self._waiting += ((path, digest, None) for path, digest in trees)
        while self._waiting or self._group.advance():
            while self._waiting:
                path, digest, part = self._waiting.pop()
                arguments = (path, tuple(digest), self._manner, part)
                self._group.submit(
                    "place", arguments, DIRECTORY_SIZE, partial(self._take, path, digest, part)
                )

    def _take(self, path: str, digest: Digest, part: Part | None, answer: object) -> None:
        if answer is not None:
            left, count, parts, children, time_ns = cast("Placed", answer)
            self.file_count += count
            self._waiting += ((path, digest, each) for each in parts)
            self._waiting += ((f"{path}/{name}", Digest(hash_, size), None) for name, hash_, size in children)
            if part is None and time_ns is not None:
                self.times.append((path, time_ns))
            if left:
                self.left.append(LeftFiles(path, digest, left, may_exist=False))
        elif part is None:
            self.refused.append((path, digest))
        else:
            self.file_count += part[1] - part[0]
            self.left.append(LeftFiles(path, digest, range(*part), may_exist=True))
