"""Project options: format 2.8."""

import os
from pathlib import Path

import pytest

from buildstream._exceptions import PlatformError
from buildstream._load.options import OptionPool
from buildstream._model.platform import canonical_arch, host_arch, host_os
from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode, Node

from .trees import load_error, tree

MACHINE = os.uname_result(("Linux", "host", "6.1", "#1", "x86_64"))

DECLARATIONS = {
    "bool": "type: bool\ndefault: True",
    "enum": "type: enum\nvalues: [a, b]\ndefault: a",
    "flags": "type: flags\nvalues: [a, b, c]\ndefault: [c, a]",
    "arch": "type: arch\nvalues: [arm, x86_64, amd64]",
    "os": "type: os\nvalues: [Linux, SunOS]",
}


def declared(*declarations: str, element_path: str = "/nowhere") -> OptionPool:
    """A pool with the options o0, o1, and so on; each is exported to the variable of its name."""
    node = Node.from_dict({})
    for index, text in enumerate(declarations):
        declaration = tree(text, "project.conf")
        declaration["description"] = "For the test"
        declaration["variable"] = f"o{index}"
        node[f"o{index}"] = declaration
    pool = OptionPool(element_path, MACHINE)
    pool.load(node)
    return pool


def exported(pool: OptionPool) -> object:
    pool.resolve()
    variables = MappingNode.from_dict({})
    pool.export_variables(variables)
    return variables.strip_node_info()


def test_defaults_are_exported_in_order() -> None:
    pool = declared(*DECLARATIONS.values())
    assert exported(pool) == {"o0": "1", "o1": "a", "o2": "c,a", "o3": "x86_64", "o4": "Linux"}
    assert pool.printable() == [("o0", "1"), ("o1", "a"), ("o2", "c,a"), ("o3", "x86_64"), ("o4", "Linux")]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("bool", "False", "0"),
        ("bool", "true", "1"),
        ("enum", "b", "b"),
        ("flags", "c, b", "b,c"),
        ("flags", "b,b", "b,b"),
        ("arch", "arm", "arm"),
        ("os", "SunOS", "SunOS"),
    ],
)
def test_values_of_the_command_line(kind: str, text: str, expected: str) -> None:
    pool = declared(DECLARATIONS[kind])
    pool.load_cli_values([("o0", text)], ignore_unknown=False)
    assert exported(pool) == {"o0": expected}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bool", "1"),
        ("bool", "yes"),
        ("enum", "c"),
        ("flags", ""),
        ("flags", "a,x"),
        ("arch", "x86-64"),
        ("os", "x"),
    ],
)
def test_wrong_values_of_the_command_line(kind: str, text: str) -> None:
    pool = declared(DECLARATIONS[kind])
    with load_error(LoadErrorReason.INVALID_DATA, "Invalid value for "):
        pool.load_cli_values([("o0", text)], ignore_unknown=False)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("bool", "0", "0"),
        ("enum", "b", "b"),
        ("flags", "[c, b]", "b,c"),
        ("flags", "[]", ""),
        ("arch", "arm", "arm"),
    ],
)
def test_values_of_files(kind: str, text: str, expected: str) -> None:
    pool = declared(DECLARATIONS[kind])
    pool.load_yaml_values(tree(f"o0: {text}"))
    assert exported(pool) == {"o0": expected}


@pytest.mark.parametrize(
    ("kind", "text"),
    [("bool", "yes"), ("enum", "c"), ("enum", "[a]"), ("flags", "a"), ("flags", "[x]"), ("arch", "x86-64")],
)
def test_wrong_values_of_files(kind: str, text: str) -> None:
    pool = declared(DECLARATIONS[kind])
    with load_error(LoadErrorReason.INVALID_DATA, "user.conf [line 1 column 4]"):
        pool.load_yaml_values(tree(f"o0: {text}", "user.conf"))


