"""`bst why` names what was changed: the first cause, at its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.testutils.jsonschema import complaints
from tests.testutils.space import TestSpace

SCHEMA = json.loads((Path(__file__).parents[2] / "doc/source/why.schema.json").read_text(encoding="utf-8"))

TOOL = """\
kind: manual
build-depends: [base.bst, lib.bst]
variables:
  level: "1"
environment:
  FLAGS: -O2
config:
  install-commands:
  - mkdir -p %{install-root}%{prefix}
  - echo %{level} > %{install-root}%{prefix}/tool
"""


PREFIX = {"prefix": "/usr"}


def write_elements(space: TestSpace, variables: dict[str, str] = PREFIX) -> None:
    """app.bst is built with tool.bst, that with lib.bst, which needs data.bst at run time."""
    option = {"type": "bool", "default": False, "description": "Whether to debug"}
    space.project(variables=variables, options={"debug": option})
    for name in ("data", "more", "lib", "app"):
        space.write(f"files/{name}/{name}.txt", "x\n")
    source = "kind: import\nsources:\n- kind: local\n  path: files/{}\n"
    space.element("data.bst", source.format("data"))
    space.element("more.bst", source.format("more"))
    space.element("lib.bst", source.format("lib") + "runtime-depends: [data.bst]\n")
    space.element("tool.bst", TOOL)
    app = source.format("app").replace("import", "manual")
    space.element("app.bst", f"{app}build-depends: [base.bst, tool.bst]\n")


def build_all(space: TestSpace) -> TestSpace:
    space.shell_base()
    write_elements(space)
    space.bst("build", "app.bst", "more.bst")
    return space


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shell_base: Callable[[], Path]) -> TestSpace:
    return build_all(TestSpace(tmp_path_factory.mktemp("why"), shell_base))


@pytest.fixture
def built(shared: TestSpace) -> TestSpace:
    """All is built and as it was; for tests that leave the cache alone."""
    write_elements(shared)
    return shared


@pytest.fixture
def own(space: TestSpace) -> TestSpace:
    """All is built; for tests that change the cache."""
    return build_all(space)


def why(space: TestSpace, *targets: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(space.bst("why", "--json", *targets).stdout)
    assert complaints(report, SCHEMA) == []
    return report


def first(space: TestSpace, target: str = "app.bst") -> tuple[list[str], dict[str, Any]]:
    """The way from TARGET to the cause, and the only change."""
    (explanation,) = why(space, target)["targets"]
    (change,) = explanation["cause"]["changes"]
    return explanation["chain"], change


def place(change: dict[str, Any]) -> tuple[str, int]:
    return change["place"]["file"], change["place"]["line"]


def test_what_was_built_once(built: TestSpace) -> None:
    (explanation,) = why(built, "app.bst")["targets"]
    assert (explanation["cached"], explanation["cause"]) == (True, None)
    assert "It was built here once" in built.bst("why", "app.bst").stdout


def test_what_was_never_built(space: TestSpace) -> None:
    space.project()
    space.element("new.bst", "kind: stack\n")
    (explanation,) = why(space, "new.bst")["targets"]
    assert explanation["cause"]["kind"] == "never-built"
    assert "new.bst was never built here" in space.bst("why", "new.bst").stdout


def test_variable_of_the_project(built: TestSpace) -> None:
    write_elements(built, {"prefix": "/opt"})
    (explanation,) = why(built, "tool.bst")["targets"]
    change = next(c for c in explanation["cause"]["changes"] if c["subject"] == "variable")
    assert (change["name"], change["old"], change["new"]) == ("prefix", "/usr", "/opt")
    assert place(change) == ("project.conf", 4)
    # what follows from it is not told as something else
    assert len(explanation["cause"]["changes"]) == 1


def test_variable_of_the_element(built: TestSpace) -> None:
    built.element("tool.bst", TOOL.replace('"1"', '"2"'))
    chain, change = first(built)
    assert chain == ["app.bst", "tool.bst"]
    assert (change["subject"], change["name"], change["old"], change["new"]) == (
        "variable",
        "level",
        "1",
        "2",
    )
    assert place(change) == ("tool.bst", 4)
    text = built.bst("why", "app.bst").stdout
    assert "app.bst < tool.bst\n" in text
    assert "  tool.bst:4:9: variable level was changed\n    - 1\n    + 2\n" in text
    assert "touches 1 element directly, and 1 element built with it\n" in text


def test_command_and_environment(built: TestSpace) -> None:
    built.element("tool.bst", TOOL.replace("mkdir -p", "mkdir -vp").replace("-O2", "-O3"))
    (explanation,) = why(built, "app.bst")["targets"]
    changes = {change["subject"]: change for change in explanation["cause"]["changes"]}
    assert set(changes) == {"configuration", "environment"}
    assert place(changes["configuration"]) == ("tool.bst", 9)
    assert changes["configuration"]["name"] == "install-commands.0"
    assert (changes["environment"]["old"], changes["environment"]["new"]) == ("-O2", "-O3")
    assert place(changes["environment"]) == ("tool.bst", 6)


def test_command_that_was_put_in(built: TestSpace) -> None:
    built.element("tool.bst", TOOL.replace("  install-commands:\n", "  install-commands:\n  - 'true'\n"))
    _, change = first(built)
    assert (change["old"], change["new"], place(change)) == (None, "true", ("tool.bst", 9))


def test_source(built: TestSpace) -> None:
    built.write("files/app/app.txt", "y\n")
    chain, change = first(built)
    assert chain == ["app.bst"]
    assert change["subject"] == "source"
    assert change["name"] == "local files/app"
    assert place(change) == ("app.bst", 3)


def test_dependency_that_was_added_or_removed(built: TestSpace) -> None:
    built.element("tool.bst", TOOL.replace("lib.bst]", "more.bst]"))
    (explanation,) = why(built, "app.bst")["targets"]
    changes = {change["name"]: change for change in explanation["cause"]["changes"]}
    assert set(changes) == {"more.bst", "lib.bst"}
    assert changes["more.bst"]["old"] is None
    assert place(changes["more.bst"]) == ("tool.bst", 2)
    assert changes["lib.bst"]["new"] is None


def test_what_a_dependency_needs_at_run_time(built: TestSpace) -> None:
    # the key of lib.bst stays the same
    built.write("files/data/data.txt", "other\n")
    chain, change = first(built)
    assert chain == ["app.bst", "tool.bst", "data.bst"]
    assert change["subject"] == "source"


def test_new_dependency_at_run_time_of_a_dependency(built: TestSpace) -> None:
    lib = built.read("elements/lib.bst").replace("[data.bst]", "[data.bst, more.bst]")
    built.element("lib.bst", lib)
    chain, change = first(built)
    assert chain == ["app.bst", "tool.bst"]
    assert (change["subject"], change["name"], place(change)) == ("dependency", "more.bst", ("lib.bst", 5))


def test_dependency_that_was_built_already(own: TestSpace) -> None:
    own.element("tool.bst", TOOL.replace('"1"', '"2"'))
    own.bst("build", "tool.bst")
    chain, change = first(own)
    assert (chain, change["name"]) == (["app.bst", "tool.bst"], "level")
    # and why that was built
    (explanation,) = why(own, "tool.bst")["targets"]
    assert explanation["cached"]
    assert explanation["cause"]["changes"][0]["name"] == "level"
    assert "is cached. It was built, for this changed since" in own.bst("why", "tool.bst").stdout


def test_artifact_that_is_gone(own: TestSpace) -> None:
    own.bst("artifact", "delete", "tool.bst")
    (explanation,) = why(own, "tool.bst")["targets"]
    assert explanation["cause"]["kind"] == "not-cached"


def test_without_the_old_artifact_the_change_is_known_still(own: TestSpace) -> None:
    own.bst("artifact", "delete", "tool.bst")
    own.element("tool.bst", TOOL.replace("mkdir -p", "mkdir -vp"))
    _, change = first(own, "tool.bst")
    assert change["name"] == "install-commands.0"


def test_cached_failure(own: TestSpace) -> None:
    own.element("tool.bst", TOOL.replace("- mkdir", "- false; mkdir"))
    own.bst("build", "app.bst", expect=255)
    (explanation,) = why(own, "tool.bst")["targets"]
    assert explanation["cause"]["kind"] == "failed"


def test_built_with_other_options(own: TestSpace) -> None:
    conditional = TOOL.replace('  level: "1"\n', '  level: "1"\n  (?):\n  - debug:\n      level: debug\n')
    own.element("tool.bst", conditional)
    own.bst("build", "app.bst")
    report = json.loads(own.bst("--option", "debug", "True", "why", "--json", "app.bst").stdout)
    (explanation,) = report["targets"]
    (change,) = explanation["cause"]["changes"]
    assert (change["name"], change["new"], place(change)) == ("level", "debug", ("tool.bst", 7))


def test_causes_of_all(built: TestSpace) -> None:
    built.element("tool.bst", TOOL.replace('"1"', '"2"'))
    built.write("files/more/more.txt", "y\n")
    report = why(built, "app.bst", "more.bst")
    assert (report["to-build"], len(report["causes"])) == (3, 2)
    assert [(cause["elements"], cause["touched"]) for cause in report["causes"]] == [
        (["tool.bst"], 1),
        (["more.bst"], 0),
    ]
    assert "3 of 6 elements have to be built" in built.bst("why", "app.bst", "more.bst").stdout


def test_damaged_inputs_count_as_none(own: TestSpace) -> None:
    for path in (own.cache_directory / "inputs" / "test" / "tool").iterdir():
        path.write_text("{")
    own.element("tool.bst", TOOL.replace('"1"', '"2"'))
    (explanation,) = why(own, "tool.bst")["targets"]
    assert explanation["cause"]["kind"] == "never-built"


def test_bad_input(built: TestSpace) -> None:
    result = built.bst("why", "tol.bst", expect=255)
    assert "tol.bst" in result.stderr
    assert "tool.bst" in result.stderr  # did you mean
