"""The public interface of nodes: plugin API section 4."""

import json
import pickle
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode, Node, ScalarNode, SequenceNode, _assert_symbol_name
from buildstream.types import FastEnum

from .trees import load_error, tree


class Fast(FastEnum):
    """Two members."""

    ONE = "one"
    TWO = "two"


class Standard(Enum):
    """Two members."""

    ONE = "one"
    TWO = "two"


SAMPLE = """\
text: hello
number: 012
flag: true
list: [a, b]
mapping: {x: y}
mixed: [a, {b: c}, [d]]
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" text ", "text"),
        (12, "12"),
        (True, "True"),
        (False, "False"),
        (None, None),
        ([" a ", 1], ["a", "1"]),
        ({"b": {}}, {"b": {}}),
    ],
)
def test_plain_data_becomes_nodes(value: object, expected: object) -> None:
    assert Node.from_dict({"k": value}).strip_node_info() == {"k": expected}


def test_nothing_becomes_an_empty_mapping() -> None:
    assert Node.from_dict(None).strip_node_info() == {}
    assert Node.from_dict({})


@pytest.mark.parametrize("value", [1.5, (1, 2), object(), b"x"])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="Unable to assign a value of type"):
        Node.from_dict({"k": value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("True", True), ("true", True), ("1", True), ("False", False), ("false", False), ("0", False)],
)
def test_booleans(text: str, expected: object) -> None:
    assert tree(f"k: {text}").get_bool("k") is expected


@pytest.mark.parametrize("text", ["yes", "TRUE", "on", "", "2"])
def test_no_booleans(text: str) -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "a.bst [line 1 column ") as caught:
        tree(f"k: {text}").get_bool("k")
    assert "Value of 'k' is not of the expected type 'boolean'" in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [("7", 7), ("+5", 5), ("-5", -5), ("010", 10), ("1_0", 10)])
def test_integers(text: str, expected: int) -> None:
    assert tree(f"k: {text}").get_int("k") == expected


@pytest.mark.parametrize("text", ["0x10", "1.0", ""])
def test_no_integers(text: str) -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "a.bst [line 1 column ") as caught:
        tree(f"k: {text}").get_int("k")
    assert "Value of 'k' is not of the expected type 'int'" in str(caught.value)


@pytest.mark.parametrize("constraint", [Fast, Standard])
def test_enumerations(constraint: Any) -> None:
    node = tree("k: two\nbad: three")
    assert node.get_enum("k", constraint) is constraint.TWO
    assert node.get_enum("absent", constraint, constraint.ONE) is constraint.ONE
    assert node.get_enum("absent", constraint, "one") is constraint.ONE
    assert node.get_enum("absent", constraint, None) is None
    with load_error(
        LoadErrorReason.INVALID_DATA, "a.bst [line 2 column 5]: Value of 'bad' should be one of 'one, two'"
    ):
        node.get_enum("bad", constraint)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda node: node.get_str("list"), "Value of 'list' is not of the expected type 'scalar'"),
        (lambda node: node.get_str("list", None), "Value of 'list' is not of the expected type 'scalar'"),
        (lambda node: node.get_mapping("text", {}), "Value of 'text' is not of the expected type 'dict'"),
        (lambda node: node.get_sequence("mapping"), "Value of 'mapping' is not of the expected type 'list'"),
        (lambda node: node.get_str("absent"), "Dictionary did not contain expected key 'absent'"),
        (lambda node: node.get_node("absent"), "Dictionary did not contain expected key 'absent'"),
        (lambda node: node.get_str_list("mixed"), "List item is not of the expected type 'scalar'"),
        (
            lambda node: node.get_sequence("mixed", allowed_types=[ScalarNode, MappingNode]),
            "Value is not one of the following: dict, scalar.",
        ),
        (
            lambda node: node.get_node("text", [SequenceNode, MappingNode]),
            "Value of 'text' is not one of the following: dict, list.",
        ),
        (lambda node: node.validate_keys(["text", "number"]), "Unexpected key: flag"),
        (
            lambda node: node.get_sequence("mixed").mapping_at(0),
            "Value of '['[mixed]', '[0]']' is not of the expected type 'MappingNode'",
        ),
        (
            lambda node: node.get_sequence("mixed").sequence_at(1),
            "Value of '['[mixed]', '[1]']' is not of the expected type 'SequenceNode'",
        ),
    ],
)
def test_errors_of_getters(read: Callable[[MappingNode], object], message: str) -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "a.bst [line ") as caught:
        read(tree(SAMPLE))
    assert message in str(caught.value)


def test_defaults() -> None:
    node = tree(SAMPLE)
    assert node.get_str("absent", None) is None
    assert node.get_str("absent", "x") == "x"
    assert node.get_int("absent", None) is None
    assert node.get_int("absent", 3) == 3
    assert node.get_bool("absent", False) is False
    assert node.get_scalar("absent", None).is_none()
    assert node.get_mapping("absent", None) is None
    assert node.get_mapping("absent", {}).keys() == []
    assert node.get_mapping("absent", {"a": "b"}).get_str("a") == "b"
    assert node.get_sequence("absent", None) is None
    assert not node.get_sequence("absent", [])
    assert node.get_str_list("absent", None) is None
    assert node.get_str_list("absent", ["a"]) == ["a"]
    assert node.get_node("absent", allow_none=True) is None
    with load_error(LoadErrorReason.INVALID_DATA):
        node.get_bool("absent", None)  # type: ignore[arg-type]  # what is tested


def test_mappings() -> None:
    node = tree("a: 1\nb: 2")
    assert "a" in node
    assert "c" not in node
    node["c"] = [1, {"d": True}]
    node.safe_del("absent")
    del node["b"]
    assert node.strip_node_info() == {"a": "1", "c": ["1", {"d": "True"}]}
    with pytest.raises(KeyError):
        del node["absent"]
    with pytest.raises(TypeError):
        node.validate_keys(("a", "c"))  # type: ignore[arg-type]  # what is tested


def test_plain_values_inherit_the_place_of_what_they_replace() -> None:
    node = tree("a: 1")
    node["a"] = "2"
    node["b"] = "3"
    assert str(node.get_scalar("a").get_provenance()) == "a.bst [line 1 column 3]"
    assert str(node.get_scalar("b").get_provenance()) == "a.bst [synthetic node]"
    assert not node.get_scalar("a")._is_synthetic
    assert node.get_scalar("b")._is_synthetic


def test_an_assigned_node_is_not_copied() -> None:
    node = tree("a: {b: c}")
    mapping = node.get_mapping("a")
    node["x"] = mapping
    assert node.get_mapping("x") is mapping


def test_sequences() -> None:
    sequence = tree("k: [a, {b: c}, [d]]").get_sequence("k")
    assert len(sequence) == 3
    assert sequence
    assert [type(item) for item in sequence] == [ScalarNode, MappingNode, SequenceNode]
    assert next(reversed(sequence)) is sequence.sequence_at(2)
    assert sequence.scalar_at(0).as_str() == "a"
    assert sequence.mapping_at(1).get_str("b") == "c"
    assert sequence.node_at(1, [MappingNode]) is sequence.mapping_at(1)
    sequence[0] = "x"
    sequence.append({"y": 1})
    assert sequence.strip_node_info() == ["x", {"b": "c"}, ["d"], {"y": "1"}]
    with pytest.raises(IndexError):
        sequence.scalar_at(4)
    with load_error(LoadErrorReason.INVALID_DATA):
        sequence.node_at(1, [ScalarNode])


def test_a_copy_is_independent() -> None:
    node = tree(SAMPLE)
    copy = node.clone()
    copy["text"] = "changed"
    copy.get_sequence("list").append("c")
    copy.get_mapping("mapping")["x"] = "z"
    assert node.strip_node_info() == tree(SAMPLE).strip_node_info()


def test_a_copy_is_stripped_again() -> None:
    scalar = ScalarNode("x ", None)
    assert MappingNode({"k": scalar}).clone().get_str("k") == "x"


def test_nodes_print_their_place_and_value() -> None:
    assert str(tree("a: [b]").get_node("a")) == "a.bst [line 1 column 3]: ['b']"
    assert str(Node.from_dict({"a": None})) == " [synthetic node]: {'a': None}"


def test_pickled_nodes_keep_value_and_place() -> None:
    node = pickle.loads(pickle.dumps(tree(SAMPLE).get_sequence("mixed")))
    assert node.strip_node_info() == ["a", {"b": "c"}, ["d"]]
    assert str(node.get_provenance()) == "a.bst [line 6 column 7]"


def test_nodes_do_not_enter_json() -> None:
    node = tree("a: b")
    with pytest.raises((TypeError, ValueError)):
        json.dumps(node)
    with pytest.raises(ValueError, match="JSON"):
        node.__json__()


def test_paths_are_found_for_copies_and_lists() -> None:
    node = tree(SAMPLE)
    copy = node.clone()
    assert node._find_path(copy.get_sequence("mixed").mapping_at(1).get_scalar("b")) == ["mixed", 1, "b"]
    assert node._find_path(copy) == []
    assert node._find_path(Node.from_dict({})) is None


@pytest.mark.parametrize("name", ["a", "A9", "_x", "-x", "a-b"])
def test_symbol_names(name: str) -> None:
    _assert_symbol_name(name, "thing")


@pytest.mark.parametrize(
    ("name", "allow_dashes"), [("", True), ("1a", True), ("a b", True), ("é", True), ("a-b", False)]
)
def test_no_symbol_names(name: str, allow_dashes: bool) -> None:
    node = tree("k: v").get_node("k")
    with load_error(LoadErrorReason.INVALID_SYMBOL_NAME, "a.bst [line 1 column 3]"):
        _assert_symbol_name(name, "thing", ref_node=node, allow_dashes=allow_dashes)
