"""What is damaged here comes again from a remote; what is damaged there is replaced by the next push."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.storecheck import find_faults
from tests.testutils.artifactserver import artifact_server
from tests.testutils.space import TestSpace

CONTENT = b"the content of the only file\n"


@pytest.fixture
def shared(space: TestSpace) -> Iterator[TestSpace]:
    """A project with file.bst, built and pushed to a server."""
    space.project()
    space.element("file.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    space.write("files/file", CONTENT.decode())
    with artifact_server(space.directory / "served") as server:
        space.configure(f"artifacts:\n  servers:\n  - {{url: 'http://{server.addresses[0]}', push: true}}\n")
        space.bst("build", "file.bst")
        yield space


def objects_in(store: Path) -> list[Path]:
    """The objects that hold the file."""
    found = [path for path in (store / "cas" / "objects").glob("*/*") if path.read_bytes() == CONTENT]
    assert found
    return found


def damage_secretly(path: Path) -> None:
    """Other content, with size and time as before."""
    status = path.stat()
    path.write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_damaged_object_is_fetched_again_when_it_is_needed(shared: TestSpace) -> None:
    (damaged,) = objects_in(shared.cache_directory)
    damage_secretly(damaged)
    result = shared.bst("artifact", "checkout", "file.bst", "--directory", "../out")
    assert (shared.directory / "out" / "file").read_bytes() == CONTENT
    assert f"Blob {damaged.parent.name}{damaged.name} was missing or damaged here" in result.stderr
    assert find_faults(shared.cache_directory, shared.directory / "scratch") == []


def test_a_check_fetches_again_what_it_finds_damaged(shared: TestSpace) -> None:
    (damaged,) = objects_in(shared.cache_directory)
    damage_secretly(damaged)
    result = shared.bst("cache", "check", "--repair")
    assert "1 contents were fetched again" in result.stdout
    assert damaged.read_bytes() == CONTENT
    assert shared.states("file.bst") == {"file.bst": "cached"}


def test_without_a_remote_that_has_it_a_damaged_object_is_an_error(shared: TestSpace) -> None:
    (damaged,) = objects_in(shared.cache_directory)
    damage_secretly(damaged)
    objects_in(shared.directory / "served")[0].unlink()
    result = shared.bst("artifact", "checkout", "file.bst", "--directory", "../out", expect=255)
    assert "was corrupt in the local cache" in result.stderr
    assert not (shared.directory / "out" / "file").exists()


def test_what_a_server_has_damaged_is_replaced_by_the_next_push(shared: TestSpace) -> None:
    """The server finds out that its blob is wrong when somebody asks for it, and has no artifact any more."""
    objects = (shared.directory / "served" / "cas" / "objects").glob("*/*")
    (variables,) = (path for path in objects if path.read_bytes().startswith(b"variables:"))
    content = variables.read_bytes()
    variables.write_bytes(content.upper())
    kept = shared.directory / "kept"
    shutil.move(shared.cache_directory, kept)
    shared.bst("artifact", "pull", "file.bst")
    assert shared.states("file.bst") != {"file.bst": "cached"}
    shutil.rmtree(shared.cache_directory)
    shutil.move(kept, shared.cache_directory)
    shared.bst("artifact", "push", "file.bst")
    assert variables.read_bytes() == content
    shutil.rmtree(shared.cache_directory)
    shared.bst("artifact", "pull", "file.bst")
    assert shared.states("file.bst") == {"file.bst": "cached"}
