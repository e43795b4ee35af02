"""shout - a file with a word, as loud as that goes

Configuration:

    word: hello
"""

from typing import Any

from buildstream import Element, MappingNode, Sandbox


class ShoutElement(Element):
    """Writes one file, without a sandbox."""

    BST_MIN_VERSION = "2.0"
    BST_RUN_COMMANDS = False

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["word"])
        self.word = node.get_str("word")

    def preflight(self) -> None:
        pass

    def get_unique_key(self) -> Any:
        return {"word": self.word}

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        pass

    def stage(self, sandbox: Sandbox) -> None:
        pass

    def assemble(self, sandbox: Sandbox) -> str:
        output = sandbox.get_virtual_directory().open_directory("output", create=True)
        with output.open_file("word", mode="w") as file:
            file.write(f"{self.word.upper()}!\n")
        return "/output"


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return ShoutElement
