"""What the tests of recorded vectors assert."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace
from tests.vectors.recording import copy_project, load_recording, parse_records

_PLUGIN_PACKAGES = ("buildstream-plugins", "buildstream-plugins-community")


def require_packages() -> None:
    """Fails if a package of plugins is not installed: keys of its kinds must not go unchecked."""
    for name in _PLUGIN_PACKAGES:
        try:
            distribution(name)
        except PackageNotFoundError:
            pytest.fail(f"The package {name}, whose kinds this vector uses, is not installed.", pytrace=False)


def assert_answers(space: TestSpace, path: Path) -> None:
    """Asserts that the recorded question gets the recorded answer, order included."""
    recording = load_recording(path)
    copy_project(path.parent, space.project_directory)
    answered = parse_records(space.bst(*recording.arguments).stdout)
    assert [element["name"] for element in answered] == [element["name"] for element in recording.elements]
    # what a key is made of is compared before the key itself, of every element
    for symbol in sorted(recording.symbols, key="full-key".__eq__):
        for element, expected in zip(answered, recording.elements, strict=True):
            assert element[symbol] == expected[symbol], f"{symbol} of {expected['name']}"
