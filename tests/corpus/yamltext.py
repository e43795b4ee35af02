"""Plain data as YAML, in the many ways in which people write it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

Data = Any  # dict with str keys, list, str

_PLAIN = re.compile(r"[A-Za-z0-9_./%{}][A-Za-z0-9_./%{}() =+-]*[A-Za-z0-9_./}]|[A-Za-z0-9]")
_FLOW_UNSAFE = re.compile(r"[{}\[\],]")


def to_yaml(random: Random, data: dict[str, Data]) -> str:
    """DATA as a document; every scalar, list and mapping in a style chosen at random."""
    return "".join(_mapping(random, data, 0)) or "{}\n"


def _mapping(random: Random, data: dict[str, Data], indent: int) -> list[str]:
    lines = []
    for key, value in data.items():
        if random.random() < 0.04:
            lines.append(" " * indent + "# " + random.choice(["a remark", "key: value", "- item"]) + "\n")
        lines += _entry(random, f"{_scalar(random, key, is_key=True)}:", value, indent)
    return lines


def _entry(random: Random, head: str, value: Data, indent: int) -> list[str]:
    """HEAD, which is `key:` or `-`, and VALUE."""
    pad = " " * indent
    if isinstance(value, str):
        if "\n" in value and value.replace("\n", "").isprintable() and not value.startswith(" "):
            return [
                f"{pad}{head} |\n",
                *(f"{pad}    {line}\n" if line else "\n" for line in value.split("\n")),
            ]
        remark = random.choice(["", "", "", "", "  # remark"])
        return [f"{pad}{head} {_scalar(random, value)}{remark}\n"]
    if not value or (_is_small(value) and random.random() < 0.3):
        return [f"{pad}{head} {_flow(random, value)}\n"]
    if isinstance(value, list):
        # the items of a list in a mapping may stand below the key or be indented
        inner = indent + (0 if head != "-" and random.random() < 0.5 else 2)
        return [f"{pad}{head}\n", *(line for item in value for line in _item(random, item, inner))]
    return [f"{pad}{head}\n", *_mapping(random, value, indent + random.choice([1, 2, 2, 4]) + (head == "-"))]


def _item(random: Random, item: Data, indent: int) -> list[str]:
    if isinstance(item, dict) and item and random.random() < 0.8:
        lines = _mapping(random, item, indent + 2)
        if lines[0].startswith(" " * (indent + 2)) and not lines[0].strip().startswith("#"):
            return [" " * indent + "- " + lines[0][indent + 2 :], *lines[1:]]
    return _entry(random, "-", item, indent)


def _is_small(value: Data) -> bool:
    return len(json.dumps(value)) < 70 and "\\n" not in json.dumps(value)


def _flow(random: Random, value: Data) -> str:
    if isinstance(value, str):
        return _scalar(random, value, is_flow=True)
    if isinstance(value, list):
        return "[" + ", ".join(_flow(random, item) for item in value) + "]"
    entries = (
        f"{_scalar(random, key, is_key=True, is_flow=True)}: {_flow(random, item)}"
        for key, item in value.items()
    )
    return "{" + ", ".join(entries) + "}"


def _scalar(random: Random, text: str, *, is_key: bool = False, is_flow: bool = False) -> str:
    styles: list[Callable[[str], str]] = [_double]
    if text.isprintable():
        styles.append(_single)
    if (
        _PLAIN.fullmatch(text)
        and not text.startswith(("{", "%"))
        and not (is_flow and _FLOW_UNSAFE.search(text))
    ):
        styles += [str] * (9 if is_key else 4)
    return random.choice(styles)(text)


def _double(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char == "\x7f":
        return "\\x7f"
    # JSON writes what is beyond 16 bits as a pair of escapes, which YAML does not know
    return json.dumps(char)[1:-1] if ord(char) <= 0xFFFF else char


def _single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
