"""A source that looks at the sources before it."""

import os
from typing import Any

from buildstream import Source

from ._calls import note
from .noting import NotingSource


class LookingSource(NotingSource):
    """Tells what is there when it is tracked and fetched."""

    BST_REQUIRES_PREVIOUS_SOURCES_TRACK = True
    BST_REQUIRES_PREVIOUS_SOURCES_FETCH = True

    def track(self, *, previous_sources_dir: str) -> Any:  # type: ignore[override]
        note(self.name, "track", self.url, self.ref, sorted(os.listdir(previous_sources_dir)))
        return "looked"

    def fetch(self, *, previous_sources_dir: str) -> None:  # type: ignore[override]
        note(self.name, "sees", sorted(os.listdir(previous_sources_dir)))
        super().fetch()


def setup() -> type[Source]:
    return LookingSource
