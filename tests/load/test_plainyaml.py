"""The reader of plain YAML gives what libyaml gives, and takes nothing that libyaml refuses."""

from random import Random
from typing import Any

import pytest

from buildstream._exceptions import LoadError
from buildstream._load.plainyaml import read_plain
from buildstream._load.yaml import load_text
from buildstream.node import MappingNode, Node, NodeFile, ScalarNode, SequenceNode

_PLAIN = [
    "a: b\n",
    "# c\n\na: b  # c\n \nb.c-d: x y\n   # d\n",
    "a:\n  b:\n    c: 1\n  d: 2\ne: 3",
    "a:   # c\n- b\n-   c d\nd: e",
    "a:\n  - b\n  -   c: 1\n      d: 2\n  - e: 3\n",
    "a:\n- b:\n  - c\n  - d\n  e: f\n- g: h\n",
    "a:\n- b:\n    - c:\n      - d\ne: f\n",
    "a: 'b # c: d'\nc: \"e 'f'\"  # g\nd: ' h '\n",
    "a: |\n  b\n\n    c: d # e\n  f\ng: h\n",
    "a:\n- |-\n  b\n   c\n- |+\n  d\n\n- e\n",
    "a: |\n    b\n  # c\nd: e\n",
    "a: |\n  b\n   \n  c\n",
    "a: {}\nb: []\n",
    '(?):\n- a == "b":\n    c:\n      (>):\n      - d\n(@):\n- x.yml\n',
    "a: http://b/c:d#e\nb: -O2\nc: $(d) [e] {f}, g\nd: ~\n",
    "a:\n- --- b\n- -c\n- (d)\n",
    "%{a}.b: c\n".replace("%{a}", "x%{a}"),
]
_LEFT_TO_LIBYAML = [
    "", "# c\n", " a: b", "- a", "a", "a:", "a:\nb: c", "a: b: c", "a: b:", "a: b\na: c", "a: @b", "a: - b",
    "a: b\n  c", "a: b\n  c: d", "a:\n b: c\n  d: e", "a:\n  b: c\n d: e", "a:\n- b\n c: d", "a:\n - b\n- c",
    "a: 'b", "a: 'b'c", "a: 'b''c'", 'a: "\\x62"', "a: [b]", "a: {b: c}", "a: &b c", "a: *b", "a: !!str b",
    "a: >\n  b\n", "a: |2\n  b\n", "a: |\nb: c", "a: |\n   \n  b\n", "a: |\n", "---\na: b", "a: b\n...\n",
    "'a': b", "? a\n: b", "a:\n-\n  b", "a:\n- - b", "a:\n- ", "a: \tb", "a:\tb", "a: b\r\n", "a: \u00e9",
    "a: \x7f", "a:\n- b\n- c: d\n   e: f", "a :b", "a:b", "%a: b", "a:\n- b: c\n- d: e\n f: g",
]  # fmt: skip
_PIECES = [
    "a",
    "b",
    ":",
    "-",
    " ",
    "  ",
    "\n",
    "\n  ",
    "\n- ",
    "\na: ",
    "|",
    "#",
    "'",
    '"',
    ">",
    "x: y",
    "%",
    "{}",
]


def _flat(node: Node) -> Any:
    """All that there is to NODE, in order."""
    if type(node) is ScalarNode:
        value: Any = node.value
    elif type(node) is SequenceNode:
        value = [_flat(item) for item in node.value]
    else:
        assert type(node) is MappingNode
        value = [(key, _flat(item)) for key, item in node.value.items()]
    return value, type(node).__name__, node._line, node._column


def _events(text: str) -> Any:
    """What libyaml makes of TEXT; None if it refuses."""
    file = NodeFile("a.bst", "a.bst", "a.bst")
    try:
        load_text(text, file)
        tree = file.toplevel  # parsed again, by libyaml
    except LoadError:
        return None
    assert tree is not None
    return _flat(tree)


def _plain(text: str) -> Any:
    tree = read_plain(text, NodeFile("a.bst", "a.bst", "a.bst"))
    return tree and _flat(tree)


@pytest.mark.parametrize("text", _PLAIN)
def test_plain_texts_are_read_as_libyaml_reads_them(text: str) -> None:
    assert _plain(text) is not None
    assert _plain(text) == _events(text)


@pytest.mark.parametrize("text", _LEFT_TO_LIBYAML)
def test_everything_else_is_left_to_libyaml(text: str) -> None:
    assert _plain(text) is None


def test_damaged_texts_are_read_alike_or_left_to_libyaml() -> None:
    random = Random(1)
    read = 0
    for _ in range(6000):
        text = random.choice(_PLAIN)
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice(_PIECES) + text[at + random.choice((0, 0, 1, 3)) :]
        plain = _plain(text)
        if plain is not None:
            read += 1
            assert plain == _events(text), text
    assert read > 600


def test_many_literal_blocks_cost_no_more_than_their_text() -> None:
    text = "a:\n" + "- |\n  b\n" * 20_000
    tree = read_plain(text, NodeFile("a.bst", "a.bst", "a.bst"))
    assert tree is not None
    assert tree.get_str_list("a") == ["b"] * 20_000


@pytest.mark.parametrize("text", ["(?):\n- x: {}\n", "a:\n- (@): b\n", 'a: 1\n"(\\u003f)": []\n'])
def test_files_that_may_have_directives_are_known(text: str) -> None:
    file = NodeFile("a.bst", "a.bst", "a.bst")
    load_text(text, file)
    assert file.may_have_directives


def test_files_without_directives_are_known() -> None:
    file = NodeFile("a.bst", "a.bst", "a.bst")
    load_text("a: $(b)\n", file)
    assert not file.may_have_directives
