"""The example projects of the documentation build and do what they say."""

import shutil
from pathlib import Path

import pytest

from tests.testutils.hostbase import EXAMPLES, make_base
from tests.testutils.space import TestSpace


def copy_example(space: TestSpace, name: str) -> None:
    """Makes the project directory of SPACE a copy of an example, without a base."""
    shutil.copytree(
        EXAMPLES / name,
        space.project_directory,
        dirs_exist_ok=True,
        ignore=lambda directory, _: ["base"] if Path(directory).name == "files" else [],
    )


def test_hello(space: TestSpace) -> None:
    copy_example(space, "hello")
    make_base(space.project_directory / "files" / "base")
    space.bst("build")
    assert set(space.states().values()) == {"cached"}
    space.bst("artifact", "checkout", "report.bst", "--directory", "out")
    assert space.read("out/report") == "Hello, world!\n10 100\n"
    assert space.tree("out") == ["report"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")
def test_hello_c(space: TestSpace) -> None:
    copy_example(space, "hello-c")
    make_base(space.project_directory / "files" / "base", with_compiler=True)
    space.bst("build")
    assert space.bst("shell", "hello.bst", "hello").stdout == "Hello from C!\n"


def test_bases_are_reproducible(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_base(tmp_path / name)
    listings = [
        {path.relative_to(tmp_path / name): path.lstat().st_mode for path in (tmp_path / name).rglob("*")}
        for name in ("one", "two")
    ]
    assert listings[0] == listings[1]


def test_missing_tool_is_named(tmp_path: Path) -> None:
    from tests.testutils.hostbase import make_host_base

    with pytest.raises(FileNotFoundError, match="'no-such-tool'"):
        make_host_base(str(tmp_path / "base"), ["no-such-tool"])
