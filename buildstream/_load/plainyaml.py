"""Reading the part of YAML that most files keep to, in less than half the time that libyaml's events take.

That part: block mappings and lists with an entry a line; plain and quoted scalars that
end on their line; literal blocks; `{}`, `[]` and comments; printable ASCII.  Whatever
else a text has, wrong or right, is left to libyaml: what is read here is right, and
makes the same tree.
"""

import re
from typing import Any

from ..node import MappingNode, Node, NodeFile, ScalarNode, SequenceNode

_MAXIMUM_DEPTH = 50

# indentation, dash of a list item, key, what parts it from its value, value
_LINE = re.compile(r"^( *)(- +)?(?:([A-Za-z0-9_(](?:[^\n:#]{0,500}[^\n:# ])?):( +|$))?(.*)", re.MULTILINE)
_QUOTED = re.compile(r"""(?:'([^']*)'|"([^"\\]*)")(?: +(?:#.*)?)?$""")

# what a plain scalar may begin with here
_PLAIN_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.(+$=~<;^\\")
_LITERALS = frozenset({"|", "|-", "|+"})


class _NotPlain(Exception):
    """The text has something that is not read here."""


def read_plain(text: str, file: NodeFile) -> MappingNode | None:
    """The tree of the document TEXT; None if that has anything that is not read here.  O(text)."""
    if not (text.isascii() and text.replace("\n", "").isprintable()):
        return None
    try:
        return _read_lines(text, file)
    except _NotPlain:
        return None


def _read_lines(text: str, file: NodeFile) -> MappingNode:  # noqa: C901 - one loop that sees every line
    root: MappingNode | None = None
    # the collection at work, as the dict or list of its node, and the column of its entries
    current: Any = None
    column = 0
    enclosing: list[tuple[Any, int]] = []
    key = ""  # whose value is looked for on the lines below
    lines: list[str] = []  # split for the first literal block
    end_of_literal = 0
    node: Node
    for number, (indentation, dash, name, gap, value) in enumerate(_LINE.findall(text)):
        if number < end_of_literal:
            continue
        if not name and not dash:
            if value and value[0] != "#":
                raise _NotPlain  # a scalar below its key, or in several lines
            continue
        here = len(indentation)
        if key:
            if here < column or (here == column and not dash) or len(enclosing) > _MAXIMUM_DEPTH:
                raise _NotPlain
            node = SequenceNode([], file, number, here) if dash else MappingNode({}, file, number, here)
            current[key] = node
            enclosing.append((current, column))
            current, column, key = node.value, here, ""
        else:
            while here < column:
                current, column = enclosing.pop()
            if type(current) is list:
                if not dash:
                    # lists may begin at the column of their key; if this one did, the mapping goes on
                    current, column = enclosing.pop()
            elif dash:
                raise _NotPlain
            elif root is None:
                root = MappingNode({}, file, number, 0)
                current = root.value
            if here != column:
                raise _NotPlain
        if dash:
            here += len(dash)
            if name:
                node = MappingNode({}, file, number, here)
                current.append(node)
                enclosing.append((current, column))
                current, column = node.value, here
        if name:
            if name in current:
                raise _NotPlain
            if not value or value[0] == "#":
                key = name
                continue
            here += len(name) + len(gap) + 1
        # plain scalars, most of all values, are not worth a call
        if value and value[0] in _PLAIN_START:
            if "#" in value:
                value = value.partition(" #")[0]
            if ":" in value and (": " in value or value[-1] == ":"):
                raise _NotPlain
            node = ScalarNode(value.rstrip(), file, number, here)
        elif value in _LITERALS:
            lines = lines or text.split("\n")
            literal, end_of_literal = _read_literal(lines, number + 1, column)
            node = ScalarNode(literal, file, number, here)
        else:
            node = _read_value(value, file, number, here)
        if name:
            current[name] = node
        else:
            current.append(node)
    if root is None or key:
        raise _NotPlain
    return root


def _read_value(value: str, file: NodeFile, line: int, column: int) -> Node:
    """The node of a value on its line that does not begin as most plain scalars do."""
    if value[:1] == "-" and value[1:2] not in ("", " "):
        value = value.partition(" #")[0]
        if ": " in value or value[-1] == ":":
            raise _NotPlain
        return ScalarNode(value.rstrip(), file, line, column)
    quoted = _QUOTED.match(value)
    if quoted:
        return ScalarNode((quoted[1] or quoted[2] or "").strip(), file, line, column)
    if value == "{}":
        return MappingNode({}, file, line, column)
    if value == "[]":
        return SequenceNode([], file, line, column)
    raise _NotPlain


def _read_literal(lines: list[str], start: int, column: int) -> tuple[str, int]:
    """The text of the literal block that begins on line START, and the number of the line behind it.

    COLUMN is that of the entries of the collection around it.
    """
    while start < len(lines) and not lines[start]:
        start += 1
    content = lines[start].lstrip(" ") if start < len(lines) else ""
    if not content:
        raise _NotPlain  # empty, or begins with blanks, which may count as indentation
    width = len(lines[start]) - len(content)
    if width <= column:
        raise _NotPlain
    indentation = " " * width
    texts: list[str] = []
    for number in range(start, len(lines)):
        line = lines[number]
        if not line.startswith(indentation) and line.strip(" "):
            return "\n".join(texts).strip(), number
        texts.append(line[width:])
    return "\n".join(texts).strip(), len(lines)
