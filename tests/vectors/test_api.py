"""What plugins see of the program: every question of `api/questions` is answered as BuildStream 2.8.1 did."""

from tests.testutils.space import TestSpace
from tests.vectors.api.asking import COMMANDS, comparable, lay_out, load_expected, read_answers, surroundings


def test_plugins_get_the_recorded_answers(space: TestSpace) -> None:
    lay_out(space.project_directory)
    environment = surroundings(space.directory)
    for command in COMMANDS:
        result = space.bst(
            *command, environment=environment, expect=255 if "script-failing.bst" in command else 0
        )
    expected, scripts = load_expected()
    given = read_answers(space.directory)
    assert [answer[:3] for answer in given] == [answer[:3] for answer in expected]
    wrong = [
        (*new, old[3])
        for new, old in zip(given, expected, strict=True)
        if comparable(new[3]) != comparable(old[3])
    ]
    assert wrong == []
    assert result.stdout == scripts
