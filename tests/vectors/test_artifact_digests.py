"""The keys and the artifacts of every core kind of element are those of BuildStream 2.8, byte for byte."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from buildstream._sandbox.probe import RootMethod
from tests.testutils.hostbase import make_host_base
from tests.testutils.rootmethods import require
from tests.testutils.space import TestSpace
from tests.vectors.artifacts.make_project import BASE_COMMANDS, write_project

EXPECTED: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "artifacts" / "expected.json").read_text(encoding="utf-8")
)
WITH_KEY = [name for name, record in EXPECTED.items() if "key" in record]


SIMPLE = "manual/files.bst"  # has to run a command
METHODS = [method.value for method in RootMethod]


@pytest.fixture(scope="module", params=METHODS)
def built_space(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shell_base: Callable[[], Path],
) -> TestSpace:
    """A space in which every element of the vectors is built, for each way to make the root of a sandbox."""
    require(RootMethod(request.param))
    space = TestSpace(tmp_path_factory.mktemp("artifacts"), shell_base)
    write_project(space.project_directory)
    make_host_base(str(space.project_directory / "files" / "base"), BASE_COMMANDS)
    choose_method(space, request.param)
    space.bst("build", "all.bst")
    assert method_of(space) == request.param
    return space


def choose_method(space: TestSpace, method: str) -> None:
    """Has it remembered that METHOD is what works on this machine, as after a trial."""
    space.bst("build", SIMPLE)
    for path in probe_files(space):
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "method": method}), "utf-8")
    space.bst("artifact", "delete", SIMPLE)


def method_of(space: TestSpace) -> str:
    (path,) = probe_files(space)
    method = json.loads(path.read_text("utf-8"))["method"]
    assert isinstance(method, str)
    return method


def probe_files(space: TestSpace) -> list[Path]:
    return list((space.cache_directory / "tmp").glob("sandbox-probe-*.json"))


@pytest.fixture(scope="module")
def digests(built_space: TestSpace) -> Mapping[str, str]:
    """HASH/SIZE of every element's files, by name."""
    return built_space.show("%{artifact-cas-digest}", "--deps", "all", "all.bst")


@pytest.fixture(scope="module")
def keys(built_space: TestSpace) -> Mapping[str, str]:
    """The full cache key of every element, by name."""
    return built_space.show("%{full-key}", "--deps", "all", "all.bst")


@pytest.mark.parametrize("name", EXPECTED)
def test_artifact_has_the_recorded_digest(name: str, digests: Mapping[str, str]) -> None:
    """An artifact that holds nothing of the base is the same over any base, so also over this one."""
    assert digests[name] == EXPECTED[name]["digest"]


@pytest.mark.parametrize("name", WITH_KEY)
def test_element_has_the_recorded_key(name: str, keys: Mapping[str, str]) -> None:
    """An element that needs no base has the same key everywhere."""
    assert keys[name] == EXPECTED[name]["key"]
