"""Finding out whether extracted trees are still what they were when they got their names."""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import field
from functools import partial
from typing import cast

from .._dataclass import dataclass
from .._exceptions import CASError
from .._model.digest import Digest
from .._model.tree import FileEntry, TreeDirectory
from .filedigest import digest_of_file
from .layout import EXECUTABLE_MODE, FILE_MODE, MTIME_NS, TreeForm
from .objects import ObjectStore, object_name
from .stubs import is_stub_of
from .treeworker import Inspected
from .workers import DIRECTORY_SIZE, WORTHWHILE, Group

_WORTH_STARTING = 10_000  # files; to start workers takes as long as to look at these
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MODES = (stat.S_IFREG | FILE_MODE, stat.S_IFREG | EXECUTABLE_MODE)


@dataclass(slots=True)
class _Tree:
    """A tree that is looked through."""

    root: str  # host path
    checked_ns: int  # when it was right
    is_sound: bool = True  # as far as it is known
    changed: list[tuple[str, FileEntry]] = field(default_factory=list)  # path and entry of files since then


class TreeCheck:
    """Looks through extracted trees, with workers if there are many files.

    The ctime of the root tells when a tree was published, or checked last.  Files
    that were changed since then, be it by a new hard link alone, are read; for
    others size and times suffice, and for the objects of stubs alike.  Costs a
    system call for each file, two for stubs.

    Args:
        form: What the files are.
        objects: What they are made of.
        read_directory: Reads directories of trees.
    """

    def __init__(
        self, form: TreeForm, objects: ObjectStore, read_directory: Callable[[Digest], TreeDirectory]
    ) -> None:
        self._is_stub = form is TreeForm.STUBS
        self._objects = objects
        self._read_directory = read_directory
        self._waiting: list[tuple[_Tree, str, Digest]] = []  # directories, with their paths
        self._file_count = 0

    def sound(self, trees: Iterable[tuple[str, Digest]]) -> list[bool]:
        """For each of TREES, extracted at these paths, whether all its files have their content."""
        found = []
        for root, digest in trees:
            try:
                tree = _Tree(root, os.lstat(root).st_ctime_ns)
            except OSError:
                tree = _Tree(root, 0, is_sound=False)
            found.append(tree)
            self._waiting.append((tree, root, digest))
        with ExitStack() as stack:
            group: Group | None = None
            may_borrow = True
            worthwhile = WORTHWHILE if self._objects.workers.have_started else _WORTH_STARTING
            while self._waiting or (group is not None and group.advance()):
                while self._waiting:
                    self._next(group)
                    if may_borrow and self._file_count >= worthwhile:
                        may_borrow = False
                        group = stack.enter_context(self._objects.workers.borrowed())
        for tree in found:
            self._read_changed(tree)
        return [tree.is_sound for tree in found]

    def _next(self, group: Group | None) -> None:
        """Looks through one directory, or has GROUP do it."""
        tree, path, digest = self._waiting.pop()
        if not tree.is_sound:
            return
        if group is None:
            self._look(tree, path, digest)
        else:
            arguments = (path, tuple(digest), tree.checked_ns, self._is_stub)
            group.submit("inspect", arguments, DIRECTORY_SIZE, partial(self._take, tree, path, digest))

    def _take(self, tree: _Tree, path: str, digest: Digest, answer: object) -> None:
        if answer is None:
            self._look(tree, path, digest)
            return
        left, children = cast("Inspected", answer)
        self._waiting += ((tree, f"{path}/{name}", Digest(hash_, size)) for name, hash_, size in children)
        if left:
            self._look_at(tree, path, digest, left)

    def _look(self, tree: _Tree, path: str, digest: Digest) -> None:
        children = self._look_at(tree, path, digest, None)
        self._waiting += ((tree, f"{path}/{name}", child) for name, child in children)

    def _look_at(
        self, tree: _Tree, path: str, digest: Digest, positions: Sequence[int] | None
    ) -> Iterable[tuple[str, Digest]]:
        """Looks at files of a directory, all or those at POSITIONS; gives what directories are in it."""
        try:
            directory = self._read_directory(digest)
            files = directory.files if positions is None else [directory.files[index] for index in positions]
            self._file_count += len(files)
            changed = _changed_files(path, files, tree.checked_ns)
            if self._is_stub and not self._objects.are_unchanged(files, tree.checked_ns):
                changed = None
        except (OSError, CASError):
            changed = None
        if changed is None:
            tree.is_sound = False
            return ()
        tree.changed += ((f"{path}/{entry.name}", entry) for entry in changed)
        return directory.directories

    def _read_changed(self, tree: _Tree) -> None:
        if not tree.is_sound or not tree.changed:
            return
        try:
            tree.is_sound = all(self._has_content(path, entry) for path, entry in tree.changed)
            if tree.is_sound:
                mtime_ns = os.lstat(tree.root).st_mtime_ns
                os.utime(tree.root, ns=(mtime_ns, mtime_ns))  # for its ctime
        except OSError:
            tree.is_sound = False

    def _has_content(self, path: str, entry: FileEntry) -> bool:
        if self._is_stub and entry.digest.size:
            return is_stub_of(path, object_name(entry))
        return digest_of_file(path).hash == entry.digest.hash


def _changed_files(path: str, files: Iterable[FileEntry], checked_ns: int) -> list[FileEntry] | None:
    """Those of FILES in the directory at PATH that were changed since CHECKED_NS; None if one is wrong."""
    lstat, changed = os.stat, []
    parent = os.open(path, _DIRECTORY)
    try:
        for entry in files:
            name, digest, is_executable, mtime_ns = entry
            status = lstat(name, dir_fd=parent, follow_symlinks=False)
            if (
                status.st_size != digest[1]
                or status.st_mode != _MODES[is_executable]
                or status.st_mtime_ns != (MTIME_NS if mtime_ns is None else mtime_ns)
            ):
                return None
            if status.st_ctime_ns > checked_ns:
                changed.append(entry)
    finally:
        os.close(parent)
    return changed
