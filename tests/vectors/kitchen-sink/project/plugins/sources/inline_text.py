"""A source whose content stands in the element itself."""

import os

from buildstream import Source


class InlineTextSource(Source):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        node.validate_keys([*Source.COMMON_CONFIG_KEYS, "text", "filename", "ref"])
        self.text = node.get_str("text")
        self.filename = node.get_str("filename", "inline.txt")
        self.ref = node.get_str("ref", None)

    def preflight(self):
        pass

    def get_unique_key(self):
        return {"text": self.text, "filename": self.filename, "ref": self.ref}

    def is_resolved(self):
        return True

    def is_cached(self):
        return True

    def load_ref(self, node):
        self.ref = node.get_str("ref", None)

    def get_ref(self):
        return self.ref

    def set_ref(self, ref, node):
        node["ref"] = self.ref = ref

    def fetch(self):
        pass

    def stage(self, directory):
        with open(os.path.join(directory, self.filename), "w", encoding="utf-8") as stream:
            stream.write(self.text)


def setup():
    return InlineTextSource
