"""workspace - the files of an open workspace

Replaces the sources of an element while a workspace is open for it; not to be
written in projects.
"""

import os

from buildstream import Directory, MappingNode, Source, SourceInfoMedium

from ._captured import CapturedSource


class WorkspaceSource(CapturedSource):
    """Stages the directory of a workspace, with the modification times of its files."""

    BST_MIN_VERSION = "2.0"

    captures_times = True
    medium = SourceInfoMedium.WORKSPACE

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["path", "last_build", "kind"])
        self.path = self.fullpath = node.get_str("path")
        self.last_build: str | None = node.get_str("last_build", None)

    def is_resolved(self) -> bool:
        return os.path.exists(self.fullpath)

    def init_workspace_directory(self, directory: Directory) -> None:
        raise AssertionError("a workspace is never opened from a workspace")


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return WorkspaceSource
