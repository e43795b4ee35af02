"""What `fileworker` does with the directories of trees, which it reads itself: its caller need not."""

import os
from itertools import pairwise

from .._model.directorybytes import TreeDecodeError, check_hashes, check_names, decode_canonical
from .fileworker import LEFT, MOST_BYTES, READ_OBJECT, ObjectFile, hash_of

TYPE_CHECKING = False  # importing it from typing would take half of the time that starting takes
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .fileworker import FileWorker

# What one request makes at most of a directory, for the reasons that `workers` gives.
_MOST_FILES = 400
_MOST_BYTES_AT_ONCE = 4 << 20

Part = tuple[int, int]  # positions of the first file and behind the last one
DirectoryName = tuple[str, str, int]  # name, hash and size

# How files are made: whether they become links of objects, but for those with a recorded time; the umask; and
# `verified_ns` of `FileWorker.link`.  Copies without a recorded time get the present one.
Manner = tuple[bool, int, int]

# What was made: positions of the files that are left to the caller, and how many there were in this part; the
# other parts; the directories that were made; and the time recorded for the directory.
Placed = tuple[list[int], int, list[Part], list[DirectoryName], int | None]


# What was looked through: positions of the files that the caller has to look at, for whatever reason; and the
# directories.
Inspected = tuple[list[int], list[DirectoryName]]


class _Directory:
    """A decoded directory.

    Attributes:
        files: Sorted by name, with the times that are recorded for them.
        directories: In no order.
        symlinks: Name and target of each.
        mtime_ns: The time recorded for it.
    """

    __slots__ = ("directories", "files", "mtime_ns", "symlinks")

    def __init__(
        self,
        files: "Iterable[ObjectFile]",
        directories: "Iterable[DirectoryName]",
        symlinks: "Sequence[tuple[str, str]]" = (),
        mtime_ns: int | None = None,
    ) -> None:
        self.files = sorted(files)
        self.directories = list(directories)
        self.symlinks = symlinks
        self.mtime_ns = mtime_ns


