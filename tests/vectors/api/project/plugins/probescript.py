"""A script element that answers questions about its layout; its artifact is what its commands leave."""

from typing import Any

from buildstream import ScriptElement

from ._answering import answer_phase


class ProbeScriptElement(ScriptElement):
    """Lays its dependencies out as they say; looks at its unique key."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: Any) -> None:
        self.questions = node.get_str("questions")
        self.set_work_dir(node.get_str("work-dir", None))
        self.set_install_root(node.get_str("install-root", None))
        self.set_root_read_only(node.get_bool("read-only", False))
        for group in node.get_sequence("groups", []):
            self.add_commands(group.get_str("name"), group.get_str_list("commands"))

    def configure_dependencies(self, dependencies: Any) -> None:
        for dependency in dependencies:
            location = "/" if dependency.config is None else dependency.config.get_str("location")
            if location != "nowhere":
                self.layout_add(dependency.element, dependency.path, location)

    def preflight(self) -> None:
        super().preflight()
        answer_phase("preflight", {"self": self})


def setup() -> type[ScriptElement]:
    return ProbeScriptElement
