"""An element that runs nothing, takes dependency configuration and is deprecated."""

from buildstream import Element


class GatherElement(Element):
    BST_MIN_VERSION = "2.1"
    BST_RUN_COMMANDS = False
    BST_PLUGIN_DEPRECATED = True
    BST_PLUGIN_DEPRECATION_MESSAGE = "Nobody gathers any more."

    def configure(self, node):
        node.validate_keys(["title", "table"])
        self.title = node.get_str("title", "untitled")
        self.table = node.get_mapping("table", {}).strip_node_info()
        self.roles = []

    def configure_dependencies(self, dependencies):
        for dependency in dependencies:
            role = None
            if dependency.config:
                dependency.config.validate_keys(["role", "rank"])
                role = (dependency.config.get_str("role"), dependency.config.get_int("rank", 0))
            self.roles.append([dependency.path, dependency.element.name, role])

    def preflight(self):
        pass

    def get_unique_key(self):
        return {"title": self.title, "table": self.table, "roles": self.roles, "flags": [True, False, None, 7]}

    def configure_sandbox(self, sandbox):
        pass

    def stage(self, sandbox):
        self.stage_dependency_artifacts(sandbox)

    def assemble(self, sandbox):
        return "/"


def setup():
    return GatherElement
