"""A small project that most tests of commands are about."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.testutils.cluster import Cluster
from tests.testutils.space import TestSpace

HELLO = """\
kind: manual
description: |
  Says
  hello
build-depends:
- base.bst
runtime-depends:
- data.bst
sources:
- kind: local
  path: files/src
config:
  build-commands:
  - echo object > object.o
  install-commands:
  - mkdir -p %{install-root}/usr/share
  - cp main.c object.o %{install-root}/usr/share
  - ln -s main.c %{install-root}/usr/share/alias
"""

BROKEN = """\
kind: manual
build-depends:
- base.bst
sources:
- kind: local
  path: files/src
config:
  build-commands:
  - echo before; echo left > left
  - exit 7
"""


def write_project(space: TestSpace) -> None:
    """hello.bst is built on base.bst and runs with data.bst; good.bst is a stack; broken.bst fails."""
    space.project(
        shell={
            "environment": {"FROM_HOST": "<${HOST_VALUE}>"},
            "host-files": [
                {"host_path": str(space.project_directory / "host"), "path": "/opt/host"},
                "/absent",
            ],
        }
    )
    space.write("host", "of the host\n")
    space.shell_base()
    space.write("files/data/etc/conf", "conf\n")
    space.write("files/data/usr/bin/prog", "#!/bin/sh\n", executable=True)
    space.write("files/src/main.c", "int main;\n")
    data = "kind: import\nsources:\n- kind: local\n  path: files/data\n"
    space.element("plain.bst", data)
    command = "echo integrated > /integrated"
    space.element("data.bst", f"{data}public:\n  bst:\n    integration-commands:\n    - {command}\n")
    space.element("hello.bst", HELLO)
    space.element("broken.bst", BROKEN)
    space.element("needs-broken.bst", "kind: manual\nbuild-depends:\n- broken.bst\n- base.bst\n")
    space.element("good.bst", "kind: stack\ndepends:\n- hello.bst\n- base.bst\n")


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    """The project, nothing built."""
    write_project(space)
    return space


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shell_base: Callable[[], Path]) -> TestSpace:
    """The project, everything built and every build tree kept; for tests that leave the cache alone."""
    space = TestSpace(tmp_path_factory.mktemp("built"), shell_base)
    write_project(space)
    space.bst(
        *("--on-error", "continue", "--cache-buildtrees", "always"),
        *("build", "good.bst", "broken.bst", "plain.bst"),
        expect=255,
    )
    return space


@pytest.fixture
def cluster(project: TestSpace) -> Iterator[Cluster]:
    """The project, nothing built, and a cluster that builds it."""
    with ExitStack() as stack:
        yield Cluster(project, stack)
