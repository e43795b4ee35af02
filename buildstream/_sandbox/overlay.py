"""Roots made by laying stored trees over each other: nothing is copied, changes go aside."""

import os
import stat
from collections.abc import Mapping

from .._dataclass import dataclass
from .._model.digest import EMPTY_DIGEST, Digest
from .._store.cas import Cas
from .._store.frozen import FrozenDirectory
from .._store.layout import TreeForm
from .._store.private_tree import PrivateFiles
from ..utils import BST_ARBITRARY_TIMESTAMP
from .bwrap import HostMount
from .protection import WriteProtection, make_parents_accessible


def make_overlay_directories(directory: str, *, has_upper: bool = False) -> None:
    """Fills DIRECTORY with what a mount in there needs; it may have the upper directory already."""
    for name in ("root", "work"):
        os.mkdir(os.path.join(directory, name))
    if not has_upper:
        upper = os.path.join(directory, "upper")
        os.mkdir(upper)
        # the merged root shows the attributes of this directory
        os.chmod(upper, 0o755)
        os.utime(upper, (BST_ARBITRARY_TIMESTAMP, BST_ARBITRARY_TIMESTAMP))


@dataclass(frozen=True, slots=True)
class OverlayContent:
    """What an overlay shows at first.

    The changes start in the upper directory, as if a command had made them: there, files have
    one name, and directories can be renamed without copying.
    """

    layers: tuple[str, ...]  # absolute paths of extracted trees, bottom first, at most 400
    changes: FrozenDirectory | None  # a tree over them that nobody else needs
    removed: tuple[str, ...]  # relative paths of what is hidden then; only if there are changes
    under: Mapping[str, FrozenDirectory]  # what writable paths show without the changes
    form: TreeForm  # of the layers


def hide(upper: str, path: str) -> None:
    """Makes the overlay of UPPER show nothing at the relative PATH, and the same as before above that.

    Linux 5.8 is the first to let everybody make such a device.
    """
    parents: list[str] = []
    parent = os.path.dirname(path)
    while parent and not os.path.isdir(os.path.join(upper, parent)):
        parents.append(os.path.join(upper, parent))
        parent = os.path.dirname(parent)
    for directory in reversed(parents):
        os.mkdir(directory)
        os.chmod(directory, 0o755)
    os.mknod(os.path.join(upper, path), stat.S_IFCHR, os.makedev(0, 0))
    for directory in (*parents, os.path.join(upper, parent)):
        os.utime(directory, (BST_ARBITRARY_TIMESTAMP, BST_ARBITRARY_TIMESTAMP))


class OverlayRoot:
    """An overlay, to be mounted by the launcher on `path`.

    Args:
        cas: The store that captured files go to.
        directory: Empty, on the file system of the store.
        content: What it shows.
        protection: How it is divided.
    """

    mounts: tuple[HostMount, ...] = ()

    def __init__(
        self, cas: Cas, directory: str, content: OverlayContent, protection: WriteProtection
    ) -> None:
        self._cas = cas
        self._upper = os.path.join(directory, "upper")
        self._content = content
        self._private: PrivateFiles | None = None
        if content.changes is not None:
            self._private = cas.extract_private(content.changes, self._upper)
            for path in content.removed:
                hide(self._upper, path)
        make_overlay_directories(directory, has_upper=content.changes is not None)
        self.path = os.path.join(directory, "root")
        self.layers: tuple[str, ...] | None = content.layers
        self.stubs = cas.stub_layers if content.form is TreeForm.STUBS else None
        # by the launcher: it takes a third of the time that bubblewrap needs for the same
        self.read_only = tuple(os.path.join("root", path) for path in protection.mountable_siblings())

    def capture(self, path: str, base: FrozenDirectory, *, mtimes: bool) -> Digest:
        """Stores the directory at the relative sandbox path PATH; BASE is what it was before.

        To be called once for a path, and only when nothing runs in the root any more:
        new files become those of the store.
        """
        changed = os.path.join(self._upper, path)
        make_parents_accessible(self._upper, path)
        if not os.path.lexists(changed):
            return base.store(self._cas.add_directory)
        if not os.path.isdir(changed) or os.path.islink(changed):
            return EMPTY_DIGEST  # the directory was removed, or replaced by something else
        before = base.store(self._cas.add_directory)
        under = self._content.under.get(path)
        digest = self._cas.capture_overlay(
            before if under is None else under.store(self._cas.add_directory),
            changed,
            before=before,
            private=self._private,
            mtimes=mtimes,
            consume=True,
        )
        if before == EMPTY_DIGEST and path:
            # all of it is here: whoever stages this tree need not extract it
            self._cas.adopt_tree(digest, changed, self._content.form)
        return digest
