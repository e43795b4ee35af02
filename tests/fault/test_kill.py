"""A bst that is killed at any moment leaves nothing behind, and the next one builds what it should."""

import pytest

from tests.fault.kill_rounds import KillRounds
from tests.testutils.space import TestSpace


@pytest.fixture
def rounds(space: TestSpace) -> KillRounds:
    return KillRounds(space)


@pytest.mark.parametrize("seed", range(5))
def test_killed_build_is_made_good_by_the_next(rounds: KillRounds, seed: int) -> None:
    assert rounds.run(seed).faults == ()


@pytest.mark.slow
def test_fifty_kills(rounds: KillRounds) -> None:
    assert [fault for seed in range(50) for fault in rounds.run(seed).faults] == []
