"""Another store, in which contents may be that this one lacks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from .._model.digest import Digest


class Elsewhere(Protocol):
    """What a store asks before it says that something is missing; safe to use from several threads.

    None of these raises because of the other store: what it does not tell or give is not there.
    """

    def holds(self, blobs: Sequence[Digest]) -> bool:
        """Whether all of BLOBS are there."""

    def holds_tree(self, root: Digest) -> bool:
        """Whether what is missing here of a tree is there; its directories are here then."""

    def absent(self, blobs: Mapping[Digest, bool]) -> Mapping[Digest, bool]:
        """Those of BLOBS that are not there; values are kept."""

    def bring(self, blobs: Sequence[Digest]) -> bool:
        """Stores BLOBS here; gives whether all are here now."""

    def bring_tree(self, root: Digest) -> None:
        """Stores all of a tree here, as far as it is there."""

    def take(self, what: str, blobs: Sequence[Digest], trees: Sequence[Digest]) -> None:
        """Puts BLOBS and TREES there, which are WHAT in messages."""
