"""What is different between the documents of two cache keys."""

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from .._dataclass import dataclass

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is another one, or not in both."""

    path: Path  # of keys, and positions in lists from 0
    old: str | None  # texts as they are, other values as JSON; None: absent
    new: str | None


def document_from_parts(parts: Sequence[str]) -> dict[str, object]:
    """The document of an element without its dependencies, from what `KeyTable.parts` gives.

    Raises:
        ValueError: The parts make no document.
    """
    value = json.loads("{" + "".join(parts).removeprefix(",") + "}")
    if not isinstance(value, dict):
        raise ValueError("no mapping")
    return value


def differences(old: object, new: object, path: Path = ()) -> Iterator[Difference]:
    """Where OLD and NEW, values of parsed JSON, differ: as deep inside as possible."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _members(old.get(key), new.get(key), (*path, key), key in old, key in new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _of_lists(old, new, path)
    else:
        yield Difference(path, _text(old), _text(new))


def _members(old: object, new: object, path: Path, *present: bool) -> Iterator[Difference]:
    if all(present):
        yield from differences(old, new, path)
    else:
        yield Difference(path, _text(old) if present[0] else None, _text(new) if present[1] else None)


def _of_lists(old: list[object], new: list[object], path: Path) -> Iterator[Difference]:
    """Items that were put in or taken out don't make those behind them differ."""
    matcher = SequenceMatcher(None, list(map(_text, old)), list(map(_text, new)), autojunk=False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        common = min(old_end - old_start, new_end - new_start)
        for offset in range(common):
            place = (*path, str(new_start + offset))
            yield from differences(old[old_start + offset], new[new_start + offset], place)
        for position in range(old_start + common, old_end):
            yield Difference((*path, str(position)), _text(old[position]), None)
        for position in range(new_start + common, new_end):
            yield Difference((*path, str(position)), None, _text(new[position]))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
