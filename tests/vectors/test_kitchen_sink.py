"""A project that uses everything the format offers, junctions apart, under three sets of options."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.asserting import assert_answers, require_packages
from tests.vectors.recording import find_recordings, load_recording


@pytest.mark.parametrize(
    "path", find_recordings("kitchen-sink"), ids=lambda path: load_recording(path).identifier
)
def test_answers_as_recorded(space: TestSpace, path: Path) -> None:
    if path.stem != "expected-sweet" and (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip(
            "The default values of the architecture and system options were recorded on x86-64 Linux."
        )
    require_packages()
    assert_answers(space, path)
