"""Projects behind junctions: staged, linked, overridden, and loaded more than once."""

import hashlib
import tarfile
from pathlib import Path

import pytest

from buildstream._load.links import LinkTable
from tests.testutils.space import TestSpace
from tests.vectors.forked import run_in_process

_JUNCTION = "kind: junction\nsources:\n- kind: local\n  path: {}\n"
_SHOW = ("--no-interactive", "--no-colors", "show", "--format", "%{name}")


def _subproject(space: TestSpace, directory: str, name: str, conf: str = "", **elements: str) -> None:
    space.write(f"{directory}/project.conf", f"name: {name}\nmin-version: 2.0\n{conf}")
    for stem, text in elements.items():
        space.write(f"{directory}/{stem}.bst", text)


def _names(space: TestSpace, *targets: str) -> list[str]:
    result = run_in_process(space, *_SHOW, *targets)
    assert result.code == 0, result.stderr
    return result.stdout.split()


def _reason(space: TestSpace, *targets: str) -> str | None:
    result = run_in_process(space, *_SHOW, *targets)
    assert result.code == 255, result.stdout
    assert "Traceback" not in result.stderr
    assert result.error is not None
    return result.error.reason


def test_junction_of_several_sources_is_staged_once_for_each_key(space: TestSpace) -> None:
    space.project()
    space.write("one/project.conf", "name: sub\nmin-version: 2.0\n")
    space.write("two/b.bst", "kind: manual\n")
    space.element(
        "j.bst", "kind: junction\nsources:\n- {kind: local, path: one}\n- {kind: local, path: two}\n"
    )
    assert _names(space, "j.bst:b.bst") == ["j.bst:b.bst"]
    staged = space.project_directory / ".bst" / "staged-junctions" / "j.bst"
    first = list(staged.iterdir())
    assert [path.name for path in first[0].iterdir() if path.name == "b.bst"] == ["b.bst"]
    assert _names(space, "j.bst:b.bst") == ["j.bst:b.bst"]
    assert list(staged.iterdir()) == first
    # other sources, another key
    space.write("two/c.bst", "kind: manual\n")
    assert _names(space, "j.bst:c.bst") == ["j.bst:c.bst"]
    assert len(list(staged.iterdir())) == 2


@pytest.fixture
def archive(space: TestSpace) -> Path:
    """A tar archive of a subproject, beside the project."""
    _subproject(space, "sub", "sub", b="kind: manual\n")
    path = space.directory / "sub.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(space.project_directory / "sub", "sub")
    return path


def test_junction_is_fetched_when_it_is_needed(space: TestSpace, archive: Path) -> None:
    space.project(aliases={"here": f"file://{archive.parent}/"})
    ref = hashlib.sha256(archive.read_bytes()).hexdigest()
    space.element("j.bst", f"kind: junction\nsources:\n- kind: tar\n  url: here:sub.tar\n  ref: {ref}\n")
    assert _names(space, "j.bst:b.bst") == ["j.bst:b.bst"]
    # what is staged needs neither the archive nor the cache
    archive.unlink()
    assert _names(space, "j.bst:b.bst") == ["j.bst:b.bst"]


def test_junction_that_cannot_be_fetched(space: TestSpace, archive: Path) -> None:
    space.project(aliases={"here": f"file://{archive.parent}/"})
    space.element("j.bst", f"kind: junction\nsources:\n- kind: tar\n  url: here:sub.tar\n  ref: {'0' * 64}\n")
    result = run_in_process(space, *_SHOW, "j.bst:b.bst")
    assert result.code == 255
    assert "sub.tar" in result.stderr
    assert not (space.project_directory / ".bst").exists()


def test_junction_with_a_workspace_needs_no_ref(space: TestSpace) -> None:
    space.project()
    _subproject(space, "checkout", "sub", b="kind: manual\n")
    space.element("j.bst", "kind: junction\nsources:\n- kind: tar\n  url: https://example.com/sub.tar\n")
    assert _reason(space, "j.bst:b.bst") == "SUBPROJECT_INCONSISTENT"
    space.write(".bst2/workspaces.yml", "format-version: 4\nworkspaces:\n  j.bst:\n    path: checkout\n")
    assert _names(space, "j.bst:b.bst") == ["j.bst:b.bst"]


@pytest.mark.parametrize(
    "text",
    [
        "workspaces: {}\n",
        "format-version: 3\n",
        "format-version: 0.5\n",
        "format-version: 4\nworkspaces: []\n",
        "format-version: 4\nworkspaces:\n  a.bst: {}\n",
        "format-version: 4\nworkspaces:\n  a.bst: checkout\n",
    ],
)
def test_wrong_records_of_workspaces(space: TestSpace, text: str) -> None:
    space.project()
    space.element("a.bst", "kind: manual\n")
    space.write(".bst2/workspaces.yml", text)
    assert _reason(space, "a.bst") == "INVALID_DATA"


