"""Fixtures for tests of plugins without an engine."""

import os

import pytest

from .fakehost import FakeHost, FakeProject


@pytest.fixture
def host(tmp_path: "os.PathLike[str]") -> FakeHost:
    """A host whose project and mirror directories exist and are empty."""
    project = os.path.join(tmp_path, "project")
    mirror = os.path.join(tmp_path, "mirror")
    os.mkdir(project)
    os.mkdir(mirror)
    return FakeHost(FakeProject(directory=os.path.realpath(project)), mirror)
