"""Roots for machines without overlays: what may be written is copied, the rest is shown read-only."""

import os
import shutil

from .._model.digest import EMPTY_DIGEST, Digest
from .._store.cas import Cas
from .._store.frozen import FrozenDirectory
from ..utils import BST_ARBITRARY_TIMESTAMP
from .bwrap import HostMount
from .protection import EntryKind, WriteProtection, make_parents_accessible


class CopiedRoot:
    """A directory with copies of the writable parts of TREE.  O(files that may be written).

    Args:
        cas: The store that captured files go to.
        directory: Empty, on the file system of the store.
        tree: Absolute path of an extracted tree, which is never written.
        protection: How it is divided.
    """

    layers: tuple[str, ...] | None = None
    stubs: tuple[str, str, int] | None = None
    read_only: tuple[str, ...] = ()

    def __init__(self, cas: Cas, directory: str, tree: str, protection: WriteProtection) -> None:
        self._cas = cas
        self._tree = tree
        self.mounts = tuple(
            HostMount(os.path.join(tree, path), "/" + path, is_read_only=True)
            for path in protection.mountable_siblings()
        )
        if protection.writable:
            self.path = os.path.join(directory, "root")
            self._divide(protection)
        else:
            self.path = tree

    def capture(self, path: str, base: FrozenDirectory, *, mtimes: bool) -> Digest:
        """Stores the directory at the relative sandbox path PATH; as that of an overlay."""
        changed = os.path.join(self.path, path)
        make_parents_accessible(self.path, path)
        if not os.path.isdir(changed) or os.path.islink(changed):
            return EMPTY_DIGEST
        return self._cas.import_directory(changed, mtimes=mtimes, consume=True)

    def _divide(self, protection: WriteProtection) -> None:
        for parent in protection.parents:
            make_directory(os.path.join(self.path, parent))
        for path in protection.writable:
            copy_tree(os.path.join(self._tree, path), os.path.join(self.path, path))
        for entry in protection.siblings:
            place = os.path.join(self.path, entry.path)
            if entry.kind is EntryKind.DIRECTORY:
                make_directory(place)
            elif entry.kind is EntryKind.FILE:
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
            else:
                os.symlink(os.readlink(os.path.join(self._tree, entry.path)), place)
        for parent in reversed(protection.parents):
            times = (BST_ARBITRARY_TIMESTAMP, BST_ARBITRARY_TIMESTAMP)
            os.utime(os.path.join(self.path, parent), times)


def make_directory(path: str) -> None:
    """Makes a directory that everybody can read, whatever the umask."""
    os.mkdir(path)
    os.chmod(path, 0o755)


def copy_tree(source: str, target: str) -> None:
    """Copies a directory with modes and times; hard links become files of their own."""
    shutil.copytree(source, target, symlinks=True)
