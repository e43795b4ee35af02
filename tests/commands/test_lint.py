"""`bst lint`: every independent problem of a project, each once, with its place."""

import json

import pytest

from tests.testutils.hostbase import EXAMPLES
from tests.testutils.space import RecordedError, TestSpace

REF = "0" * 64

FOUR_SOURCES = """\
kind: manual
sources:
- {kind: local, path: absent}
- {kind: remote, url: [1]}
- kind: nothing
- {kind: local, path: ., typo: x}
"""


def found(space: TestSpace, *arguments: str, expect: int = 255) -> list[str]:
    """`severity FILE:LINE:COLUMN reason` of each problem, in order."""
    report = json.loads(space.bst("lint", "--json", *arguments, expect=expect).stdout)
    lines = []
    for problem in report["problems"]:
        place = problem["place"]
        where = "{file}:{line}:{column}".format(**place) if place else "-"
        lines.append(f"{problem['severity']} {where} {problem['reason']}")
    return lines


def errors(space: TestSpace, *arguments: str) -> list[str]:
    """`FILE:LINE:COLUMN reason` of each problem, all of which must be errors."""
    lines = found(space, *arguments)
    assert all(line.startswith("error ") for line in lines), lines
    return [line.removeprefix("error ") for line in lines]


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    space.project()
    return space


def test_clean_project(project: TestSpace) -> None:
    project.element("base.bst", "kind: manual\n")
    project.element("sub/app.bst", "kind: manual\ndepends: [base.bst]\n")
    result = project.bst("lint")
    assert (result.stdout, result.stderr) == ("0 errors, 0 warnings in 2 elements\n", "")
    assert project.bst("lint", "base.bst").stdout == "0 errors, 0 warnings in 1 element\n"
    assert project.bst("lint", "sub/*.bst").stdout == "0 errors, 0 warnings in 2 elements\n"


def test_report_for_people(project: TestSpace) -> None:
    project.element("a.bst", "kind: manual\nvariabels: {}\ndepends: [missing.bst]\n")
    project.element("b.bst", "kind: manual\ndepends: [missing.bst]\n")
    path = project.project_directory / "elements"
    result = project.bst("lint", expect=255)
    assert result.stdout == (
        "a.bst:2:11: error [LOAD/INVALID_DATA]: Unexpected key: variabels\n"
        "    Did you mean 'variables'?\n"
        "a.bst:3:10: error [LOAD/MISSING_FILE]: "
        f"Could not find element 'missing.bst' in elements directory '{path}'\n"
        "    Also at: b.bst:2:10\n"
        "2 errors, 0 warnings in 2 elements\n"
    )