class TreeWorker:
    """Reads directories of trees."""

    def __init__(self, files: "FileWorker", mtime_ns: int) -> None:
        self._files = files
        self._mtime_ns = mtime_ns
        self._large: tuple[str, _Directory] | None = None  # one that may be asked for again, and its hash

    def look(self, hash_: str, size: int) -> list[tuple[str, int]] | None:
        """Whether a directory can be read and there is an object by the name of each of its files.

        Returns:
            Hash and size of its subdirectories; None if not.
        """
        directory = self._read(hash_, size)
        if directory is None:
            return None
        access, exists = os.access, os.F_OK
        for _, path, bytes_, _ in directory.files:
            if not access(path, exists):
                other = path.removesuffix(".x") if path.endswith(".x") else f"{path}.x"
                if bytes_ and not access(other, exists):  # of the empty blob there need not be an object
                    return None
        return [child[1:] for child in directory.directories]

    def inspect(self, path: str, digest: tuple[str, int], checked_ns: int, is_stub: bool) -> Inspected | None:
        """Looks at the files of an extracted directory; see `TreeCheck`.

        Args:
            path: Of the directory.
            digest: Hash and size of what it is.
            checked_ns: When its files, and their objects if they are stubs, were right.
            is_stub: Whether files are stubs.

        Returns:
            None if the directory can't be read.
        """
        directory = self._read(*digest)
        if directory is None:
            return None
        default_ns, lstat, left = self._mtime_ns, os.stat, []
        parent = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for position, (name, object_path, size, mtime_ns) in enumerate(directory.files):
                try:
                    status = lstat(name, dir_fd=parent, follow_symlinks=False)
                    is_right = (
                        status.st_size == size
                        and status.st_mode == (0o100755 if object_path[-1] == "x" else 0o100644)
                        and status.st_mtime_ns == (default_ns if mtime_ns is None else mtime_ns)
                        and status.st_ctime_ns <= checked_ns
                    )
                    if is_right and is_stub and size:
                        status = lstat(object_path, follow_symlinks=False)
                        is_right = (
                            status.st_size == size
                            and status.st_mtime_ns == default_ns
                            and status.st_ctime_ns <= checked_ns
                        )
                except OSError:
                    is_right = False
                if not is_right:
                    left.append(position)
        finally:
            os.close(parent)
        return left, directory.directories

    def place(self, path: str, digest: tuple[str, int], manner: Manner, part: Part | None) -> Placed | None:
        """Makes what is in a directory of the store in the empty one at PATH.

        Args:
            path: A path of the host.
            digest: Hash and size of the directory.
            manner: How.
            part: The files that are made; None for the first ones, and everything else, at first.

        Returns:
            None if not all of this could be done: then some of it may be there.
        """
        directory = self._read(*digest)
        if directory is None:
            return None
        links, mask, verified_ns = manner
        os.umask(mask)
        parts: list[Part] = []
        children: list[DirectoryName] = []
        if part is None:
            for name, target in directory.symlinks:
                os.symlink(target, f"{path}/{name}")
            children = directory.directories
            for child in children:
                os.mkdir(f"{path}/{child[0]}")
            part, *parts = _parts(directory.files)
        start, stop = part
        linked: list[int] = []  # positions
        copied: list[int] = []
        for position in range(start, stop):
            (linked if links and directory.files[position][3] is None else copied).append(position)
        left: list[int] = []
        if linked:
            files = [directory.files[position] for position in linked]
            left += _left(linked, self._files.link(path, files, verified_ns))
        if copied:
            files = [directory.files[position] for position in copied]
            left += _left(copied, self._files.copy(path, mask, files))
        return left, stop - start, parts, children, directory.mtime_ns

    def _read(self, hash_: str, size: int) -> _Directory | None:
        """The decoded directory; None if it is not there, not what its name says, or no directory."""
        if self._large is not None and self._large[0] == hash_:
            return self._large[1]
        try:
            with open(f"{hash_[:2]}/{hash_[2:]}", "rb", buffering=0, opener=_open_object) as file:
                data = file.read(size + 1)
            if len(data) != size or hash_of(data) != hash_:
                return None
            directory = _decoded(data)
        except (OSError, TreeDecodeError, IndexError, UnicodeDecodeError):
            return None
        # to keep them all would take longer than to decode some again, for the memory alone
        if len(directory.files) > _MOST_FILES:
            self._large = (hash_, directory)
        return directory


def _decoded(data: bytes) -> _Directory:
    """As `decode_directory`, without what that has to import if there are only files and directories."""
    files, directories, end = decode_canonical(data)
    if end == len(data):
        check_names(files.names + directories.names)
        check_hashes(files.hashes + directories.hashes)
        paths = [
            f"{hash_[:2]}/{hash_[2:]}.x" if is_executable else f"{hash_[:2]}/{hash_[2:]}"
            for hash_, is_executable in zip(files.hashes, files.executables, strict=True)
        ]
        return _Directory(
            zip(files.names, paths, files.sizes, [None] * len(paths), strict=True),
            zip(directories.names, directories.hashes, directories.sizes, strict=True),
        )
    from .._model.tree import decode_directory

    directory = decode_directory(data)
    return _Directory(
        [
            (name, f"{hash_[:2]}/{hash_[2:]}{'.x' if is_executable else ''}", size, mtime_ns)
            for name, (hash_, size), is_executable, mtime_ns in directory.files
        ],
        [(name, *digest) for name, digest in directory.directories],
        [(name, target) for name, target in directory.symlinks],
        directory.mtime_ns,
    )


def _left(positions: list[int], states: bytes) -> list[int]:
    """Those of POSITIONS that were not done."""
    if LEFT not in states:
        return []
    return [position for position, state in zip(positions, states, strict=True) if state == LEFT]


def _parts(files: "Sequence[ObjectFile]") -> list[Part]:
    """FILES as far as one request makes them each; at least one part."""
    starts, count, bytes_ = [0], 0, 0
    for position, file in enumerate(files):
        size = min(file[2], MOST_BYTES)
        count += 1
        bytes_ += size
        if count > _MOST_FILES or bytes_ > _MOST_BYTES_AT_ONCE:
            starts.append(position)
            count, bytes_ = 1, size
    return list(pairwise((*starts, len(files))))


def _open_object(path: str, _: int) -> int:
    return os.open(path, READ_OBJECT)
