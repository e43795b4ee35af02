"""Composition and list directives: format 4.3 and 4.4."""

import pytest

from buildstream.exceptions import LoadErrorReason

from .trees import composed, load_error, tree


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        # nothing there yet
        ("{}", "{k: v}", {"k": "v"}),
        ("{}", "{k: [v]}", {"k": ["v"]}),
        ("{}", "{k: {a: {b: c}}}", {"k": {"a": {"b": "c"}}}),
        ("{}", "{k: {(>): [v]}}", {"k": {"(>)": ["v"]}}),
        ("{}", "{k: {a: {(>): [v]}}}", {"k": {"a": {"(>)": ["v"]}}}),
        # the same type
        ("{k: a}", "{k: b}", {"k": "b"}),
        ("{k: [a]}", "{k: [b]}", {"k": ["b"]}),
        ("{k: {a: b, c: d}}", "{k: {c: x, e: f}}", {"k": {"a": "b", "c": "x", "e": "f"}}),
        ("{k: {a: b}}", "{k: {}}", {"k": {"a": "b"}}),
        # conditionals are collected
        ("{'(?)': [a]}", "{'(?)': [b]}", {"(?)": ["a", "b"]}),
        # directives meet a list
        ("{k: [a]}", "{k: {(>): [b]}}", {"k": ["a", "b"]}),
        ("{k: [a]}", "{k: {(<): [b, c]}}", {"k": ["b", "c", "a"]}),
        ("{k: [a]}", "{k: {(=): [b]}}", {"k": ["b"]}),
        ("{k: [a]}", "{k: {(>): [z], (=): [b], (<): [y]}}", {"k": ["y", "b", "z"]}),
        # directives meet directives
        (
            "{k: {(>): [a], (<): [b]}}",
            "{k: {(>): [c], (<): [d]}}",
            {"k": {"(>)": ["a", "c"], "(<)": ["d", "b"]}},
        ),
        ("{k: {(=): [a]}}", "{k: {(>): [b]}}", {"k": {"(=)": ["a"], "(>)": ["b"]}}),
        ("{k: {(>): [a]}}", "{k: {(=): [b], (<): [c]}}", {"k": {"(=)": ["b"], "(<)": ["c"]}}),
        ("{k: {(>): [a]}}", "{k: [b]}", {"k": ["b"]}),
        # a plain mapping over directives leaves a mix
        ("{k: {(>): [a]}}", "{k: {x: y}}", {"k": {"(>)": ["a"], "x": "y"}}),
    ],
)
def test_composition(lower: str, upper: str, expected: object) -> None:
    assert composed(lower, upper) == expected


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("k: [a]", "k: b"),
        ("k: [a]", "k:"),
        ("k: {a: b}", "k: c"),
        ("k: {(>): [b]}", "k: c"),
        ("k: a", "k: [b]"),
        ("k: {a: b}", "k: [b]"),
        ("k: a", "k: {(>): [b]}"),
        ("k: {a: b}", "k: {(>): [b]}"),
        ("k: a", "k: {a: b}"),
        ("k: [a]", "k: {a: b}"),
        ("k: [a]", "k: {}"),
    ],
)
def test_types_that_clash(lower: str, upper: str) -> None:
    with load_error(
        LoadErrorReason.ILLEGAL_COMPOSITE,
        "upper [line 1 column 0]: Failure composing ['k']: upper [line 1 column",
    ) as caught:
        composed(lower, upper)
    assert "lower [line 1 column 3]" in str(caught.value)


def test_a_nested_clash_tells_its_path() -> None:
    with load_error(LoadErrorReason.ILLEGAL_COMPOSITE) as caught:
        composed("a: {b: {c: [d]}}", "a: {b: {c: x}}")
    assert "Failure composing ['a', 'b', 'c']: " in str(caught.value)


@pytest.mark.parametrize(
    ("lower", "upper", "place"),
    [
        ("{}", "k: {(>): [a], b: c}", "upper [line 1 column 3]"),
        ("k: {(>): [a], b: c}", "k: [x]", "lower [line 1 column 3]"),
        ("{}", "k: {x: {(>): [a], b: c}}", "upper [line 1 column 7]"),
    ],
)
def test_directives_beside_other_keys(lower: str, upper: str, place: str) -> None:
    with load_error(LoadErrorReason.INVALID_DATA, place):
        composed(lower, upper)


def test_a_directive_is_a_list() -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "upper [line 1 column 9]"):
        composed("k: [a]", "k: {(>): b}")


@pytest.mark.parametrize("text", ["k: {(>): [a]}", "k: {(=): [a]}", "k: [{(<): [a]}]", "x: {y: {(>): [a]}}"])
def test_trailing_directives(text: str) -> None:
    node = tree(text)
    with load_error(LoadErrorReason.TRAILING_LIST_DIRECTIVE, f"a.bst [line 1 column {text.index('[a]')}]"):
        node._assert_fully_composited()


def test_section_with_a_directive_among_its_keys_is_a_trailing_directive() -> None:
    target = tree("a: b")
    tree("(>): [x]\nc: d")._composite(target)
    with load_error(LoadErrorReason.TRAILING_LIST_DIRECTIVE):
        target._assert_fully_composited()


def test_order_and_places_after_composition() -> None:
    target = tree("a: 1\nb: {x: 1}\nc: [1]", "lower")
    tree("\nd: 4\nb: {y: 2}\na: 2", "upper")._composite(target)
    assert target.keys() == ["a", "b", "c", "d"]
    places = {key: str(value.get_provenance()) for key, value in target.items()}
    assert places == {
        "a": "upper [line 4 column 3]",
        "b": "upper [line 3 column 3]",
        "c": "lower [line 3 column 3]",
        "d": "upper [line 2 column 3]",
    }


def test_the_overlay_stays_as_it_is_when_the_target_changes() -> None:
    overlay = tree("a: {b: [c]}\nd: [e]")
    target = tree("{}")
    overlay._composite(target)
    target.get_mapping("a").get_sequence("b").append("x")
    target.get_sequence("d").append("x")
    target.get_mapping("a")["y"] = "z"
    assert overlay.strip_node_info() == {"a": {"b": ["c"]}, "d": ["e"]}


def test_composing_under_keeps_the_order_of_the_target() -> None:
    target = tree("c: el\na: {y: 1}")
    tree("a: {x: 0, y: 0}\nb: 0\nc: 0")._composite_under(target)
    assert target.keys() == ["c", "a", "b"]
    assert target.strip_node_info() == {"c": "el", "a": {"x": "0", "y": "1"}, "b": "0"}
    assert target.get_mapping("a").keys() == ["x", "y"]


@pytest.mark.parametrize(
    ("includer", "include", "defaults", "expected"),
    [
        ("{(>): [el]}", "[inc]", "[]", ["inc", "el"]),
        ("[el]", "{(>): [inc]}", "[]", ["el"]),
        (
            "{(>): [el], (<): [elp]}",
            "{(>): [inc], (<): [incp]}",
            "['']",
            ["elp", "incp", "", "inc", "el"],
        ),
        ("{(=): [el]}", "{(>): [inc], (<): [incp]}", "['']", ["el"]),
        ("{(>): [el]}", "{(=): [inc]}", "['']", ["inc", "el"]),
    ],
)
def test_directives_of_includer_and_include(
    includer: str, include: str, defaults: str, expected: list[str]
) -> None:
    """Format 10.3: the include under the includer, then both onto the defaults of the kind."""
    element = tree(f"k: {includer}")
    tree(f"k: {include}")._composite_under(element)
    target = tree(f"k: {defaults}")
    element._composite(target)
    assert target.get_str_list("k") == expected
