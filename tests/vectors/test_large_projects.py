"""Two large projects under three sets of options each.

`kitchen-sink` uses everything the format offers, junctions apart.  `desktop` is built as systems really
are: on an SDK in a junction, whose parts come from further junctions with options, overrides, nested
includes, conditions on the architecture, refs in project.refs, and kinds of the plugin packages.
"""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.asserting import assert_answers, require_packages
from tests.vectors.recording import find_recordings, load_recording


@pytest.mark.parametrize(
    "path", find_recordings("kitchen-sink", "desktop"), ids=lambda path: load_recording(path).identifier
)
def test_answers_as_recorded(space: TestSpace, path: Path) -> None:
    if path.stem != "expected-sweet" and (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip(
            "The default values of the architecture and system options were recorded on x86-64 Linux."
        )
    require_packages()
    assert_answers(space, path)
