"""Writing plain data as YAML, in the one style that all output of `bst` uses.

Block style, two columns a level, lists in the column of their key, and quotes
only where YAML cannot do without, whatever a scalar looks like.
"""

import re
from typing import Any

# what can't be written without quotes, in a block
_NEEDS_QUOTES = re.compile(
    r"""
      [,\[\]{}#&*!|>'"%@`\ ]            # an indicator or a blank at the beginning
    | [-?:](?:\ |$)                     # an indicator only before a blank
    | ---|\.\.\.                        # the marker of a document
    | .*(?::(?:\ |$)|\ \#|\ $)          # what ends a key, begins a comment, or gets lost at the end
    | .*[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]   # compiles faster than the others
    """,
    re.VERBOSE | re.DOTALL,
)
_NEEDS_ESCAPES = re.compile(r"['\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
# characters that break lines, but are no newline: there are several ways to write them
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
}
# a longer key would have to be marked by a question mark
_MAXIMUM_KEY_LENGTH = 100


class _Unusual(Exception):
    """Something is too rare to be known here."""


def dump(data: Any) -> str:
    """DATA, dicts and lists of str, None, bool and int, as a YAML document that ends with a newline.

    Anything but text is written as Python prints it.
    """
    lines: list[str] = []
    try:
        if type(data) is dict and data:
            _dump_mapping(data, "", lines)
        elif type(data) is list and data:
            _dump_list(data, "", lines)
        else:
            lines.append(_inline(data))
    except _Unusual:
        return _dump_anything(data)
    lines.append("")
    return "\n".join(lines)


def _dump_mapping(
    mapping: dict[str, Any], indent: str, lines: list[str], first_indent: str | None = None
) -> None:
    """Appends a mapping that is not empty; FIRST_INDENT begins its first line, the rest has INDENT."""
    prefix = indent if first_indent is None else first_indent
    for key, value in mapping.items():
        head = f"{prefix}{_key(key)}:"
        prefix = indent
        if value and type(value) is dict:
            lines.append(head)
            _dump_mapping(value, indent + "  ", lines)
        elif value and type(value) is list:
            lines.append(head)
            _dump_list(value, indent, lines)
        else:
            text = _inline(value)
            lines.append(f"{head} {text}" if text else head)


def _dump_list(items: list[Any], indent: str, lines: list[str], first_indent: str | None = None) -> None:
    """Appends a list that is not empty; FIRST_INDENT begins its first line, the rest has INDENT."""
    prefix = indent if first_indent is None else first_indent
    for item in items:
        if item and type(item) is dict:
            _dump_mapping(item, indent + "  ", lines, prefix + "- ")
        elif item and type(item) is list:
            _dump_list(item, indent + "  ", lines, prefix + "- ")
        else:
            lines.append(f"{prefix}- {_inline(item)}")
        prefix = indent


def _inline(value: Any) -> str:
    """A scalar or an empty collection."""
    kind = type(value)
    if kind is str:
        return _scalar(value)
    return "{}" if kind is dict else "[]" if kind is list else _scalar(str(value))


def _key(key: str) -> str:
    if len(key) > _MAXIMUM_KEY_LENGTH or "\n" in key:
        raise _Unusual
    return _scalar(key) or "''"


def _scalar(text: str) -> str:
    if not _NEEDS_QUOTES.match(text):
        return text
    if _OTHER_BREAKS.search(text):
        raise _Unusual
    if not _NEEDS_ESCAPES.search(text):
        return f"'{text}'"
    return '"' + "".join([_escaped(character) for character in text]) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if not _NEEDS_ESCAPES.match(character) or character == "'":
        return character
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"


def _dump_anything(data: Any) -> str:
    from io import StringIO

    from .roundtrip import dump_roundtrip

    stream = StringIO()
    dump_roundtrip(_texts(data), stream)
    return stream.getvalue()


def _texts(data: Any) -> Any:
    """DATA with all scalars as text."""
    if type(data) is dict:
        return {key: _texts(value) for key, value in data.items()}
    if type(data) is list:
        return [_texts(item) for item in data]
    return str(data)
