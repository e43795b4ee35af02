"""The glob language of split rules, overlap whitelists and base directories."""

import re
from collections.abc import Iterable, Iterator

from ._utils_errors import UtilError


def regex_from_glob(pattern: str) -> str:
    """The regular expression text that matches, from the start, what the glob PATTERN matches.

    `**` matches anything, `*` and `?` anything but `/`, `[...]` one character
    of a set, `[!...]` one character outside of it; everything else matches itself.
    Compile it with `re.MULTILINE | re.DOTALL`.
    """
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if pattern.startswith("**", position):
            parts.append(".*")
            position += 2
            continue
        position += 1
        if character == "*":
            parts.append("[^/]*")
        elif character == "?":
            parts.append("[^/]")
        elif character == "[":
            end = _end_of_set(pattern, position)
            if end is None:
                parts.append(r"\[")
            else:
                parts.append(_regex_from_set(pattern[position:end]))
                position = end + 1
        else:
            parts.append(re.escape(character))
    return "".join(parts) + r"\Z"


def _end_of_set(pattern: str, start: int) -> int | None:
    """Position of the `]` that closes the set whose content begins at START, None without one."""
    first = start
    if pattern.startswith("!", first):
        first += 1
    if pattern.startswith("]", first):
        first += 1
    end = pattern.find("]", first)
    return end if end >= 0 else None


def _regex_from_set(content: str) -> str:
    content = content.replace("\\", "\\\\")
    if content.startswith("!"):
        content = "^" + content[1:]
    elif content.startswith("^"):
        content = "\\" + content
    return f"[{content}]"


def compile_globs(patterns: Iterable[str]) -> "re.Pattern[str]":
    """One compiled expression that matches what any of the globs PATTERNS matches; nothing without patterns.

    Raises:
        UtilError: A set in a pattern is not valid, such as `[z-a]`.
    """
    alternatives = [regex_from_glob(pattern) for pattern in patterns]
    text = "|".join(f"(?:{alternative})" for alternative in alternatives) if alternatives else "(?!)"
    try:
        return re.compile(text, re.MULTILINE | re.DOTALL)
    except re.error as error:
        raise UtilError(f"Invalid glob pattern: {error}") from error


def glob(paths: Iterable[str], pattern: str) -> Iterator[str]:
    """Yields those of PATHS, as they were given, that match PATTERN.

    A missing leading `/` is assumed in the paths and in the pattern.
    """
    matches = compile_globs([_absolute(pattern)]).match
    for path in paths:
        if matches(_absolute(path)):
            yield path


def _absolute(path: str) -> str:
    return path if path.startswith("/") else "/" + path
