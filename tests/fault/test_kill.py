"""A bst that is killed at any moment leaves nothing behind, and the next one makes it good."""

import pytest

from tests.fault.kill_rounds import ROUNDS
from tests.testutils.space import TestSpace


@pytest.mark.parametrize(("command", "count"), [("build", 4), ("checkout", 4), ("clean", 3), ("many", 3)])
def test_killed_command_is_made_good_by_the_next(space: TestSpace, command: str, count: int) -> None:
    rounds = ROUNDS[command](space)
    assert [fault for seed in range(count) for fault in rounds.run(seed).faults] == []


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(ROUNDS))
def test_fifty_kills(space: TestSpace, command: str) -> None:
    rounds = ROUNDS[command](space)
    assert [fault for seed in range(50) for fault in rounds.run(seed).faults] == []
