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

    def configure_sandbox(self, sandbox):
        self._fail("configure_sandbox")

    def stage(self, sandbox):
        self._fail("stage")

    def assemble(self, sandbox):
        self._fail("assemble")
        return "/"

    def generate_script(self):
        self._fail("generate_script")

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
SOURCE_WITH_FAULTS = """\
from buildstream import Source

class Careless(Source):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        node.validate_keys(["where", *Source.COMMON_CONFIG_KEYS])
        self.where = node.get_str("where")

    def preflight(self): pass
    def get_unique_key(self): return []
    def load_ref(self, node): pass
    def get_ref(self): return "x"
    def set_ref(self, ref, node): pass

    def is_cached(self):
        self._fail("is_cached")
        return self.where not in ("fetch", "get_source_fetchers")

    def get_source_fetchers(self):
        self._fail("get_source_fetchers")
        return []

    def track(self): self._fail("track")
    def fetch(self): self._fail("fetch")
    def validate_cache(self): self._fail("validate_cache")
    def stage(self, directory): self._fail("stage")

    def _fail(self, where):
        if self.where == where:
            raise KeyError("boo")

def setup():
    return Careless
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
    assert f"careless.py:{_line_of(ELEMENT, 'raise KeyError')} in _fail()" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("where", ["configure_sandbox", "stage", "assemble"])
def test_element_plugin_in_a_build(space: TestSpace, where: str) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "elements": ["careless"]}])
    space.write("plugins/careless.py", ELEMENT)
    space.element("a.bst", f"kind: careless\nconfig:\n  where: {where}\n")
    result = space.bst("build", "a.bst", expect=255)
    assert result.task_error == RecordedError("PLUGIN", "unhandled-exception")
    assert f"FAILURE careless element at a.bst [line 1 column 0]: The plugin failed in {where}()" in (
        result.stderr
    )
    assert f"careless.py:{_line_of(ELEMENT, 'raise KeyError')} in _fail()" in result.stderr
    assert "Traceback" not in result.stderr
    assert space.states("a.bst") == {"a.bst": "buildable"}


def test_element_plugin_in_a_build_script(space: TestSpace) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "elements": ["careless"]}])
    space.write("plugins/careless.py", ELEMENT)
    space.element("a.bst", "kind: careless\nconfig:\n  where: generate_script\n")
    result = space.bst("source", "checkout", "--include-build-scripts", "a.bst", expect=255)
    assert result.error is not None
    assert result.error.reason == "unhandled-exception"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("where", "command", "reason"),
    [
        ("track", "track", "unhandled-exception"),
        ("get_source_fetchers", "fetch", "unhandled-exception"),
        ("fetch", "fetch", "unhandled-exception"),
        ("validate_cache", "fetch", "unhandled-exception"),
        ("stage", "fetch", "unhandled-exception"),
        ("is_cached", "fetch", "source-bug"),
    ],
)
def test_source_plugin_in_a_job(space: TestSpace, where: str, command: str, reason: str) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "sources": ["careless"]}])
    space.write("plugins/careless.py", SOURCE_WITH_FAULTS)
    space.element("a.bst", f"kind: import\nsources:\n- kind: careless\n  where: {where}\n")
    result = space.bst("source", command, "a.bst", expect=255)
    assert RecordedError("PLUGIN", reason) in (result.error, result.task_error)
    assert "Traceback" not in result.stderr
    assert "boo" in result.stderr


def test_what_the_machine_refuses_is_not_blamed_on_the_plugin(space: TestSpace) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "sources": ["careless"]}])
    space.write("plugins/careless.py", SOURCE_WITH_FAULTS.replace('KeyError("boo")', "OSError(28, 'Full')"))
    space.element("a.bst", "kind: import\nsources:\n- kind: careless\n  where: stage\n")
    result = space.bst("source", "fetch", "a.bst", expect=255)
    assert "did not expect this of the machine" in result.stderr
    assert "fault of the plugin" not in result.stderr


def test_a_missing_host_program_is_an_error_that_plugins_can_catch(space: TestSpace) -> None:
    space.project(plugins=[{"origin": "local", "path": "plugins", "sources": ["careless"]}])
    fault = 'self.call(["no-such-program"])'
    space.write("plugins/careless.py", SOURCE_WITH_FAULTS.replace('raise KeyError("boo")', fault))
    space.element("a.bst", "kind: import\nsources:\n- kind: careless\n  where: stage\n")
    result = space.bst("source", "fetch", "a.bst", expect=255)
    assert result.task_error == RecordedError("PROG_NOT_FOUND", None)
    assert "Failed to run host command 'no-such-program': No such file or directory" in result.stderr
    caught = f"""try:
                {fault}
            except FileNotFoundError as error:
                assert (error.errno, error.filename) == (2, "no-such-program")"""
    space.write("plugins/careless.py", SOURCE_WITH_FAULTS.replace('raise KeyError("boo")', caught))
    space.bst("source", "fetch", "a.bst")


def _line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


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
