"""Where things are in the local cache."""

import os

from .._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class StorePaths:
    """Directories of the local cache, absolute."""

    cache: str

    @property
    def cas(self) -> str:
        return os.path.join(self.cache, "cas")

    @property
    def temporary(self) -> str:
        return os.path.join(self.cache, "tmp")

    @property
    def build(self) -> str:
        return os.path.join(self.cache, "build")

    @property
    def turns(self) -> str:
        return os.path.join(self.cache, "cas", "turns")

    @property
    def trash(self) -> str:
        return os.path.join(self.cache, "trash")

    @property
    def history(self) -> str:
        return os.path.join(self.cache, "history")

    @property
    def inputs(self) -> str:
        return os.path.join(self.cache, "inputs")

    @property
    def suspects(self) -> str:
        return os.path.join(self.cache, "suspects")
