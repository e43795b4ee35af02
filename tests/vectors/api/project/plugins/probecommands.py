"""An element that answers questions in a sandbox with all that it depends on."""

from typing import Any

from buildstream import Element

from .probe import ProbeElement


class ProbeCommandsElement(ProbeElement):
    """Answers with a shell at hand."""

    BST_MIN_VERSION = "2.0"

    def configure_sandbox(self, sandbox: Any) -> None:
        sandbox.set_environment(self.get_environment())
        sandbox.mark_directory("/marked")

    def stage(self, sandbox: Any) -> None:
        self.stage_dependency_artifacts(sandbox)


def setup() -> type[Element]:
    return ProbeCommandsElement
