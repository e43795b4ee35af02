"""What an artifact records of the sandbox it was made in, and of public data: as with BuildStream 2.8.

The expected values were seen in artifacts that 2.8.1 made of the same elements (`bst build`, with
`cache-buildtrees: always` but for the failed one), read with `tests/integration/builds/compare.py`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._act.artifacts import ArtifactCache
from buildstream._model.digest import EMPTY_DIGEST
from buildstream._plan.artifactview import ArtifactView
from buildstream._store.cas import Cas
from buildstream._store.records import Records
from tests.testutils.space import TestSpace

# a directory that holds nothing but the property SubtreeReadOnly, "false"
WRITABLE = "26c02bd88d2bb6ee949cd70dcbcf4a2a3a44c07ddee41d3b06b5ba2afd301aa0/28"
ELEMENTS = {
    "good": "kind: manual\nbuild-depends: [base.bst]\nconfig: {install-commands: ['true']}\n",
    "bad": "kind: manual\nbuild-depends: [base.bst]\nconfig: {install-commands: ['false']}\n",
    "script": "kind: script\nbuild-depends: [base.bst]\nconfig: {commands: ['true']}\n",
    "kept": "kind: script\nbuild-depends: [base.bst]\nconfig: {root-read-only: true, commands: ['true']}\n",
    "composed": "kind: compose\nbuild-depends: [base.bst]\n",
    "empty": "kind: filter\nbuild-depends: [base.bst]\nconfig: {include: [devel]}\n",
    "passing": "kind: filter\nbuild-depends: [base.bst]\nconfig: {pass-integration: true}\n",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shell_base: Callable[[], Path]) -> TestSpace:
    space = TestSpace(tmp_path_factory.mktemp("recorded"), shell_base)
    space.project()
    space.shell_base()
    space.configure("cache: {cache-buildtrees: always}\n")
    for name, text in ELEMENTS.items():
        space.element(f"{name}.bst", text)
    names = [f"{name}.bst" for name in ELEMENTS]
    space.bst("--on-error", "continue", "build", *names, expect=255)
    return space


def artifact_of(space: TestSpace, name: str) -> ArtifactView:
    key = space.show("%{full-key}", "--deps", "none", f"{name}.bst")[f"{name}.bst"]
    data = (space.cache_directory / "artifacts" / "refs" / "test" / name / key).read_bytes()
    artifact = ArtifactCache.decode(data)
    assert artifact is not None
    return artifact


def cas_of(space: TestSpace) -> Cas:
    return Cas(str(space.cache_directory / "cas"))


@pytest.mark.parametrize("name", ["good", "bad", "kept"])
def test_mount_points_of_a_protected_root_say_that_they_can_be_written(built: TestSpace, name: str) -> None:
    artifact = artifact_of(built, name)
    assert artifact.is_success == (name != "bad")
    assert artifact.buildroot is not None
    root = cas_of(built).read_directory(artifact.buildroot)
    assert root.subtree_read_only is None
    found = {entry.name: str(entry.digest) for entry in root.directories}
    assert [found[each] for each in ("dev", "proc", "tmp")] == [WRITABLE] * 3


def test_mount_points_of_a_writable_root_say_nothing(built: TestSpace) -> None:
    artifact = artifact_of(built, "script")
    assert artifact.buildroot is not None
    root = cas_of(built).read_directory(artifact.buildroot)
    found = {entry.name: entry.digest for entry in root.directories}
    assert [found[each] for each in ("dev", "proc", "tmp")] == [EMPTY_DIGEST] * 3


@pytest.mark.parametrize(("name", "is_configured"), [("good", True), ("script", True), ("composed", False)])
def test_environment_is_recorded_if_the_element_configured_it(
    built: TestSpace, name: str, is_configured: bool
) -> None:
    state = artifact_of(built, name).build_sandbox
    assert state is not None
    assert bool(state.environment) == is_configured


def test_shell_has_the_usual_environment_where_none_was_configured(built: TestSpace) -> None:
    shell = built.bst("shell", "--use-buildtree", "composed.bst", "--", "sh", "-c", "echo $HOME $TERM")
    assert shell.stdout == "/tmp dumb\n"


def test_nothing_is_recorded_of_an_empty_root(built: TestSpace) -> None:
    artifact = artifact_of(built, "empty")
    assert (artifact.buildroot, artifact.build_sandbox) == (EMPTY_DIGEST, None)


def test_filter_that_passes_no_commands_says_so(built: TestSpace) -> None:
    cas = cas_of(built)
    assert (
        "  integration-commands: []\n" in cas.read_bytes(artifact_of(built, "passing").public_data).decode()
    )
    assert "integration-commands" not in cas.read_bytes(artifact_of(built, "empty").public_data).decode()


def test_texts_that_differ_in_order_are_not_the_same(tmp_path: Path) -> None:
    cas = Cas(str(tmp_path / "cas"))
    artifacts = ArtifactCache(cas, Records(str(tmp_path / "records")))
    one = artifacts.store_yaml({"a": "1", "b": "2"}, slot="public")
    other = artifacts.store_yaml({"b": "2", "a": "1"}, slot="public")
    assert (cas.read_bytes(one), cas.read_bytes(other)) == (b"a: 1\nb: 2\n", b"b: 2\na: 1\n")
    assert artifacts.store_yaml({"b": "2", "a": "1"}, slot="public") == other
