"""Sandboxes whose content is a tree of the store."""

from .._model.digest import Digest
from .._store.cas import Cas
from .._store.cas_directory import CasDirectory
from ..sandbox import Sandbox
from ..sandbox.sandbox import ActivityReporter
from .protection import MOUNT_POINTS


class TreeSandbox(Sandbox):
    """What all sandboxes that run commands have in common.

    `close` must be called at the end, and the virtual directory not be used after that.

    Args:
        cas: The store.
        reporter: Is told of activities.
        digest: What is in it at first; None for nothing.
    """

    def __init__(self, cas: Cas, reporter: ActivityReporter, digest: Digest | None = None) -> None:
        self._cas = cas
        self._virtual = CasDirectory(cas, digest)
        super().__init__(self._virtual, reporter)

    def close(self) -> None:
        """Gives up what the commands have left beside the store."""

    def _create_sub_sandbox(self) -> Sandbox:
        """An empty sandbox that can only be staged into."""
        return Sandbox(CasDirectory(self._cas), self._reporter)

    def _make_directories(self, cwd: str) -> None:
        """Creates what must exist for every command."""
        for path in (*MOUNT_POINTS, *self._marked_directories):
            self._virtual.open_directory(path.lstrip("/"), create=True)
        self._virtual.open_directory(cwd.lstrip("/"), create=True, follow_symlinks=True)

    def _mark_mount_points(self) -> None:
        """Marks as writable what is mounted over a root that is not.

        As BuildStream 2.8 has it, for what is recorded of the root of a build.
        """
        for path in MOUNT_POINTS:
            self._virtual.open_directory(path)._set_subtree_read_only(False)
