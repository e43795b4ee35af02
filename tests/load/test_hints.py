"""What is suggested where a word is not known: the detail of the error, never its message."""

import pytest

from buildstream._utils_nearmiss import did_you_mean, nearest_word
from tests.testutils.space import TestSpace

OPTION = {"type": "enum", "description": "x", "values": ["debug", "release"], "default": "debug"}
FLAGS = {"type": "flags", "description": "x", "values": ["lto", "pie"]}


def test_nearest_word() -> None:
    assert nearest_word("instal", ["uninstall", "install", "bin"]) == "install"
    assert nearest_word("xyz", ["uninstall", "install", "bin"]) is None
    assert nearest_word("x", []) is None


def test_question() -> None:
    assert did_you_mean("instal", ["install"]) == "Did you mean 'install'?"
    assert did_you_mean("xyz", ["install"]) is None


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    space.project(
        options={"build_type": OPTION, "tricks": FLAGS},
        aliases={"upstream": "https://example.com/"},
        **{"source-provenance-attributes": {"homepage": "where it lives"}},
    )
    space.write("include/common.yml", "variables: {}\n")
    space.element("folder/base.bst", "kind: manual\n")
    space.element("sub.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    space.write("sub/project.conf", f"name: sub\nmin-version: 2.0\noptions: {{build_type: {OPTION}}}\n")
    space.write("sub/library.bst", "kind: manual\n")
    return space


@pytest.mark.parametrize(
    ("element", "meant"),
    [
        ("kind: manual\nvariabels: {}\n", "variables"),
        ("kind: manual\nconfig: {instal-commands: []}\n", "install-commands"),
        ("kind: manaul\n", "manual"),
        ("kind: manual\nsources:\n- kind: locl\n", "local"),
        ("kind: manual\nsources:\n- {kind: local, pth: x}\n", "path"),
        ("kind: manual\nsources:\n- {kind: remote, url: 'upstraem:x'}\n", "upstream"),
        ("kind: manual\ndepends: [folder/bsae.bst]\n", "folder/base.bst"),
        ("kind: manual\ndepends: [base.bst]\n", "folder/base.bst"),
        ("kind: manual\ndepends: [elements/folder/base.bst]\n", "folder/base.bst"),
        ("kind: manual\ndepends: [sbu.bst:library.bst]\n", "sub.bst"),
        ("kind: manual\ndepends: ['sub.bst:libary.bst']\n", "library.bst"),
        ("kind: manual\ndepends:\n- {filename: x.bst, tpye: build}\n", "type"),
        ("kind: manual\ndepends:\n- {filename: x.bst, type: biuld}\n", "build"),
        ("kind: manual\n(@): include/comon.yml\n", "include/common.yml"),
        ("kind: manual\nvariables: {x: '%{prefx}'}\n", "prefix"),
        ("kind: manual\nconfig:\n  build-commands: ['%{instal-root}']\n", "install-root"),
        ("kind: manual\n(?):\n- buildtype == 'debug': {}\n", "build_type"),
    ],
)
def test_words_in_elements(project: TestSpace, element: str, meant: str) -> None:
    project.element("a.bst", element)
    assert f"\n    Did you mean '{meant}'?\n" in project.bst("show", "a.bst", expect=255).stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("--option", "buildtype", "debug", "show"), "build_type"),
        (("--option", "build_type", "debgu", "show"), "debug"),
        (("--option", "tricks", "pie,ltto", "show"), "lto"),
        (("show", "folder/bas.bst"), "folder/base.bst"),
        (("build", "folder/bas.bst"), "folder/base.bst"),
        (("show", "sbu.bst:library.bst"), "sub.bst"),
        (("help", "biuld"), "build"),
        (("help", "source", "fecth"), "fetch"),
    ],
)
def test_words_of_the_command_line(project: TestSpace, arguments: tuple[str, ...], meant: str) -> None:
    assert f"Did you mean '{meant}'?\n" in project.bst(*arguments, expect=255).stderr


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ({"variabels": {}}, "variables"),
        ({"options": {"x": {**OPTION, "type": "enmu"}}}, "enum"),
        ({"options": {"x": {**OPTION, "default": "debgu"}}}, "debug"),
        ({"defaults": {"targets": ["folder/bas.bst"]}}, "folder/base.bst"),
        ({"plugins": [{"origin": "lcoal", "path": "x", "elements": []}]}, "local"),
    ],
)
def test_words_in_project_conf(project: TestSpace, keys: dict[str, object], meant: str) -> None:
    project.project(**keys)
    assert f"\n    Did you mean '{meant}'?\n" in project.bst("show", expect=255).stderr


def test_words_that_resemble_nothing_get_no_question(project: TestSpace) -> None:
    project.element("a.bst", "kind: manual\nqqqq: {}\n")
    assert "Did you mean" not in project.bst("show", "a.bst", expect=255).stderr
