"""The plugins of the documentation's example work as the page about writing plugins says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testutils.hostbase import EXAMPLES, make_base
from tests.testutils.space import RecordedError, TestSpace


@pytest.fixture
def example(space: TestSpace) -> TestSpace:
    """The example project, without a base."""
    shutil.copytree(
        EXAMPLES / "plugins",
        space.project_directory,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("files", "__pycache__"),
    )
    return space


def add_base(space: TestSpace) -> Path:
    """Makes what base.bst imports."""
    base = space.project_directory / "files" / "base"
    make_base(base)
    return base


def test_example_builds(example: TestSpace) -> None:
    add_base(example)
    example.bst("build")
    assert set(example.states().values()) == {"cached"}
    example.bst("artifact", "checkout", "--deps", "none", "letters.bst", "--directory", "letters")
    assert example.read("letters/usr/share/letters/alpha.txt") == "The first of plugins\n"
    assert example.read("letters/usr/share/letters/more/beta.txt") == "The second\n"
    example.bst("artifact", "checkout", "catalogue.bst", "--directory", "list")
    files = [line for line in example.read("list/catalogue").splitlines() if line.endswith(".txt")]
    assert files == [
        "letters.bst: /usr/share/letters/alpha.txt",
        "letters.bst: /usr/share/letters/more/beta.txt",
    ]


def test_downloads_are_tracked_fetched_and_mirrored(example: TestSpace) -> None:
    add_base(example)
    tracked = example.read("elements/greeting.bst")
    example.write("elements/greeting.bst", re.sub(r"  ref:( \w+|(\n  - \w{64})+)\n", "", tracked))
    example.bst("source", "track", "greeting.bst")
    assert example.read("elements/greeting.bst") == tracked
    # only the mirror has it now
    (example.project_directory / "downloads" / "two.txt").unlink()
    shutil.rmtree(example.cache_directory / "sources")
    example.bst("build", "greeting.bst")
    example.bst("artifact", "checkout", "--deps", "none", "greeting.bst", "--directory", "out")
    top = "out/usr/share/plugins"
    assert example.tree(top) == ["greeting.txt", "one.txt", "two.txt"]
    assert example.read(f"{top}/greeting.txt") == "Hello from an archive\n"
    assert example.read(f"{top}/two.txt") == "The second file\n"


def test_bundle_refuses_other_files(example: TestSpace) -> None:
    add_base(example)
    example.write("downloads/one.txt", "Another file\n")
    result = example.bst("--network-retries", "0", "source", "fetch", "greeting.bst", expect=255)
    assert "files:one.txt has checksum" in result.stderr


def test_script_element_lays_out_its_dependencies(example: TestSpace) -> None:
    add_base(example)
    example.bst("build", "survey.bst")
    example.bst("artifact", "checkout", "--deps", "none", "survey.bst", "--directory", "out")
    assert example.read("out/lines") == (
        "/looked-at/usr/share/letters/alpha.txt:1\n/looked-at/usr/share/letters/more/beta.txt:1\n"
    )


def test_package_of_plugins(space: TestSpace, tmp_path: Path) -> None:
    """Installed by pip as the page says; version 1.2."""
    package = tmp_path / "package"
    shutil.copytree(EXAMPLES / "plugin-package", package)
    options = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(tmp_path / "site"),
    ]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(package)], check=True)
    installed = {"PYTHONPATH": f"{space.environment()['PYTHONPATH']}:{tmp_path / 'site'}"}

    def declare(requirement: str) -> None:
        space.project(plugins=[{"origin": "pip", "package-name": requirement, "elements": ["shout"]}])

    space.element("a.bst", "kind: shout\nconfig:\n  word: hey\n")
    declare("my-plugins>=1.2,<2")
    space.bst("build", "a.bst", environment=installed)
    space.bst("artifact", "checkout", "a.bst", "--directory", "out", environment=installed)
    assert space.read("out/word") == "HEY!\n"
    declare("my-plugins>=2")
    result = space.bst("show", "a.bst", expect=255, environment=installed)
    assert result.error == RecordedError("PLUGIN", "package-version-conflict")
    assert "my-plugins 1.2 is installed but my-plugins>=2 is required" in result.stderr
    declare("my-plugins")
    result = space.bst("show", "a.bst", expect=255)
    assert result.error == RecordedError("PLUGIN", "package-not-found")


# Neither needs a base: the errors come from loading.


def test_unknown_key_is_an_error_with_its_place(example: TestSpace) -> None:
    example.element("bad.bst", "kind: catalogue\nconfig:\n  fil: x\n")
    result = example.bst("show", "bad.bst", expect=255)
    assert "bad.bst [line 3 column 7]: Unexpected key: fil" in result.stderr


def test_refusal_of_a_plugin_is_an_element_error(example: TestSpace) -> None:
    example.element("bad.bst", "kind: catalogue\nconfig:\n  file: a/b\n")
    result = example.bst("show", "bad.bst", expect=255)
    assert result.error is not None
    assert (result.error.domain, result.error.reason) == ("ELEMENT", "catalogue-directory")
