"""What sources and mirrors are asked for, in which order and with what, as BuildStream 2.8.1 does it.

`expected.json` holds the commands and, for each, its exit status and the calls that plugins of
`source-calls/project` noted under BuildStream 2.8.1, with an empty user configuration.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace

_HERE = Path(__file__).parent / "source-calls"
_SESSIONS = json.loads((_HERE / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("session", _SESSIONS, ids=[" ".join(session["command"]) for session in _SESSIONS])
def test_calls_as_recorded(space: TestSpace, session: dict[str, object]) -> None:
    shutil.copytree(_HERE / "project", space.project_directory, dirs_exist_ok=True)
    calls = space.directory / "calls"
    command, status = session["command"], session["status"]
    assert isinstance(command, list)
    assert isinstance(status, int)
    result = space.bst(
        *command,
        expect=status,
        environment={
            "CALLS_FILE": str(calls),
            "PROJECT_ROOT": str(space.project_directory),
            "CACHE_ROOT": str(space.cache_directory),
            "no_proxy": "*",
        },
    )
    noted = [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()]
    assert noted == _once_told(session["calls"])
    assert result.stdout == session["stdout"]


def _once_told(calls: object) -> list[object]:
    """CALLS, but each new ref is told once: BuildStream 2.8.1 tells it again when it is saved."""
    kept: list[object] = []
    assert isinstance(calls, list)
    for call in calls:
        if call[1] != "set_ref" or call not in kept:
            kept.append(call)
    return kept
