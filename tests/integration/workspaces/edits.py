"""Random edits of a directory: what is captured by `stat` against reading everything."""

import random
import time
from pathlib import Path

from buildstream._store.cas import Cas
from tests.testutils.randomedits import change_something

_PER_CHECK = 3  # edits between two captures, at most
_PAUSE_S = 0.12  # long enough for files to be settled


def prove_keys(directory: Path, count: int, seed: int) -> int:
    """How many of the captures during COUNT edits were wrong."""
    chance = random.Random(seed)
    tree = directory / "tree"
    tree.mkdir()
    cas = Cas(str(directory / "cas"))
    wrong = edits = captures = 0
    while edits < count:
        for _ in range(chance.randrange(1, _PER_CHECK + 1)):
            change_something(tree, chance)
            edits += 1
        if chance.random() < 0.3:
            time.sleep(_PAUSE_S)
        for mtimes in (False, True):
            captures += 1
            expected = cas.import_directory(str(tree), mtimes=mtimes)
            # twice: the second time, what was remembered the first time is what counts
            for _ in range(2):
                if cas.digest_directory(str(tree), mtimes=mtimes) != expected:
                    wrong += 1
                    print(f"edit {edits}: another digest than by reading everything", flush=True)
        if edits % 100 < _PER_CHECK:
            print(f"{edits} edits, {captures} captures: {wrong} wrong", flush=True)
    return wrong
