"""stack - a name for a group of elements

Depending on a stack means depending on everything it depends on.
"""

from typing import Any

from buildstream import Element, ElementError, MappingNode, Sandbox


class StackElement(Element):
    """Groups elements; its own artifact is empty."""

    BST_MIN_VERSION = "2.0"
    BST_ELEMENT_HAS_ARTIFACT = False
    BST_FORBID_SOURCES = True
    BST_RUN_COMMANDS = False

    def configure(self, node: MappingNode) -> None:
        pass

    def preflight(self) -> None:
        build, runtime = self._host.build_dependency_types()
        if set(build) != set(runtime):
            raise ElementError(
                "All dependencies of 'stack' elements must be both build and runtime dependencies",
                detail="Use the `depends` list instead of `build-depends` and `runtime-depends`.",
                reason="stack-requires-build-and-run",
            )

    def get_unique_key(self) -> Any:
        return 1

    def configure_sandbox(self, sandbox: Sandbox) -> None:
        pass

    def stage(self, sandbox: Sandbox) -> None:
        pass

    def assemble(self, sandbox: Sandbox) -> str:
        sandbox.get_virtual_directory().open_directory("output", create=True)
        return "/output"

    def generate_script(self) -> str:
        return ""


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return StackElement
