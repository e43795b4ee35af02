"""local - files of the project

Configuration:

    path: files/x   a file or directory, relative to the project directory
"""

import os

from buildstream import Directory, MappingNode, Source

from ._captured import CapturedSource


class LocalSource(CapturedSource):
    """Stages a file or directory of the project."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["path", *Source.COMMON_CONFIG_KEYS])
        self.path = self.node_get_project_path(node.get_scalar("path"))
        self.fullpath = os.path.join(self.get_project_directory(), self.path)

    def init_workspace_directory(self, directory: Directory) -> None:
        # the files themselves, with their modes and times
        with self.timed_activity("Staging local files into CAS"):
            if os.path.isdir(self.fullpath):
                directory.import_files(self.fullpath)
            else:
                directory.import_single_file(self.fullpath)


def setup() -> type[Source]:
    """The class, for the plugin loader."""
    return LocalSource
