"""catalogue - a list of the files of the build dependencies

Configuration:

    file: catalogue   the name of the list
"""

import os
from typing import Any

from buildstream import Element, ElementError, MappingNode, Sandbox


class CatalogueElement(Element):
    """Writes down what its build dependencies, and what these need at run time, consist of."""

    BST_MIN_VERSION = "2.0"
    BST_FORBID_RDEPENDS = True
    BST_FORBID_SOURCES = True
    # the list changes with the dependencies, so it can't be kept when they are built again
    BST_STRICT_REBUILD = True
    # made by the plugin itself: no sandbox needs to be started
    BST_RUN_COMMANDS = False

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["file"])
        self.file = node.get_str("file")

    def preflight(self) -> None:
        if os.sep in self.file:
            raise ElementError("The name of the list must not have a directory", reason="catalogue-directory")

    def get_unique_key(self) -> Any:
        return {"file": self.file}

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        pass

    def stage(self, sandbox: Sandbox) -> None:
        pass

    def assemble(self, sandbox: Sandbox) -> str:
        root = sandbox.get_virtual_directory()
        output = root.open_directory("output", create=True)
        with output.open_file(self.file, mode="w") as file:
            for dependency in self.dependencies():
                for path in sorted(dependency.compute_manifest()):
                    file.write(f"{dependency.name}: /{path}\n")
        return "/output"

    def generate_script(self) -> str:
        return ""


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return CatalogueElement
