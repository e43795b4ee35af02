"""A build element with defaults of its own for every section."""

from buildstream import BuildElement


class StampedElement(BuildElement):
    BST_MIN_VERSION = "2.0"
    BST_ARTIFACT_VERSION = 3

    def configure(self, node):
        node.validate_keys(
            ["configure-commands", "build-commands", "install-commands", "strip-commands", "stamp", "levels", "weight", "sealed"]
        )
        self.stamp = node.get_str("stamp")
        self.levels = node.get_str_list("levels")
        self.weight = node.get_int("weight")
        self.sealed = node.get_bool("sealed")
        for key in ("stamp", "levels", "weight", "sealed"):
            del node[key]
        super().configure(node)

    def get_unique_key(self):
        key = super().get_unique_key()
        key["stamp"] = [self.stamp, tuple(self.levels), self.weight, self.sealed, None]
        return key


def setup():
    return StampedElement
