from buildstream import Element
class ReImport(Element):
    BST_MIN_VERSION = "2.0"
    BST_FORBID_RDEPENDS = False
    BST_RUN_COMMANDS = False
    def configure(self, node):
        node.validate_keys(["source", "target", "names", "flag"])
        self.source = node.get_str("source", "/")
        self.target = node.get_str("target", "/")
        self.names = node.get_str_list("names", [])
        self.flag = node.get_bool("flag", False)
        self.deps = []
    def configure_dependencies(self, dependencies):
        for d in dependencies:
            self.deps.append((d.path, d.config.get_str("as") if d.config else None, d.element.name))
    def preflight(self): pass
    def get_unique_key(self):
        return {"s": self.source, "t": self.target, "n": self.names, "f": self.flag, "d": self.deps, "v": self.get_variable("triplet"), "none": None, "num": 3, "fl": 1.5}
    def configure_sandbox(self, sandbox): pass
    def stage(self, sandbox): pass
    def assemble(self, sandbox): return "/"
def setup(): return ReImport
