"""What plugins do not foresee: an error that names plugin, declaration and line, never a traceback."""

import pytest

from tests.testutils.space import RecordedError, TestSpace

ELEMENT = """\
from buildstream import Element

class Careless(Element):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        self.where = node.get_str("where")
        self._fail("configure")

    def preflight(self):
        self._fail("preflight")

    def get_unique_key(self):
        self._fail("get_unique_key")
        return {}

    def _fail(self, where):
        if self.where == where:
            raise KeyError("boo")

def setup():
    return Careless
"""
SOURCE = """\
from buildstream import Source

class Stubborn(Source):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        node.validate_keys(["ref", *Source.COMMON_CONFIG_KEYS])
        self.ref = node.get_str("ref")

    def preflight(self): pass
    def get_unique_key(self): return self.ref
    def load_ref(self, node): self.ref = node.get_str("ref")
    def get_ref(self): return self.ref
    def set_ref(self, ref, node): self.ref = "sha256:" + ref
    def is_cached(self): return True
    def fetch(self): pass
    def stage(self, directory): pass

def setup():
    return Stubborn
"""


@pytest.mark.parametrize("where", ["configure", "preflight", "get_unique_key"])
def test_element_plugin(space: TestSpace, where: str) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "elements": ["careless"]}])
    space.write("plugins/careless.py", ELEMENT)
    space.element("a.bst", f"kind: careless\nconfig:\n  where: {where}\n")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("PLUGIN", "unhandled-exception")
    assert f"careless element at a.bst [line 1 column 0]: The plugin failed in {where}(): KeyError" in (
        result.stderr
    )
    assert "line 19 of careless.py" in result.stderr
    assert "Traceback" not in result.stderr


def test_source_that_cannot_do_without_its_inline_ref(space: TestSpace) -> None:
    """BuildStream 2.8 takes inline refs away if they are kept in project.refs; some plugins crash."""
    space.project(
        ref_storage="project.refs",
        plugins=[{"origin": "local", "path": "plugins", "sources": ["stubborn"]}],
    )
    space.write("plugins/stubborn.py", SOURCE)
    space.element("a.bst", "kind: manual\nsources:\n- kind: stubborn\n  ref: abc\n")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("PLUGIN", "unhandled-exception")
    assert "a.bst [line 3 column 2]: The plugin can't discard the ref" in result.stderr
    assert "move it there" in result.stderr
    assert "Traceback" not in result.stderr
