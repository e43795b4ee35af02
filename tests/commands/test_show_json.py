"""`bst show --json`: the fields that the manual promises."""

import json

from tests.testutils.space import TestSpace

REF = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


def test_fields(space: TestSpace) -> None:
    space.project(aliases={"ex": "https://example.com/"})
    space.write("below/project.conf", "name: below\nmin-version: 2.0\n")
    space.write("below/deep/y.bst", "kind: manual\n")
    space.element("j.bst", "kind: junction\nsources:\n- kind: local\n  path: below\n")
    space.element(
        "app.bst",
        f"""\
kind: manual
description: An "app"
sources:
- kind: tar
  url: ex:a.tar
  ref: {REF}
  directory: src
depends:
- filename: j.bst:deep/y.bst
  type: build
  strict: true
""",
    )
    report = json.loads(space.bst("show", "--json", "app.bst").stdout)
    below, app = report.pop("elements")
    assert report == {"version": 1}
    keys = space.keys("app.bst")
    assert below == {
        "name": "j.bst:deep/y.bst",
        "local-name": "deep/y.bst",
        "junction": "j.bst",
        "project": "below",
        "kind": "manual",
        "description": "",
        "state": "buildable",
        "keys": below["keys"],
        "workspace": None,
        "dependencies": [],
        "sources": [],
        "provenance": {
            "file": str(space.project_directory / "below/deep/y.bst"), "line": 1, "column": 0
        },
    }  # fmt: skip
    assert below["keys"]["strong"] == below["keys"]["strict"] == keys["j.bst:deep/y.bst"]
    assert len(below["keys"]["weak"]) == 64
    assert app["dependencies"] == [{"name": "j.bst:deep/y.bst", "types": ["build"], "strict": True}]
    assert app["description"] == 'An "app"'
    assert app["junction"] is None
    source = app["sources"][0]
    assert len(source.pop("key")) == 64
    element_file = str(space.project_directory / "elements/app.bst")
    assert source == {
        "kind": "tar",
        "directory": "src",
        "ref": REF,
        "provenance": {"file": element_file, "line": 4, "column": 2},
    }


def test_unknown_keys_and_refs_are_null(space: TestSpace) -> None:
    space.project(aliases={"ex": "https://example.com/"})
    space.element("a.bst", "kind: manual\nsources:\n- kind: remote\n  url: ex:a\n")
    (element,) = json.loads(space.bst("show", "--json", "a.bst").stdout)["elements"]
    assert element["state"] == "no reference"
    assert element["keys"] == {"strong": None, "strict": None, "weak": None}
    assert element["sources"][0]["ref"] is None
    assert element["sources"][0]["key"] is None


def test_nothing_to_show_is_valid(space: TestSpace) -> None:
    space.project()
    assert json.loads(space.bst("show", "--json", "x*.bst").stdout) == {"version": 1, "elements": []}


def test_json_and_format_exclude_each_other(space: TestSpace) -> None:
    space.project()
    space.bst("show", "--json", "--format", "%{name}", "x.bst", expect=2)