def test_report_for_machines(project: TestSpace) -> None:
    project.element("a.bst", "kind: manul\n")
    report = json.loads(project.bst("lint", "--json", expect=255).stdout)
    assert report == {
        "version": 1,
        "errors": 1,
        "warnings": 0,
        "elements": 1,
        "problems": [
            {
                "severity": "error",
                "place": {"file": "a.bst", "line": 1, "column": 0},
                "domain": "PLUGIN",
                "reason": "plugin-not-found",
                "message": "No element plugin registered for kind 'manul'",
                "detail": "Did you mean 'manual'?",
                "also-at": [],
            }
        ],
    }


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        # two unknown keys
        ("kind: manual\none: 1\ntwo: 2\n", ["2:5 INVALID_DATA", "3:5 INVALID_DATA"]),
        # an unknown kind and an undefined variable
        (
            "kind: manul\nconfig:\n  build-commands:\n  - make %{nothing}\n",
            ["1:0 plugin-not-found", "4:4 UNRESOLVED_VARIABLE"],
        ),
        # an unknown kind that resembles none says nothing of what else the element has
        ("kind: qqqq\nconfig: {x: 1}\n", ["1:0 plugin-not-found"]),
        # two variables undefined in one text, and in texts that depend on it
        (
            "kind: manual\nvariables:\n  x: '%{one}%{two}'\n  y: '%{x}'\n",
            ["3:5 UNRESOLVED_VARIABLE", "3:5 UNRESOLVED_VARIABLE"],
        ),
        # two bad dependencies, and one that is good
        (
            "kind: manual\ndepends:\n- nobody.bst\n- good.bst\n- nothing.bst\n",
            ["3:2 MISSING_FILE", "5:2 MISSING_FILE"],
        ),
        ("kind: manual\ndepends:\n- nobody\n- [x]\n", ["3:2 BAD_ELEMENT_SUFFIX", "4:2 INVALID_DATA"]),
        # sources, each for itself; what a removed key entails is no error of its own
        (
            FOUR_SOURCES,
            ["3:22 MISSING_FILE", "4:22 INVALID_DATA", "5:2 plugin-not-found", "6:31 INVALID_DATA"],
        ),
        # disjoint cycles of variables
        (
            "kind: manual\nvariables:\n  a: '%{b}'\n  b: '%{a}'\n  c: '%{c}'\n",
            ["3:5 CIRCULAR_REFERENCE_VARIABLE", "5:5 CIRCULAR_REFERENCE_VARIABLE"],
        ),
        # what a file that is missing would have declared is not reported
        ("kind: manual\n(@): absent.yml\nvariables:\n  x: '%{included}'\n", ["2:5 MISSING_FILE"]),
        # conditions, each for itself
        (
            "kind: manual\n(?):\n- nooption: {}\n- 'True': {variables: {x: '%{nothing}'}}\n",
            ["3:2 EXPRESSION_FAILED", "4:26 UNRESOLVED_VARIABLE"],
        ),
        ("kind: [\n", ["- INVALID_YAML"]),
        # checks that come after loading
        ("kind: filter\nconfig: {include: [runtime]}\n", ["1:0 filter-bdepend-wrong-count"]),
        ("kind: stack\nsources:\n- kind: local\n  path: .\n", ["1:0 element-forbidden-sources"]),
    ],
)
def test_errors_within_one_element(project: TestSpace, element: str, expected: list[str]) -> None:
    project.element("good.bst", "kind: manual\n")
    project.element("a.bst", element)
    places = [line if line.startswith("- ") else f"a.bst:{line}" for line in expected]
    assert errors(project, "a.bst") == places


def test_one_cause_one_report(project: TestSpace) -> None:
    project.element("broken.bst", "kind: manual\nunknown: 1\n")
    project.element("user.bst", "kind: manual\ndepends: [broken.bst]\n")
    project.element("user-of-user.bst", "kind: compose\nbuild-depends: [user.bst]\n")
    assert errors(project) == ["broken.bst:2:9 INVALID_DATA"]


def test_all_disjoint_cycles(project: TestSpace) -> None:
    for name, dependency in [("a", "b"), ("b", "a"), ("c", "d"), ("d", "e"), ("e", "c"), ("f", "f")]:
        project.element(f"{name}.bst", f"kind: manual\ndepends:\n- {dependency}.bst\n")
    project.element("user.bst", "kind: manual\ndepends: [a.bst, c.bst]\n")
    assert errors(project) == [
        "a.bst:3:2 CIRCULAR_DEPENDENCY",
        "c.bst:3:2 CIRCULAR_DEPENDENCY",
        "f.bst:3:2 CIRCULAR_DEPENDENCY",
    ]


def test_errors_of_the_project_come_alone(project: TestSpace) -> None:
    project.element("a.bst", "kind: nothing\n")
    project.project(**{"unknown": "1", "ref-storage": "nowhere", "shell": {"comand": []}})
    assert errors(project) == [
        "project.conf:4:9 INVALID_DATA",
        "project.conf:5:13 INVALID_DATA",
        "project.conf:6:18 INVALID_DATA",
    ]


def test_bad_option_values(project: TestSpace) -> None:
    option = {"type": "enum", "description": "x", "values": ["one", "two"], "default": "one"}
    project.project(options={"number": option})
    project.element("a.bst", "kind: manual\n")
    result = project.bst("--option", "number", "tow", "lint", expect=255)
    assert "error [LOAD/INVALID_DATA]: Invalid value for enum option 'number': tow" in result.stdout
    assert "Did you mean 'two'?" in result.stdout


def test_errors_behind_a_junction(project: TestSpace) -> None:
    project.write("sub/project.conf", "name: sub\nmin-version: 2.0\n")
    project.write("sub/x.bst", "kind: manual\nunknown: 1\n")
    project.write("broken/project.conf", "name: broken\nmin-version: 2.0\nunknown: 1\n")
    project.write("broken/x.bst", "kind: nothing\n")
    for name in ("sub", "broken"):
        project.element(f"{name}.bst", f"kind: junction\nsources:\n- kind: local\n  path: {name}\n")
    project.element(
        "a.bst",
        "kind: manual\ndepends:\n- sub.bst:x.bst\n- sub.bst:y.bst\n- broken.bst:x.bst\n- no.bst:x.bst\n",
    )
    project.element("b.bst", "kind: manual\ndepends:\n- broken.bst:x.bst\n")
    assert errors(project) == [
        "a.bst:4:2 MISSING_FILE",
        "a.bst:6:2 MISSING_FILE",
        "broken.bst:project.conf:3:9 INVALID_DATA",
        "sub.bst:x.bst:2:9 INVALID_DATA",
    ]


