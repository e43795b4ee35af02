"""Conditionals and assertions in trees: format 4.7."""

from typing import Any

import pytest

from buildstream._load.conditionals import process_conditionals
from buildstream._load.expressions import Conditions
from buildstream.exceptions import LoadErrorReason

from .trees import load_error, tree


def processed(text: str, restricted: frozenset[str] = frozenset()) -> Any:
    node = tree(text)
    process_conditionals(node, Conditions({"t": True, "f": False, "e": "a"}), restricted)
    return node.strip_node_info()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b", {"a": "b"}),
        ("a: b\n(?):\n- f: {a: c}", {"a": "b"}),
        ("a: b\n(?):\n- t: {a: c, d: e}\n- e == 'a': {d: g}", {"a": "c", "d": "g"}),
        ("(?): []", {}),
        # list directives act on the lists of the mapping, and wait for lower layers otherwise
        ("l: [a]\n(?):\n- t: {l: {(>): [b]}}\n- t: {l: {(<): [c]}}", {"l": ["c", "a", "b"]}),
        (
            "(?):\n- t: {l: {(>): [b]}}\n- t: {l: {(<): [c]}}",
            {"l": {"(>)": ["b"], "(<)": ["c"]}},
        ),
        ("l: {(>): [a]}\n(?):\n- t: {l: [b]}", {"l": ["b"]}),
        # nested ones take effect after all siblings of the outer list
        (
            "A: base\n(?):\n- t:\n    A: first\n    (?):\n    - t: {A: nested}\n- t: {A: second}",
            {"A": "nested"},
        ),
        (
            "(?):\n- t:\n    (?):\n    - t: {A: 1, B: 1}\n- t:\n    (?):\n    - t: {B: 2}",
            {"A": "1", "B": "2"},
        ),
        ("(?):\n- f:\n    (?):\n    - nonsense: {A: 1}", {}),
        # anywhere in the tree
        ("x:\n  (?):\n  - t: {a: b}", {"x": {"a": "b"}}),
        ("x:\n- y:\n    (?):\n    - t: {a: b}\n- - (?):\n    - f: {a: b}", {"x": [{"y": {"a": "b"}}, [{}]]}),
    ],
)
def test_processing(text: str, expected: object) -> None:
    assert processed(text) == expected


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("(?): x", LoadErrorReason.INVALID_DATA, "line 1 column 5"),
        ("(?):\n- x", LoadErrorReason.INVALID_DATA, "line 2 column 2"),
        ("(?):\n- {}", LoadErrorReason.INVALID_DATA, "line 2 column 2"),
        ("(?):\n- t: {}\n  f: {}", LoadErrorReason.INVALID_DATA, "line 2 column 2"),
        ("(?):\n- t: x", LoadErrorReason.ILLEGAL_COMPOSITE, "line 2 column 2"),
        ("(?):\n- f: [x]", LoadErrorReason.ILLEGAL_COMPOSITE, "line 2 column 2"),
        ("a: [b]\n(?):\n- t: {a: x}", LoadErrorReason.ILLEGAL_COMPOSITE, "line 3 column 5"),
        ("(?):\n- nope: {}", LoadErrorReason.EXPRESSION_FAILED, "line 2 column 2"),
        ("(!): |\n  Sorry\n", LoadErrorReason.USER_ASSERTION, "line 1 column 5]: Sorry"),
        ("(!): [x]", LoadErrorReason.INVALID_DATA, "line 1 column 5"),
        ("(?):\n- t: {(!): no}", LoadErrorReason.USER_ASSERTION, "line 2 column 11"),
        ("x:\n- (!): no", LoadErrorReason.USER_ASSERTION, "line 2 column 7"),
    ],
)
def test_errors(text: str, reason: LoadErrorReason, place: str) -> None:
    with load_error(reason, f"a.bst [{place}"):
        processed(text)


def test_an_assertion_in_a_fragment_that_does_not_apply() -> None:
    assert processed("(?):\n- f: {(!): no}") == {}


@pytest.mark.parametrize(
    "text",
    ["(?):\n- f: {name: x}", "(?):\n- t: {name: x}", "(?):\n- t:\n    (?):\n    - f: {name: x}"],
)
def test_restricted_keys(text: str) -> None:
    with load_error(LoadErrorReason.ILLEGAL_COMPOSITE) as caught:
        processed(text, frozenset(["name"]))
    assert str(caught.value).endswith("The 'name' key cannot be specified conditionally.")


def test_restricted_keys_matter_at_the_root_alone() -> None:
    assert processed("x:\n  (?):\n  - t: {name: x}", frozenset(["name"])) == {"x": {"name": "x"}}
