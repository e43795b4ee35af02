"""script - run commands over the build dependencies

Configuration:

    commands: []             what to run; it installs below `%{install-root}`
    root-read-only: False    whether nothing else may be written

Commands run in `%{cwd}`.  A build dependency is staged at the `location` of its
own configuration, by default at the root.
"""

import os
from collections.abc import Sequence

from buildstream import DependencyConfiguration, Element, MappingNode
from buildstream import ScriptElement as BaseScriptElement


class ScriptElement(BaseScriptElement):
    """Runs the commands that the element gives."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["commands", "root-read-only"])
        self.add_commands("commands", node.get_str_list("commands"))
        self.set_work_dir()
        self.set_install_root()
        self.set_root_read_only(node.get_bool("root-read-only"))

    def configure_dependencies(self, dependencies: Sequence[DependencyConfiguration]) -> None:
        for dependency in dependencies:
            location = os.sep
            if dependency.config is not None:
                dependency.config.validate_keys(["location"])
                location = dependency.config.get_str("location", os.sep)
            self.layout_add(dependency.element, dependency.path, location)


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return ScriptElement
