"""survey - the output of commands that look at other elements

Configuration:

    commands: [...]   what to run; the directory `%{install-root}` becomes the artifact

Configuration of a build dependency:

    location: /       where to stage it
"""

from collections.abc import Iterable

from buildstream import DependencyConfiguration, Element, MappingNode, ScriptElement


class SurveyElement(ScriptElement):
    """Runs commands in a root that its dependencies are laid out in."""

    BST_MIN_VERSION = "2.0"

    def configure(self, node: MappingNode) -> None:
        node.validate_keys(["commands"])
        self.set_work_dir("/")
        self.set_install_root(self.get_variable("install-root"))
        self.set_root_read_only(True)
        self.add_commands("commands", node.get_str_list("commands"))

    def configure_dependencies(self, dependencies: Iterable[DependencyConfiguration]) -> None:
        for dependency in dependencies:
            location = "/"
            if dependency.config is not None:
                dependency.config.validate_keys(["location"])
                location = dependency.config.get_str("location")
            self.layout_add(dependency.element, dependency.path, location)


def setup() -> type[Element]:
    """The class, for the plugin loader."""
    return SurveyElement