_TWO = {"j": "j.bst:b.bst", "k": "k.bst:b.bst"}


@pytest.mark.parametrize(
    ("rules", "is_fine"),
    [
        ({}, False),
        ({"duplicates": {"common": ["j.bst"]}}, False),
        ({"duplicates": {"common": ["j.bst", "k.bst"]}}, True),
        ({"internal": ["j.bst"]}, True),
        ({"internal": ["j.bst", "k.bst"]}, True),
        ({"internal": ["l.bst"]}, True),  # a link to j.bst
    ],
)
def test_two_instances_of_a_project(space: TestSpace, rules: dict[str, object], is_fine: bool) -> None:
    space.project(junctions=rules)
    for name in _TWO:
        _subproject(space, name, "common", b="kind: manual\n")
        space.element(f"{name}.bst", _JUNCTION.format(name))
    space.element("l.bst", "kind: link\nconfig:\n  target: j.bst\n")
    if is_fine:
        assert _names(space, *_TWO.values()) == list(_TWO.values())
    else:
        assert _reason(space, *_TWO.values()) == "CONFLICTING_JUNCTION"


def test_what_an_overridden_junction_was_declared_counts_for_its_replacement(space: TestSpace) -> None:
    # the subproject declares its own junction internal; the top project puts another in its place
    space.project()
    for directory in ("deep", "other"):
        _subproject(space, directory, "deep", x="kind: manual\n")
    _subproject(
        space,
        "sub",
        "sub",
        "junctions:\n  internal: [deep.bst]\n",
        b="kind: stack\ndepends: ['deep.bst:x.bst']\n",
        deep=_JUNCTION.format("deep"),
    )
    _subproject(space, "sub/deep", "deep", x="kind: manual\n")
    space.element("j.bst", _JUNCTION.format("sub") + "config:\n  overrides:\n    deep.bst: other.bst\n")
    for name in ("other", "deep"):
        space.element(f"{name}.bst", _JUNCTION.format(name))
    assert _names(space, "j.bst:b.bst", "deep.bst:x.bst") == [
        "other.bst:x.bst",
        "j.bst:b.bst",
        "deep.bst:x.bst",
    ]
    _subproject(space, "sub", "sub")
    assert _reason(space, "j.bst:b.bst", "deep.bst:x.bst") == "CONFLICTING_JUNCTION"


def test_override_that_names_an_element_by_a_link(space: TestSpace) -> None:
    space.project()
    _subproject(
        space,
        "sub",
        "sub",
        b="kind: stack\ndepends: ['deep.bst:x.bst']\n",
        deep=_JUNCTION.format("deep"),
        link="kind: link\nconfig:\n  target: deep.bst\n",
    )
    _subproject(space, "sub/deep", "deep", x="kind: manual\n")
    space.element("j.bst", _JUNCTION.format("sub") + "config:\n  overrides:\n    link.bst:x.bst: mine.bst\n")
    space.element("mine.bst", "kind: manual\n")
    assert _names(space, "j.bst:b.bst") == ["mine.bst", "j.bst:b.bst"]


def test_override_by_what_is_overridden(space: TestSpace) -> None:
    space.project()
    _subproject(space, "sub", "sub", b="kind: manual\n")
    space.element("j.bst", _JUNCTION.format("sub") + "config:\n  overrides:\n    b.bst: j.bst:b.bst\n")
    assert _reason(space, "j.bst:b.bst") == "CIRCULAR_REFERENCE"


def test_only_what_the_subproject_defines_is_replaced_by_a_mapped_alias(space: TestSpace) -> None:
    space.project(aliases={"ours": "https://ours.example/"})
    source = "kind: manual\nsources:\n- kind: tar\n  url: {}:x.tar\n  ref: abc\n"
    _subproject(
        space,
        "sub",
        "sub",
        "aliases:\n  theirs: https://theirs.example/\n",
        b=source.format("theirs"),
        c=source.format("ours"),
    )
    space.element(
        "j.bst", _JUNCTION.format("sub") + "config:\n  aliases: {theirs: ours}\n  map-aliases: identity\n"
    )
    shown = run_in_process(
        space, *_SHOW[:-1], "%{name} %{source-info}", "j.bst:b.bst", "j.bst:c.bst"
    ).stdout.split()
    assert [word for word in shown if word.endswith(("x.tar", ".bst"))] == [
        "j.bst:b.bst",
        "https://ours.example/x.tar",
        "j.bst:c.bst",
        "ours:x.tar",
    ]


def test_links_of_links() -> None:
    table = LinkTable()
    table.record("one.bst", "two.bst")
    assert table.expand("one.bst:x.bst") == "two.bst:x.bst"
    table.record("two.bst", "three.bst:four.bst")
    assert table.expand("one.bst") == "three.bst:four.bst"
    assert table.expand("other.bst") == "other.bst"
