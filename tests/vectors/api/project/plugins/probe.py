"""An element that answers questions at each step of its life; beside it, a source that does so."""

from typing import Any

from buildstream import Element

from ._answering import answer_phase


class ProbeElement(Element):
    """Answers; its artifact is /result."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: Any) -> None:
        self.questions = node.get_str("questions")
        answer_phase("configure", {"self": self, "node": node})

    def configure_dependencies(self, dependencies: Any) -> None:
        answer_phase("configure_dependencies", {"self": self, "dependencies": list(dependencies)})

    def preflight(self) -> None:
        answer_phase("preflight", {"self": self})

    def get_unique_key(self) -> Any:
        return {}

    def configure_sandbox(self, sandbox: Any) -> None:
        answer_phase("configure_sandbox", {"self": self, "sandbox": sandbox})

    def stage(self, sandbox: Any) -> None:
        names = {"self": self, "sandbox": sandbox, "root": sandbox.get_virtual_directory()}
        answer_phase("stage", names)

    def assemble(self, sandbox: Any) -> str:
        names = {"self": self, "sandbox": sandbox, "root": sandbox.get_virtual_directory()}
        answer_phase("assemble", names)
        sandbox.get_virtual_directory().open_directory("result", create=True)
        return "/result"


def setup() -> Any:
    return ProbeElement
