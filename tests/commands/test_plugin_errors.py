"""Errors about sources and environments that projects run into, each with its reason."""

import os
import tarfile
from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace

SOURCE = """\
from buildstream import Source

class Plain(Source):
    BST_MIN_VERSION = "2.0"

    def configure(self, node):
        node.validate_keys(["ref", *Source.COMMON_CONFIG_KEYS])
        self.ref = node.get_str("ref", None)

    def preflight(self): pass
    def get_unique_key(self): return [self.ref]
    def get_ref(self): return self.ref
    def set_ref(self, ref, node): node["ref"] = self.ref = ref
    def is_cached(self): return True
    def fetch(self): pass
    def track(self, **kwargs): return "x"
    def stage(self, directory): pass

def setup():
    return Plain
"""


def add_plugin(space: TestSpace, text: str = SOURCE, **keys: object) -> None:
    """A project with the source kind `plain`."""
    space.project(plugins=[{"origin": "local", "path": "plugins", "sources": ["plain"]}], **keys)
    space.write("plugins/plain.py", text)


def test_a_policy_may_leave_no_address(space: TestSpace) -> None:
    space.project(aliases={"up": "https://example.com/"})
    space.configure("fetch: {source: mirrors}\n")
    space.element("a.bst", "kind: import\nsources:\n- {kind: remote, url: 'up:x'}\n")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("SOURCE", "missing-source-alias-target")


def test_a_pattern_must_be_a_regular_expression(space: TestSpace) -> None:
    space.project(aliases={"up": "https://example.com/"})
    space.element(
        "a.bst", "kind: import\nsources:\n- {kind: remote, url: 'up:x', version-guess-pattern: '('}\n"
    )
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("SOURCE", "invalid-version-guess-pattern")


def test_kinds_with_provenance_of_their_own_take_no_other(space: TestSpace) -> None:
    add_plugin(space, SOURCE.replace('"2.0"\n', '"2.0"\n    BST_CUSTOM_SOURCE_PROVENANCE = True\n'))
    space.element(
        "a.bst", "kind: import\nsources:\n- kind: plain\n  ref: x\n  provenance: {homepage: 'https://x'}\n"
    )
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("SOURCE", "top-level-provenance-on-custom-implementation")


def test_refs_in_a_file_need_a_kind_that_can_load_them(space: TestSpace) -> None:
    add_plugin(space, ref_storage="project.refs")
    space.element("a.bst", "kind: import\nsources:\n- kind: plain\n")
    space.write("project.refs", "projects:\n  test:\n    a.bst:\n    - ref: x\n")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("SOURCE", "unsupported-load-ref")


@pytest.mark.parametrize("flag", ["TRACK", "FETCH"])
def test_the_first_source_can_have_none_before_it(space: TestSpace, flag: str) -> None:
    add_plugin(space, SOURCE.replace('"2.0"\n', f'"2.0"\n    BST_REQUIRES_PREVIOUS_SOURCES_{flag} = True\n'))
    space.element("a.bst", "kind: import\nsources:\n- kind: plain\n")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error is not None
    assert result.error.domain == "ELEMENT"
    assert "cannot be the first source of an element" in result.stderr


def test_earlier_sources_must_have_refs(space: TestSpace) -> None:
    text = SOURCE.replace('"2.0"\n', '"2.0"\n    BST_REQUIRES_PREVIOUS_SOURCES_TRACK = True\n')
    space.project(
        plugins=[{"origin": "local", "path": "plugins", "sources": ["plain", "constant"]}],
    )
    space.write("plugins/plain.py", text)
    space.write("plugins/constant.py", SOURCE.replace('return "x"', "return None"))
    space.element("a.bst", "kind: import\nsources:\n- kind: constant\n- kind: plain\n")
    result = space.bst("source", "track", "a.bst", expect=255)
    assert result.task_error == RecordedError("PLUGIN", "unresolved-previous-sources")


