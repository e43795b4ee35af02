"""Builds that share one budget of cores, with the make of the host."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.space import TestSpace

# each half ends only if the other one runs at the same time
MEETING = """\
all: left right
left right:
\ttouch $@.here
\twhile [ ! -e left.here ] || [ ! -e right.here ]; do sleep 0.05; done
"""

# when each job began and ended, in hundredths of a second
TIMED = """\
all: one two three four
one two three four:
\tcut -d ' ' -f 1 /proc/uptime > $@.began
\tsleep 0.1
\tcut -d ' ' -f 1 /proc/uptime > $@.ended
"""

ELEMENT = """\
kind: manual
build-depends: [base.bst]
sources:
- kind: local
  path: files/{name}
environment:
  MAKEFLAGS: -j%{{max-jobs}}
environment-nocache: [MAKEFLAGS]
config:
  build-commands: [make]
  install-commands:
  - mkdir -p %{{install-root}}/out
  - cp *.began *.ended *.here %{{install-root}}/out || true
"""


@pytest.fixture(scope="module")
def make_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    directory = tmp_path_factory.mktemp("make-base")
    make_host_base(str(directory), [*SHELL_TOOLS, "make", "cut"])
    (directory / "bin").symlink_to("usr/bin")  # make looks for /bin/sh
    return lambda: directory


@pytest.fixture
def space(tmp_path: Path, make_base: Callable[[], Path]) -> TestSpace:
    (tmp_path / "space").mkdir()
    space = TestSpace(tmp_path / "space", make_base)
    space.project()
    space.shell_base()
    return space


def add(space: TestSpace, name: str, makefile: str) -> None:
    space.write(f"files/{name}/Makefile", makefile)
    space.element(f"{name}.bst", ELEMENT.format(name=name))


def test_make_takes_tokens_and_nothing_else_changes(space: TestSpace) -> None:
    add(space, "meeting", MEETING)
    space.bst("--max-jobs", "2", "build", "meeting.bst")
    facts = "%{name} %{full-key} %{artifact-cas-digest}"
    before = space.bst("show", "--format", facts, "meeting.bst").stdout
    space.bst("artifact", "delete", "meeting.bst")
    space.bst("--max-jobs", "8", "--jobserver", "2", "build", "meeting.bst")
    assert space.bst("show", "--format", facts, "meeting.bst").stdout == before
    log = space.bst("artifact", "log", "meeting.bst").stdout
    assert "warning" not in log
    assert "jobserver" not in log
    # the pipe is gone
    assert not list((space.cache_directory / "tmp").glob("jobserver*"))


def test_builds_together_run_no_more_jobs_than_there_are_tokens(space: TestSpace) -> None:
    for name in ("a", "b", "c"):
        add(space, name, TIMED)
    space.configure("build:\n  jobserver: 2\n  max-jobs: 4\n")
    space.bst("--builders", "3", "build", "a.bst", "b.bst", "c.bst")
    moments: list[tuple[float, int]] = []
    for name in ("a", "b", "c"):
        space.bst("artifact", "checkout", "--directory", str(space.directory / name), f"{name}.bst")
        # of two at one moment, the end counts first
        moments += [
            (float(path.read_text()), 1 if path.suffix == ".began" else -1)
            for path in (space.directory / name / "out").iterdir()
        ]
    assert len(moments) == 3 * 4 * 2
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    assert most <= 2


def test_bad_number(space: TestSpace) -> None:
    add(space, "a", TIMED)
    result = space.bst("--jobserver", "-1", "build", "a.bst", expect=2)
    assert "--jobserver" in result.stderr
    space.configure("build:\n  jobserver: many\n")
    result = space.bst("build", "a.bst", expect=255)
    assert "buildstream.conf [line 2 column 13]" in result.stderr
    space.configure("build:\n  jobserver: -3\n")
    result = space.bst("build", "a.bst", expect=255)
    assert "buildstream.conf [line 2 column 13]" in result.stderr