def test_unknown_options() -> None:
    pool = declared(DECLARATIONS["bool"])
    with load_error(LoadErrorReason.INVALID_DATA, "a.bst [line 1 column 6]: Unknown option 'nope'"):
        pool.load_yaml_values(tree("nope: x"))
    with load_error(LoadErrorReason.INVALID_DATA, "Unknown option 'nope'"):
        pool.load_cli_values([("nope", "x")], ignore_unknown=False)
    pool.load_cli_values([("nope", "x")], ignore_unknown=True)


@pytest.mark.parametrize(
    "declaration",
    [
        "type: nope",
        "default: True",
        "type: bool",
        "type: bool\ndefault: maybe",
        "type: bool\ndefault: True\nfoo: bar",
        "type: enum\ndefault: a",
        "type: enum\ndefault: a\nvalues: []",
        "type: enum\nvalues: [a]",
        "type: enum\nvalues: [a]\ndefault: b",
        "type: flags\nvalues: []",
        "type: flags\nvalues: [a]\ndefault: [b]",
        "type: element-mask\ndefault: [x.bst]",
        "type: arch\nvalues: [nope]",
        "type: arch\nvalues: [arm, nope, x86-64]",
        "type: arch\ndefault: arm\nvalues: [arm]",
        "type: os\nvalues: []",
    ],
)
def test_wrong_declarations(declaration: str) -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "project.conf [line "):
        declared(declaration)


@pytest.mark.parametrize("declaration", ["type: arch\nvalues: [arm]", "type: os\nvalues: [SunOS]"])
def test_a_machine_that_is_not_supported(declaration: str) -> None:
    pool = declared(declaration)
    with load_error(LoadErrorReason.INVALID_DATA, "Invalid value for "):
        pool.resolve()


def test_names() -> None:
    with load_error(LoadErrorReason.INVALID_SYMBOL_NAME, "a.bst [line 1 column "):
        OptionPool("").load(tree("o-p: {type: bool, description: d, default: True}"))
    with load_error(LoadErrorReason.INVALID_SYMBOL_NAME, "a.bst [line 1 column "):
        OptionPool("").load(tree("op: {type: bool, description: d, default: True, variable: 1x}"))


def test_declarations_are_mappings() -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "a.bst [line 1 column 3]"):
        OptionPool("").load(tree("o: bool"))


def test_element_masks_know_the_element_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.bst", "a.bst", "sub/c.bst", "no.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    declaration = "type: element-mask\ndefault: [sub/c.bst, a.bst]"
    assert exported(declared(declaration, element_path=str(tmp_path))) == {"o0": "sub/c.bst,a.bst"}
    with load_error(LoadErrorReason.INVALID_DATA):
        declared("type: element-mask\ndefault: [link/c.bst]", element_path=str(tmp_path))


def test_values_in_expressions() -> None:
    pool = declared(*DECLARATIONS.values())
    pool.resolve()
    node = tree("(?):\n- o0 == True and o1 == 'a' and o2 == ['c', 'a'] and o3 == 'x86_64': {x: y}")
    pool.process_node(node)
    assert node.strip_node_info() == {"x": "y"}


def test_exports_replace_text_and_keep_places() -> None:
    pool = declared(DECLARATIONS["bool"])
    pool.resolve()
    variables = tree("o0: old")
    pool.export_variables(variables)
    assert variables.get_str("o0") == "1"
    assert not variables.get_scalar("o0")._is_synthetic


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("x86_64", "x86-64"),
        ("AMD64", "x86-64"),
        ("i686", "x86-32"),
        ("arm", "aarch32"),
        ("ppc64le", "power-isa-le"),
    ],
)
def test_architectures(spelling: str, canonical: str) -> None:
    assert canonical_arch(spelling) == canonical


def test_the_machine() -> None:
    assert host_arch(MACHINE) == "x86-64"
    assert host_os(MACHINE) == "linux"
    assert host_os(os.uname_result(("Darwin", "", "", "", "arm"))) == "macos"
    with pytest.raises(PlatformError):
        host_arch(os.uname_result(("Linux", "", "", "", "pdp11")))
