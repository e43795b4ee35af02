"""Reading YAML: format 1.1, 1.2 and 1.4."""

from pathlib import Path

import pytest

from buildstream._load.yaml import load_file
from buildstream.exceptions import LoadErrorReason

from .trees import load_error, tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # no scalar has a type
        ("k: yes", "yes"),
        ("k: 1.50", "1.50"),
        ("k: 0x10", "0x10"),
        ("k: 2011-11-11", "2011-11-11"),
        ("k: null", "null"),
        ("k: ~", "~"),
        # absent is empty, and everything is stripped
        ("k:", ""),
        ('k: "  x  "', "x"),
        ('k: " "', ""),
        ("k: |\n  a\n  b\n", "a\nb"),
        ("k: >\n  a\n  b\n", "a b"),
        # tags without effect
        ("k: !!int 1", "1"),
        ("k: !foo {a: b}", {"a": "b"}),
        ("k: !foo [a]", ["a"]),
        # one document, however it is delimited and encoded
        ("---\nk: v\n...\n", "v"),
        ("%YAML 1.1\n---\nk: v", "v"),
        ("\ufeffk: v", "v"),
        ("k: v\r\n", "v"),
    ],
)
def test_values(text: str, expected: object) -> None:
    assert tree(text).strip_node_info() == {"k": expected}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("- a", 0, 0),
        ("text", 0, 0),
        ("a: b\na: c", 1, 0),
        ("a: b\n'a': c", 1, 0),
        ("x:\n  a: b\n  a: c", 2, 2),
        ("a: &x b", 0, 3),
        ("a: *x", 0, 3),
        ("a: &x [b]", 0, 3),
        ("&x a: b", 0, 0),
        ("a: !foo b", 0, 3),
        ("a: ! b", 0, 3),
        ("!foo a: b", 0, 0),
        ("a: b\n? [a]\n: b", 1, 2),
        ("a: b\n? {a: b}\n: b", 1, 2),
        ("a: b\n---\nb: c", 1, 0),
    ],
)
def test_broken_rules_are_cited_with_positions_from_zero(text: str, line: int, column: int) -> None:
    with load_error(LoadErrorReason.INVALID_YAML, "a.bst: Malformed YAML") as caught:
        tree(text)
    assert f"at line {line} column {column}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: b\n\tc: d",
        "a: %b",
        "a: @b",
        "a: `b`",
        "a: \x01",
        "a: \x00",
        "%YAML 1.3\n---\na: b",
        "a: [",
        "a: 'b",
    ],
)
def test_broken_syntax_is_cited_by_the_parser(text: str) -> None:
    with load_error(LoadErrorReason.INVALID_YAML, "a.bst: Severely malformed YAML"):
        tree(text)


def test_keys_are_not_stripped() -> None:
    assert tree("a: 1\n' a ': 2\n<<: 3").strip_node_info() == {"a": "1", " a ": "2", "<<": "3"}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_an_empty_file_is_an_empty_mapping_at_its_start(text: str) -> None:
    node = tree(text)
    assert node.strip_node_info() == {}
    assert str(node.get_provenance()) == "a.bst [line 1 column 0]"


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_deep_nesting_is_an_error_of_the_document(opening: str) -> None:
    with load_error(LoadErrorReason.INVALID_YAML, "a.bst: "):
        tree("a: " + opening * 20000)


def test_the_deepest_document_can_be_copied_and_printed() -> None:
    text = "a: " + "[" * 99 + "x" + "]" * 99
    node = tree(text)
    assert node.clone().strip_node_info() == node.strip_node_info()


def test_positions_of_all_node_types() -> None:
    node = tree(
        """\
        scalar: 'x'
        empty:
        block: |
          text
        mapping:
          key: value
        list:
        - item
        flow: [a, {b: c}]
        """
    )
    expected = {
        "scalar": "line 1 column 8",
        "empty": "line 2 column 6",
        "block": "line 3 column 7",
        "mapping": "line 6 column 2",
        "list": "line 8 column 0",
        "flow": "line 9 column 6",
    }
    found = {key: str(value.get_provenance()) for key, value in node.items()}
    assert found == {key: f"a.bst [{place}]" for key, place in expected.items()}


def test_file_names_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.bst"
    path.write_text("a: b")
    project = object()
    node = load_file(str(path), "x.bst", displayname="sub.bst:x.bst", project=project)
    provenance = node.get_scalar("a").get_provenance()
    assert provenance._filename == str(path)
    assert provenance._shortname == "x.bst"
    assert provenance._displayname == "sub.bst:x.bst"
    assert provenance._project is project
    assert (provenance._line, provenance._col) == (1, 3)


def test_the_original_tree_survives_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.bst"
    path.write_text("a: {b: c}")
    node = load_file(str(path))
    value = node.get_mapping("a").get_scalar("b")
    del node["a"]
    toplevel = value.get_provenance()._toplevel
    assert toplevel is not None
    assert toplevel.strip_node_info() == {"a": {"b": "c"}}
    assert toplevel._find_path(value) == ["a", "b"]


def test_absent_file_and_directory(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with load_error(LoadErrorReason.MISSING_FILE, f"Could not find file at {missing}"):
        load_file(missing)
    with load_error(LoadErrorReason.LOADING_DIRECTORY, f"{tmp_path} is a directory"):
        load_file(str(tmp_path))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.bst"
    path.write_bytes(b"a: \xff")
    with load_error(LoadErrorReason.INVALID_YAML, "x.bst: "):
        load_file(str(path), "x.bst")
