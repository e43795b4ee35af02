"""import - take the sources as they are

An artifact made of the files of the sources, without building anything.

Configuration:

    source: /   the directory of the sources to take the files from
    target: /   where to put them in the artifact
"""  # noqa: N999  # the module is called like the kind

import os
from typing import Any

from buildstream import Element, ElementError, MappingNode, Sandbox


class ImportElement(Element):
    """Imports the files of its sources."""

    BST_MIN_VERSION = "2.0"
    BST_RUN_COMMANDS = False

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["source", "target"])
        self.source: str = node.get_str("source")
        self.target: str = node.get_str("target")

    def preflight(self) -> None:
        if not any(self.sources()):
            raise ElementError(f"{self}: An import element must have at least one source.")

    def get_unique_key(self) -> Any:
        return {"source": self.source, "target": self.target}

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        pass

    def stage(self, sandbox: Sandbox) -> None:
        pass

    def assemble(self, sandbox: Sandbox) -> str:
        self.stage_sources(sandbox, "input")

        root = sandbox.get_virtual_directory()
        source = root.open_directory(os.path.join("input", self.source.strip(os.sep)))
        target = root.open_directory(os.path.join("output", self.target.strip(os.sep)), create=True)
        if not source:
            raise ElementError(f"{self}: No files were found inside directory '{self.source}'")
        target.import_files(source, collect_result=False)
        return "/output"

    def generate_script(self) -> str:
        build_root = self.get_variable("build-root") or os.sep
        install_root = self.get_variable("install-root") or os.sep
        source = os.path.join(build_root, self.normal_name, self.source.lstrip(os.sep)).rstrip(os.sep)
        target = os.path.join(install_root, self.target.lstrip(os.sep)).rstrip(os.sep)
        commands = [
            f"mkdir -p {os.path.dirname(target)}",
            f"[ ! -e {target} ] || rmdir {target}",
            f"mv {source} {target}",
        ]
        return "".join(f"(set -ex; {command}\n) || exit 1\n" for command in commands)


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return ImportElement
