"""`bst graph`: what is drawn, and the answers to who needs what."""

import json

import pytest

from tests.testutils.space import RecordedError, TestSpace


@pytest.fixture
def layered(space: TestSpace) -> TestSpace:
    """app.bst needs tool.bst to build, lib.bst to run, and z.bst through y.bst of another project."""
    space.project()
    space.write("below/project.conf", "name: below\nmin-version: 2.0\n")
    space.write("below/y.bst", "kind: stack\ndepends: [z.bst]\n")
    space.write("below/z.bst", "kind: manual\n")
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: below\n")
    space.element(
        "app.bst",
        "kind: manual\nbuild-depends:\n- filename: tool.bst\n  strict: true\n"
        "runtime-depends: [lib.bst]\ndepends: ['j.bst:y.bst']\n",
    )
    space.element("tool.bst", "kind: manual\ndepends: [lib.bst]\n")
    space.element("lib.bst", "kind: manual\n")
    space.element("alone.bst", "kind: manual\n")
    return space


def test_dot_has_a_cluster_for_each_project(layered: TestSpace) -> None:
    assert (
        layered.bst("graph", "app.bst").stdout
        == """\
digraph elements {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_0 {
    label="below";
    "j.bst:z.bst" [tooltip="manual"];
    "j.bst:y.bst" [tooltip="stack"];
  }
  subgraph cluster_1 {
    label="test";
    "lib.bst" [tooltip="manual"];
    "tool.bst" [tooltip="manual"];
    "app.bst" [tooltip="manual", style=bold];
  }
  "j.bst:y.bst" -> "j.bst:z.bst" [style=bold];
  "tool.bst" -> "lib.bst" [style=bold];
  "app.bst" -> "j.bst:y.bst" [style=bold];
  "app.bst" -> "tool.bst" [style=solid, penwidth=2];
  "app.bst" -> "lib.bst" [style=dashed];
}
"""
    )


def test_mermaid_escapes_names(space: TestSpace) -> None:
    space.project()
    space.element("a#b;[c].bst", "kind: manual\n")
    space.element("top.bst", "kind: manual\nbuild-depends: ['a#b;[c].bst']\n")
    assert (
        space.bst("graph", "--format", "mermaid", "top.bst").stdout
        == """\
flowchart LR
  e0["a#35;b#59;#91;c#93;.bst"]
  e1["top.bst"]
  e1 --> e0
  classDef target stroke-width:3px
  class e1 target
"""
    )


def test_json(layered: TestSpace) -> None:
    graph = json.loads(layered.bst("graph", "--format", "json", "--deps", "run", "app.bst").stdout)
    assert graph == {
        "version": 1,
        "nodes": [
            {"name": "j.bst:z.bst", "project": "below", "kind": "manual", "target": False},
            {"name": "j.bst:y.bst", "project": "below", "kind": "stack", "target": False},
            {"name": "lib.bst", "project": "test", "kind": "manual", "target": False},
            {"name": "app.bst", "project": "test", "kind": "manual", "target": True},
        ],
        "edges": [
            {"from": "j.bst:y.bst", "to": "j.bst:z.bst", "types": ["build", "runtime"], "strict": False},
            {"from": "app.bst", "to": "j.bst:y.bst", "types": ["build", "runtime"], "strict": False},
            {"from": "app.bst", "to": "lib.bst", "types": ["runtime"], "strict": False},
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        # what a build sees: the build dependencies and what these need at run time
        ("--deps build app.bst", "app.bst tool.bst lib.bst j.bst:y.bst j.bst:z.bst"),
        ("--deps none app.bst lib.bst", "app.bst lib.bst"),
        ("--except tool.bst app.bst", "app.bst lib.bst j.bst:y.bst j.bst:z.bst"),
        ("--needing lib.bst", "app.bst tool.bst lib.bst"),
        ("--needing lib.bst --deps run", "app.bst tool.bst lib.bst"),
        ("--needing tool.bst --needing alone.bst", "app.bst tool.bst alone.bst"),
        ("--needing j.bst:z.bst app.bst", "app.bst j.bst:y.bst j.bst:z.bst"),
        ("--path app.bst lib.bst", "app.bst lib.bst"),
        ("--path app.bst lib.bst --deps build", "app.bst tool.bst lib.bst"),
        ("--path app.bst lib.bst --all-paths", "app.bst tool.bst lib.bst"),
        ("--path app.bst j.bst:z.bst", "app.bst j.bst:y.bst j.bst:z.bst"),
        ("--path app.bst app.bst", "app.bst"),
    ],
)
def test_selections(layered: TestSpace, arguments: str, names: str) -> None:
    output = layered.bst("graph", "--format", "text", *arguments.split()).stdout
    shown = [line for line in output.splitlines() if not line.startswith(" ")]
    assert set(shown) == set(names.split())
    assert len(shown) == len(names.split())


def test_text_tells_why(layered: TestSpace) -> None:
    output = layered.bst("graph", "-f", "text", "--path", "app.bst", "lib.bst", "--all-paths").stdout
    assert output == (
        "app.bst\n    tool.bst (build, strict)\n    lib.bst (runtime)\n"
        "tool.bst\n    lib.bst (build, runtime)\nlib.bst\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [("--path lib.bst app.bst", "no-path"), ("--needing alone.bst app.bst", "not-needed")],
)
def test_what_is_not_needed_is_an_error(layered: TestSpace, arguments: str, reason: str) -> None:
    result = layered.bst("graph", *arguments.split(), expect=255)
    assert result.error == RecordedError("STREAM", reason)
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", ["--path app.bst lib.bst tool.bst", "--all-paths app.bst"])
def test_options_that_exclude_each_other(layered: TestSpace, arguments: str) -> None:
    layered.bst("graph", *arguments.split(), expect=2)