def test_local_files_may_not_take_the_place_of_a_directory(space: TestSpace) -> None:
    add_plugin(
        space,
        SOURCE.replace(
            "def stage(self, directory): pass",
            "def stage(self, directory): __import__('os').makedirs(directory + '/a/b')",
        ).replace('"2.0"\n', '"2.0"\n    BST_REQUIRES_PREVIOUS_SOURCES_STAGE = True\n'),
    )
    local = (
        "from buildstream.plugins.sources.local import LocalSource\n\n"
        "class OnTop(LocalSource):\n    BST_REQUIRES_PREVIOUS_SOURCES_STAGE = True\n\n"
        "def setup():\n    return OnTop\n"
    )
    space.write("plugins/ontop.py", local)
    space.project(plugins=[{"origin": "local", "path": "plugins", "sources": ["plain", "ontop"]}])
    space.write("files/a", "a file\n")
    space.element("a.bst", "kind: import\nsources:\n- {kind: plain, ref: x}\n- {kind: ontop, path: files}\n")
    result = space.bst("source", "fetch", "a.bst", expect=255)
    assert result.task_error == RecordedError("SOURCE", "ensure-stage-dir-fail")


def test_local_files_that_cannot_be_read(space: TestSpace) -> None:
    space.project()
    space.write("files/a", "a file\n")
    os.symlink("a" * 300, space.project_directory / "files" / "b")  # fine: a link is content
    (space.project_directory / "files" / os.fsdecode(b"\xff")).touch()
    space.element("a.bst", "kind: import\nsources:\n- {kind: local, path: files}\n")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error is not None
    assert result.error.domain in ("CAS", "SOURCE")
    assert "Traceback" not in result.stderr


def test_checkout_of_what_cannot_be_fetched(space: TestSpace, tmp_path: Path) -> None:
    space.project(aliases={"up": f"file://{tmp_path}/"})
    space.element("a.bst", f"kind: import\nsources:\n- {{kind: remote, url: 'up:x', ref: '{'0' * 64}'}}\n")
    result = space.bst("--network-retries", "0", "source", "checkout", "a.bst", expect=255)
    assert result.error is not None
    assert not any((space.project_directory / "source-checkout").rglob("*"))


def test_commands_get_variables_that_are_texts(space: TestSpace) -> None:
    element = (
        "from buildstream import Element\n\n"
        "class Odd(Element):\n    BST_MIN_VERSION = '2.0'\n"
        "    def configure(self, node): pass\n    def preflight(self): pass\n"
        "    def get_unique_key(self): return None\n"
        "    def configure_sandbox(self, sandbox): sandbox.set_environment({'PATH': '/usr/bin', 'N': 1})\n"
        "    def stage(self, sandbox): self.stage_dependency_artifacts(sandbox)\n"
        "    def assemble(self, sandbox):\n        sandbox.run(['true'])\n        return '/'\n\n"
        "def setup():\n    return Odd\n"
    )
    space.project(plugins=[{"origin": "local", "path": "plugins", "elements": ["odd"]}])
    space.write("plugins/odd.py", element)
    space.shell_base()
    space.element("a.bst", "kind: odd\nbuild-depends: [base.bst]\n")
    result = space.bst("build", "a.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.reason in ("invalid-environment", "unhandled-exception")
    assert "Traceback" not in result.stderr


def test_archives_with_names_that_are_not_utf8(space: TestSpace, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("top/caf\xe9"))
    space.project(aliases={"up": f"file://{tmp_path}/"})
    space.element("a.bst", "kind: import\nsources:\n- {kind: tar, url: 'up:a.tar'}\n")
    space.bst("source", "track", "a.bst")
    result = space.bst("source", "fetch", "a.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.domain == "CAS"
    assert (
        r"tar source at a.bst [line 3 column 2]: The name or link target of 'caf\xe9' is not" in result.stderr
    )
