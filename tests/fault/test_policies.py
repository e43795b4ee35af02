"""What a failure means for other jobs, what is tried again, and what two programs do to each other."""

import hashlib
from pathlib import Path

import pytest

from tests.fault.background import Background
from tests.fault.projects import write_layered_project
from tests.fault.servers import scripted_server
from tests.fault.storecheck import find_faults
from tests.testutils.space import TestSpace

COMMAND = """\
kind: manual
build-depends: [base.bst{more}]
config:
  install-commands:
  - {command}
"""


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    """bad.bst fails, good.bst does not, after.bst needs bad.bst."""
    space.project()
    space.shell_base()
    space.bst("build", "base.bst")
    space.element("bad.bst", COMMAND.format(more="", command="exit 1"))
    space.element("good.bst", COMMAND.format(more="", command="touch %{install-root}/good"))
    space.element("after.bst", COMMAND.format(more=", bad.bst", command="touch %{install-root}/after"))
    # what waits for no download is built in the order of the plan
    space.bst("source", "fetch", "after.bst", "good.bst")
    return space


@pytest.mark.parametrize(
    ("policy", "good"),
    [
        ("continue", "cached"),  # everything else is built
        ("quit", "buildable"),  # the only builder is free again, but nothing new starts
        ("terminate", "buildable"),
    ],
)
def test_failure_and_jobs_that_wait(project: TestSpace, policy: str, good: str) -> None:
    result = project.bst(
        "--on-error", policy, "--builders", "1", "build", "bad.bst", "good.bst", "after.bst", expect=255
    )
    assert project.states("after.bst", "good.bst") == {
        "base.bst": "cached",
        "bad.bst": "failed",
        "after.bst": "waiting",
        "good.bst": good,
    }
    assert "after.bst" not in result.stderr.partition("Failure Summary")[2]


@pytest.mark.parametrize(
    ("policy", "other"), [("continue", "cached"), ("quit", "cached"), ("terminate", "buildable")]
)
def test_failure_and_jobs_that_run(project: TestSpace, policy: str, other: str) -> None:
    project.element("bad.bst", COMMAND.format(more="", command="sleep 0.5; exit 1"))
    project.element("other.bst", COMMAND.format(more="", command="sleep 2; touch %{install-root}/other"))
    project.bst("--on-error", policy, "build", "bad.bst", "other.bst", expect=255)
    assert project.states("bad.bst", "other.bst") == {
        "base.bst": "cached",
        "bad.bst": "failed",
        "other.bst": other,
    }


def write_remote(space: TestSpace, url: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    space.project()
    space.element(
        "remote.bst", f"kind: import\nsources:\n- kind: remote\n  url: {url}/file\n  ref: {digest}\n"
    )


def test_temporary_failure_is_tried_again(space: TestSpace) -> None:
    with scripted_server([500, 500, 200], b"content") as (url, asked):
        write_remote(space, url, b"content")
        result = space.bst("--network-retries", "2", "source", "fetch", "remote.bst")
    assert asked == ["/file"] * 3
    assert "Try #1 failed, retrying" in result.stderr
    assert "Try #2 failed, retrying" in result.stderr
    assert space.states("remote.bst") == {"remote.bst": "buildable"}


def test_last_try_reports_the_error(space: TestSpace) -> None:
    with scripted_server([500, 500], b"content") as (url, asked):
        write_remote(space, url, b"content")
        result = space.bst("--network-retries", "1", "source", "fetch", "remote.bst", expect=255)
    assert len(asked) == 2
    assert "HTTP Error 500" in result.stderr
    assert space.states("remote.bst") == {"remote.bst": "fetch needed"}


def test_wrong_content_is_not_tried_again(space: TestSpace) -> None:
    with scripted_server([200], b"other") as (url, asked):
        write_remote(space, url, b"content")
        result = space.bst("source", "fetch", "remote.bst", expect=255)
    assert len(asked) == 1
    assert hashlib.sha256(b"other").hexdigest() in result.stderr


def test_two_programs_build_the_same(space: TestSpace) -> None:
    write_layered_project(space)
    first = Background(space, "build", "all.bst")
    second = Background(space, "build", "all.bst", name="second")
    assert [first.wait(), second.wait()] == [0, 0], first.output() + second.output()
    assert first.end().leftovers == ()
    assert set(space.states("all.bst").values()) == {"cached"}
    assert find_faults(space.cache_directory, Path(space.directory, "scratch")) == []
