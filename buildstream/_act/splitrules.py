"""Which files of an artifact belong to which domains (plugin specification 8.11)."""

import re
from collections.abc import Callable

from .._requests import SplitSelection
from .._utils_glob import compile_globs
from ..node import MappingNode

PathFilter = Callable[[str], bool]


class PatternCache:
    """One pattern for all globs of a domain; elements mostly share their rules."""

    def __init__(self) -> None:
        self._patterns: dict[tuple[str, ...], re.Pattern[str]] = {}

    def compile(self, globs: tuple[str, ...]) -> re.Pattern[str]:
        """The pattern that matches what any of GLOBS matches."""
        pattern = self._patterns.get(globs)
        if pattern is None:
            pattern = self._patterns[globs] = compile_globs(globs)
        return pattern


def split_filter(
    rules: MappingNode | None, patterns_of: PatternCache, files: SplitSelection
) -> PathFilter | None:
    """A function that tells whether a relative path is selected; None if everything is.

    Args:
        rules: The `split-rules` of the element, as they are at run time.
        patterns_of: Compiles globs.
        files: Which files are wanted.
    """
    if files.is_everything:
        return None
    domains = {} if rules is None else {name: tuple(rules.get_str_list(name)) for name in rules.keys()}
    patterns = {name: patterns_of.compile(globs) for name, globs in domains.items() if globs}
    included = [patterns[name] for name in (files.include or domains) if name in patterns]
    excluded = [patterns[name] for name in (files.exclude or ()) if name in patterns]

    def is_selected(path: str) -> bool:
        absolute = "/" + path
        if any(pattern.match(absolute) for pattern in excluded):
            return False
        if any(pattern.match(absolute) for pattern in included):
            return True
        return files.orphans and not any(pattern.match(absolute) for pattern in patterns.values())

    return is_selected