SUSPICIOUS = f"""\
kind: manual
variables:
  strip-binarie: ""
  own-name: ""
environment-nocache: [PAHT, PATH]
public:
  bst:
    integration-command: []
  other:
    integration-command: []
sources:
- kind: remote
  url: used:x
- kind: remote
  url: used:y
  ref: {REF}
"""


@pytest.fixture
def suspicious(project: TestSpace) -> TestSpace:
    """A project that has one of everything that lint warns of."""
    project.project(aliases={"used": "https://example.com/", "unused": "https://example.org/"})
    project.element("a.bst", SUSPICIOUS)
    project.element("c.bst", "kind: compose\nbuild-depends: [a.bst]\nconfig: {include: [runtme, devel]}\n")
    return project


WARNINGS = [
    "a.bst:3:17 misspelt-variable",
    "a.bst:5:22 unused-nocache",
    "a.bst:8:25 misspelt-public-key",
    "a.bst:12:2 missing-ref",
    "c.bst:3:19 unknown-domain",
    "project.conf:4:52 unused-alias",
]


def test_warnings(suspicious: TestSpace) -> None:
    assert found(suspicious, expect=0) == [f"warning {line}" for line in WARNINGS]
    # what other elements use is not known when only some are looked at
    assert found(suspicious, "c.bst", expect=0) == [f"warning {line}" for line in WARNINGS[:-1]]


@pytest.mark.parametrize("ignored", WARNINGS)
def test_each_warning_can_be_switched_off(suspicious: TestSpace, ignored: str) -> None:
    token = ignored.split()[1]
    remaining = [f"warning {line}" for line in WARNINGS if line != ignored]
    assert found(suspicious, "--ignore", token, expect=0) == remaining


def test_each_warning_is_documented(space: TestSpace) -> None:
    page = (EXAMPLES.parent / "source" / "using_lint.rst").read_text(encoding="utf-8")
    help_text = space.bst("help", "lint").stderr
    for warning in WARNINGS:
        token = warning.split()[1]
        assert f"\n``{token}``" in page
        assert f"\n      {token} " in help_text


def test_warnings_of_plugins_follow_the_project(project: TestSpace) -> None:
    project.element("a.bst", f"kind: manual\nsources:\n- kind: remote\n  url: https://x/y\n  ref: {REF}\n")
    assert found(project, expect=0) == ["warning a.bst:3:2 unaliased-url"]
    assert found(project, "--ignore", "unaliased-url", expect=0) == []
    project.project(**{"fatal-warnings": ["unaliased-url"]})
    assert errors(project, "--ignore", "unaliased-url") == ["a.bst:3:2 unaliased-url"]


def test_targets_that_can_not_be(project: TestSpace) -> None:
    project.element("a.bst", "kind: manual\n")
    assert errors(project, "b.bst", "/a.bst") == ["- MISSING_FILE", "- INVALID_DATA"]
    assert project.bst("lint", "a", expect=255).error == RecordedError("STREAM", "invalid-element-names")


def test_missing_default_target(project: TestSpace) -> None:
    project.project(defaults={"targets": ["a.bst", "absent.bst"]})
    project.element("a.bst", "kind: manual\n")
    assert errors(project) == ["- MISSING_FILE"]
    assert found(project, "a.bst", expect=0) == []


def test_aliases_that_a_junction_maps_are_used(project: TestSpace) -> None:
    project.project(aliases={"ours": "https://example.com/"})
    project.write("sub/project.conf", "name: sub\nmin-version: 2.0\n")
    junction = "kind: junction\nconfig: {aliases: {theirs: ours}}\nsources:\n- {kind: local, path: sub}\n"
    project.element("sub.bst", junction)
    assert found(project, expect=0) == []


def test_without_a_project(space: TestSpace) -> None:
    assert space.bst("lint", expect=255).error == RecordedError("STREAM", "project-not-loaded")
