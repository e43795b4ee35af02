"""Merged layers show what the layers show, and few stacks need merged trees of their own."""

import random

import pytest

from buildstream._model.digest import Digest
from buildstream._store.cas import Cas
from buildstream._store.cas_directory import CasDirectory
from buildstream._store.merged_layers import UNMERGED_AT_MOST, merge_layers
from tests.store.test_staging_plan import overlay, plain, write


def make_layers(cas: Cas, count: int, chance: random.Random) -> list[Digest]:
    """Trees that share directories and overwrite files of each other."""
    layers = []
    for number in range(count):
        directory = CasDirectory(cas)
        write(directory, f"own/{number}", f"{number}")
        for _ in range(chance.randint(0, 3)):
            write(directory, f"shared/{chance.randint(0, 9)}/file{chance.randint(0, 9)}", f"by {number}")
        layers.append(directory._digest())
    return layers


@pytest.mark.parametrize("count", [101, 300, 1500])
def test_merged_layers_show_the_same(cas: Cas, count: int) -> None:
    layers = make_layers(cas, count, random.Random(count))
    merged = merge_layers(cas, layers, frozenset())
    assert len(set(merged)) == len(merged) <= UNMERGED_AT_MOST
    before = overlay([plain(cas, layer) for layer in reversed(layers)])
    assert overlay([plain(cas, layer) for layer in reversed(merged)]) == before


def test_few_layers_stay(cas: Cas) -> None:
    layers = make_layers(cas, UNMERGED_AT_MOST, random.Random(1))
    assert merge_layers(cas, layers, frozenset()) == tuple(layers)


def test_private_layer_stays_alone_and_on_top(cas: Cas) -> None:
    layers = make_layers(cas, 150, random.Random(2))
    assert merge_layers(cas, layers, frozenset(layers[-1:]))[-1] == layers[-1]


def test_stacks_with_much_in_common_share_merged_trees(cas: Cas) -> None:
    layers = make_layers(cas, 300, random.Random(3))
    whole = set(merge_layers(cas, layers, frozenset()))
    without_one = set(merge_layers(cas, layers[:150] + layers[151:], frozenset()))
    assert len(without_one - whole) <= 2
