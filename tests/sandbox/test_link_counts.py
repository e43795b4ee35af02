"""What builds see: each file has one name, and is no other file.

What 2.8.1 shows is noted from `bst build manual.bst script.bst` in the project of `write_project`.
"""

import json
import tarfile

import pytest

from buildstream._sandbox.probe import RootMethod
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base
from tests.testutils.rootmethods import require
from tests.testutils.space import TestSpace

ATTRIBUTES = "stat -c '%n %h' /a/one /b/two; stat -c '%i %d' /a /b /a/one /b/two"


def write_project(space: TestSpace) -> None:
    """Two imports with equal files, and builds that look at them."""
    space.project(environment={"PATH": "/usr/bin:/bin"})
    make_host_base(str(space.project_directory / "files/base"), (*SHELL_TOOLS, "tar", "gzip"))
    space.write("files/a/a/one", "same\n")
    space.write("files/b/b/two", "same\n")
    for name in ("base", "a", "b"):
        space.element(f"{name}.bst", f"kind: import\nsources:\n- kind: local\n  path: files/{name}\n")
    needs = "build-depends: [base.bst, a.bst, b.bst]\nvariables: {strip-binaries: ''}\n"
    looks = [
        f"cd /; ({ATTRIBUTES}) > %{{install-root}}/attributes",
        "cd /; tar -cf %{install-root}/x.tar a b",
    ]
    commands = "".join(f"  - {json.dumps(look)}\n" for look in looks)
    space.element("manual.bst", f"kind: manual\n{needs}config:\n  install-commands:\n{commands}")
    commands += "".join(
        f"  - {json.dumps(command)}\n"
        for command in (
            "gzip /a/one; echo more >> /b/two; cat /b/two > %{install-root}/two",
            "stat -c '%h %i' /b/two > %{install-root}/changed; ls /a > %{install-root}/names",
        )
    )
    create = '  - "mkdir -p %{install-root}"\n'
    space.element("script.bst", f"kind: script\n{needs}config:\n  commands:\n{create}{commands}")


def choose(space: TestSpace, method: RootMethod) -> None:
    """Has it remembered that METHOD is what works on this machine, as after a trial."""
    space.bst("build", "manual.bst")
    (path,) = (space.cache_directory / "tmp").glob("sandbox-probe-*.json")
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "method": method.value}), "utf-8")
    space.bst("artifact", "delete", "manual.bst")


@pytest.mark.parametrize("method", RootMethod, ids=lambda method: method.value)
def test_equal_files_of_dependencies_are_no_hard_links(space: TestSpace, method: RootMethod) -> None:
    require(method)
    write_project(space)
    choose(space, method)
    for name in ("manual.bst", "script.bst"):
        if method is RootMethod.OVERLAY and name == "script.bst":
            continue  # there, gzip refuses: see the documentation
        space.bst("build", name)
        space.bst("artifact", "checkout", name, "--directory", name)
        lines = space.read(f"{name}/attributes").splitlines()
        if method is RootMethod.STUBS or name == "script.bst":
            # 2.8.1: the same two lines
            assert lines[:2] == ["/a/one 1", "/b/two 1"]
        identities = [line.split() for line in lines[2:]]
        # 2.8.1: four inodes, one device
        assert len({inode for inode, _ in identities}) == 4
        if method is not RootMethod.COPY:
            assert len({device for _, device in identities}) == 1
        with tarfile.open(space.project_directory / name / "x.tar") as archive:
            # 2.8.1: a/ a/one b/ b/two, both files with their 5 bytes
            assert [(each.name, each.isreg(), each.size) for each in archive] == [
                ("a", False, 0),
                ("a/one", True, 5),
                ("b", False, 0),
                ("b/two", True, 5),
            ]
    if method is not RootMethod.OVERLAY:
        assert space.read("script.bst/names") == "one.gz\n"
        assert space.read("script.bst/two") == "same\nmore\n"
        links, inode = space.read("script.bst/changed").split()
        # 2.8.1: the inode stays when the file is changed
        assert (links, inode) == ("1", identities[3][0])


def test_sources_have_one_name_and_differ_from_equal_files_of_the_base(space: TestSpace) -> None:
    """Programs such as gzip refuse files with two names, and cp a copy of a file onto itself."""
    space.project()
    space.shell_base()
    space.write("files/usr/share/text", "the same text\n")
    space.write("sources/text", "the same text\n")
    space.write("sources/again", "the same text\n")
    space.element("data.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    space.element(
        "app.bst",
        """
kind: manual
build-depends: [base.bst, data.bst]
sources:
- kind: local
  path: sources
config:
  build-commands:
  - test "$(stat -c %h text)" = 1
  - test "$(stat -c %i text)" != "$(stat -c %i again)"
  - test "$(stat -c %i text)" != "$(stat -c %i /usr/share/text)"
  - cp /usr/share/text text
""",
    )
    space.bst("build", "app.bst")
    assert space.states()["app.bst"] == "cached"


def test_sources_alone_are_a_root(space: TestSpace) -> None:
    """An element without dependencies brings its own programs: nothing is under its sources."""
    space.project()
    space.shell_base()
    space.element(
        "app.bst",
        """
kind: manual
sources:
- kind: local
  path: files/base
- kind: local
  path: sources
variables: {build-root: /}
config:
  install-commands:
  - cat text > %{install-root}/copy
""",
    )
    space.write("sources/text", "text\n")
    space.bst("build", "app.bst")
    space.bst("artifact", "checkout", "app.bst", "--directory", "out")
    assert space.read("out/copy") == "text\n"
