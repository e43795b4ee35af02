"""A random generator that remembers which parts of the format were used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TypeVar

_Item = TypeVar("_Item")


class Chances:
    """The decisions behind one project.

    Attributes:
        random: Where they come from.
        used: How often each construct of the format was written.
    """

    def __init__(self, random: Random, used: Counter[str]) -> None:
        self.random = random
        self.used = used

    def take(self, construct: str, probability: float = 0.5) -> bool:
        """Whether to write CONSTRUCT here; counted if so."""
        if self.random.random() >= probability:
            return False
        self.used[construct] += 1
        return True

    def choose(self, construct: str, items: Sequence[str]) -> str:
        """One of ITEMS, counted as `construct=item`."""
        item = self.random.choice(items)
        self.used[f"{construct}={item}"] += 1
        return item

    def pick(self, items: Sequence[_Item]) -> _Item:
        """One of ITEMS, uncounted."""
        return self.random.choice(items)

    def some(self, items: Sequence[_Item], most: int = 3) -> list[_Item]:
        """Up to MOST of ITEMS, maybe none."""
        return self.random.sample(items, min(len(items), self.random.randint(0, most)))
