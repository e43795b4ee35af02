"""link - another name for an element or a junction

Configuration:

    target: {element}   what the link stands for
"""

from typing import Any

from buildstream import Element, MappingNode, Sandbox, ScalarNode


class LinkElement(Element):
    """Stands for another element; replaced by it while loading."""

    BST_MIN_VERSION = "2.0"
    BST_FORBID_BDEPENDS = True
    BST_FORBID_RDEPENDS = True
    BST_FORBID_SOURCES = True

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["target"])
        self.target_node: ScalarNode = node.get_scalar("target")
        self.target: str = self.target_node.as_str()

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        return 1

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        raise AssertionError("links are replaced by their targets before anything is built")

    def stage(self, sandbox: Sandbox) -> None:
        raise AssertionError("links are replaced by their targets before anything is built")

    def assemble(self, sandbox: Sandbox) -> str:
        raise AssertionError("links are replaced by their targets before anything is built")

    def generate_script(self) -> str:
        raise AssertionError("links are replaced by their targets before anything is built")


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return LinkElement
