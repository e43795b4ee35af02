"""Variables: format section 5."""

import pytest

from buildstream._exceptions import LoadError
from buildstream._load.variables import Variables
from buildstream.exceptions import LoadErrorReason
from buildstream.node import Node

from .trees import load_error, tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%{a}", "A"),
        ("x%{a}%{b-c}y", "xABCy"),
        # no escape, and nothing else is a reference
        ("%%{a}", "%A"),
        ("\\%{a}", "\\A"),
        ("%{1a} %{_a} %{ a } %{} %{a %{é}", "%{1a} %{_a} %{ a } %{} %{a %{é}"),
        ("$a ${a}", "$a ${a}"),
        # what a reference is replaced by is not looked at again
        ("%{%{a}}", "%{A}"),
        ("%{twice}", "AA"),
    ],
)
def test_syntax(text: str, expected: str) -> None:
    variables = Variables(tree("{a: A, b-c: BC, twice: '%{a}%{a}'}"))
    assert variables.subst(text, None) == expected


def test_resolution_does_not_depend_on_order_and_depth() -> None:
    depth = 5000
    node = Node.from_dict({f"v{index}": f"%{{v{index + 1}}}" for index in range(depth)})
    node[f"v{depth}"] = "end"
    assert Variables(node).get("v0") == "end"


def test_reading() -> None:
    variables = Variables(tree("{a: '%{b}', b: x, '1x': y, empty: ''}"))
    assert variables.get("a") == "x"
    assert variables.raw("a") == "%{b}"
    assert variables.get("absent") is None
    assert variables.raw("absent") is None
    assert variables.get("empty") == ""
    assert list(variables.items()) == [("a", "x"), ("b", "x"), ("1x", "y"), ("empty", "")]


def test_expansion_of_a_tree() -> None:
    node = tree("k: '%{n}x'\n'%{n}': [a, '%{n}', {m: 'x %{empty}'}, ['%{n}']]")
    original = node.clone()
    places = [str(item.get_provenance()) for item in (node.get_scalar("k"), node.get_sequence("%{n}"))]
    Variables(tree("n: N\nempty:")).expand(node)
    # keys stay as they are, and the result is not stripped
    assert node.strip_node_info() == {"k": "Nx", "%{n}": ["a", "N", {"m": "x "}, ["N"]]}
    assert [str(item.get_provenance()) for item in node.values()] == places
    assert original.get_str("k") == "%{n}x"


def test_undefined_references_are_cited_where_they_are_written() -> None:
    variables = Variables(tree("a: '%{b}'\nb: '%{nope}'"))
    with load_error(LoadErrorReason.UNRESOLVED_VARIABLE, "a.bst [line 2 column 3]: Reference to undefined"):
        variables.check()
    with load_error(LoadErrorReason.UNRESOLVED_VARIABLE, "a.bst [line 2 column 3]: "):
        variables.get("a")
    with load_error(LoadErrorReason.UNRESOLVED_VARIABLE, "x.bst [line 1 column 3]: "):
        variables.expand(tree("k: '%{PATH}:x'", "x.bst"))
    with load_error(LoadErrorReason.UNRESOLVED_VARIABLE, "Reference to undefined variable 'q'"):
        variables.subst("%{q}", None)


def test_resolution_is_lazy_without_a_check() -> None:
    assert Variables(tree("a: b\nc: '%{nope}'")).get("a") == "b"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a: '%{a}'", [("a", "a", 1)]),
        ("a: '%{b}'\nb: '%{c}'\nc: '%{a}'", [("a", "b", 1), ("b", "c", 2), ("c", "a", 3)]),
        ("x: '%{a}'\na: '%{b}'\nb: '%{a}'", [("a", "b", 2), ("b", "a", 3)]),
    ],
)
def test_cycles_list_their_steps(text: str, steps: list[tuple[str, str, int]]) -> None:
    with load_error(LoadErrorReason.CIRCULAR_REFERENCE_VARIABLE) as caught:
        Variables(tree(text)).check()
    assert caught.value.detail == "\n".join(
        f"a.bst [line {line} column 3]: Variable '{name}' refers to variable '{reference}'"
        for name, reference, line in steps
    )


def test_values_are_scalars() -> None:
    with load_error(LoadErrorReason.INVALID_DATA, "a.bst [line 1 column 3]"):
        Variables(tree("a: [b]")).check()


BASE = "{prefix: /usr, bin: '%{prefix}/bin', sbin: '%{bin}/s', root: '/b/%{name}', etc: /etc, sys: '%{etc}'}"


@pytest.mark.parametrize(
    "own",
    [
        "{}",
        "{name: e}",
        "{name: e, prefix: /opt}",
        "{name: e, bin: '%{etc}'}",
        "{name: e, new: '%{sbin}', etc: '%{prefix}'}",
        "{name: '%{root}'}",
        "{name: '%{nope}'}",
        "{name: e, bin: '%{sbin}'}",
    ],
)
def test_a_parent_changes_no_result(own: str) -> None:
    base = tree(BASE)
    parent = Variables(base)
    composed = base.clone()
    tree(own)._composite(composed)

    def outcome(variables: Variables) -> object:
        try:
            return list(variables.items())
        except LoadError as error:
            return str(error)

    assert outcome(Variables(composed, parent)) == outcome(Variables(composed))


def test_a_child_may_lack_what_its_parent_has() -> None:
    base = tree(BASE)
    child = base.clone()
    del child["prefix"]
    variables = Variables(child, Variables(base))
    assert variables.get("prefix") is None
    with load_error(LoadErrorReason.UNRESOLVED_VARIABLE):
        variables.get("sbin")


def test_a_child_takes_over_what_is_the_same() -> None:
    base = tree(BASE)
    composed = base.clone()
    tree("{name: e, prefix: /opt}")._composite(composed)
    grandchild = composed.clone()
    grandchild["name"] = "f"
    middle = Variables(composed, Variables(base))
    assert dict(Variables(grandchild, middle).items())["root"] == "/b/f"
    assert dict(middle.items())["sbin"] == "/opt/bin/s"
