"""`bst build`: what is built, what is counted, and how it ends."""

import hashlib
import re

import pytest

from tests.testutils.space import RecordedError, TestSpace

_ORDERLY = ("--on-error", "continue", "--builders", "1", "--fetchers", "1")


def _counts(stderr: str) -> dict[str, tuple[int, ...]]:
    """The numbers of the pipeline summary."""
    summary = stderr.rpartition("Pipeline Summary\n")[2]
    lines = re.findall(r"^    ([\w ]+):(.*)$", summary, re.MULTILINE)
    return {name: tuple(map(int, re.findall(r"\d+", text))) for name, text in lines}


@pytest.mark.parametrize(
    ("deps", "session", "builds"),
    [
        # good.bst is built, so its build dependencies are wanted with what they need at run time
        pytest.param("none", 4, (4, 0, 0), id="none"),
        pytest.param("build", 3, (3, 0, 0), id="build: not the target"),
        pytest.param("run", 4, (4, 0, 0), id="run"),
        pytest.param("all", 4, (4, 0, 0), id="all"),
    ],
)
def test_first_build_counts(project: TestSpace, deps: str, session: int, builds: tuple[int, ...]) -> None:
    counts = _counts(project.bst(*_ORDERLY, "build", "--deps", deps, "good.bst").stderr)
    assert counts["Total"] == (4,), "everything reachable"
    assert counts["Session"] == (session,)
    assert counts["Build Queue"] == builds


def test_build_dependencies_of_cached_elements_are_not_built(project: TestSpace) -> None:
    project.bst("build", "hello.bst")
    project.bst("artifact", "delete", "base.bst")
    assert _counts(project.bst("build", "hello.bst").stderr)["Session"] == (2,)
    assert project.states("hello.bst")["base.bst"] == "buildable"
    project.bst("build", "--deps", "all", "hello.bst")
    assert project.states("hello.bst")["base.bst"] == "cached"


def test_cached_failure_is_replayed_until_it_is_discarded(project: TestSpace) -> None:
    first = project.bst(*_ORDERLY, "build", "broken.bst", expect=255)
    assert first.task_error == RecordedError("SANDBOX", "command-failed")
    assert "Command 'exit 7' failed with exitcode 7" in first.stderr
    shown = project.bst("show", "--deps", "none", "--format", "%{artifact-cas-digest}", "broken.bst").stdout
    assert shown == f"{hashlib.sha256().hexdigest()}/0\n", "as in 2.8, where a failure has an empty directory"

    replayed = project.bst(*_ORDERLY, "build", "needs-broken.bst", expect=255)
    assert "START   Running commands" not in replayed.stderr
    assert replayed.stderr.count("FAILURE Command failed") == 2, "once when it happens, once in the summary"
    assert _counts(replayed.stderr)["Build Queue"] == (0, 1, 1)

    retried = project.bst(*_ORDERLY, "build", "--retry-failed", "broken.bst", expect=255)
    key = project.keys("broken.bst")["broken.bst"]
    assert "INFO    Discarded failed build" in retried.stderr
    assert f"    Discarded '{key}'\n    because retrying failed builds is enabled.\n" in retried.stderr
    assert "START   Running commands" in retried.stderr


def test_non_strict_build_retries_failures_on_changed_dependencies(project: TestSpace) -> None:
    project.bst("build", "broken.bst", expect=255)
    project.write("files/base/new", "")
    result = project.bst("--no-strict", "build", "broken.bst", expect=255)
    assert "    in non strict mode because intermediate dependencies may have changed.\n" in result.stderr
    assert "START   Running commands" in result.stderr


def test_non_strict_build_keeps_what_depends_on_changed_elements(project: TestSpace) -> None:
    project.bst("build", "good.bst")
    project.write("files/base/new", "")
    assert project.states("good.bst")["hello.bst"] == "waiting"
    shown = project.bst("--no-strict", "show", "--format", "%{name} %{state} %{key}", "good.bst").stdout
    states = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert states["hello.bst"][0] == "cached"
    assert states["base.bst"] == ["buildable", project.keys("base.bst")["base.bst"][:8]]


def test_errors_before_the_session_end_it_with_a_failure(project: TestSpace) -> None:
    for target, reason in {"absent.bst": "MISSING_FILE", "test/x": "invalid-element-names"}.items():
        result = project.bst("build", target, expect=255)
        assert result.error is not None
        assert result.error.reason == reason
        assert "FAILURE Build" in result.stderr
        assert "Pipeline Summary" not in result.stderr


def test_glob_without_match_builds_nothing(project: TestSpace) -> None:
    result = project.bst("build", "absent*.bst")
    assert "WARNING No elements matched the glob expression: absent*.bst" in result.stderr
    assert "Loading elements" not in result.stderr
    assert _counts(result.stderr)["Total"] == (0,)


def test_junctions_cannot_be_built(project: TestSpace) -> None:
    project.write("sub/project.conf", "name: sub\nmin-version: 2.0\n")
    project.element("sub.bst", "kind: junction\nsources:\n- kind: local\n  path: sub\n")
    result = project.bst("build", "sub.bst", expect=255)
    assert "FAILURE Cannot build junction elements" in result.stderr


@pytest.mark.parametrize(
    ("elements", "token", "warning", "detail"),
    [
        pytest.param(
            ("left", "right"),
            "overlaps",
            "Non-whitelisted overlaps detected",
            "/etc/same: right.bst is not permitted to overlap other elements, order right.bst above left.bst",
            id="overlaps",
        ),
        pytest.param(
            ("left", "replacing"),
            "unstaged-files",
            "Not staging files which would have replaced non-empty directories",
            "From replacing.bst:\n      /etc",
            id="file in place of a directory",
        ),
        pytest.param(("left", "whitelisted"), "overlaps", None, None, id="whitelisted"),
    ],
)
def test_overlaps_are_warned_of(
    space: TestSpace, elements: tuple[str, str], token: str, warning: str | None, detail: str | None
) -> None:
    space.write("left/etc/same", "left")
    space.write("right/etc/same", "right")
    space.write("file/etc", "no directory")
    whitelist = "public:\n  bst:\n    overlap-whitelist: [/etc/same]\n"
    for name, path, more in (
        ("left", "left", ""),
        ("right", "right", ""),
        ("replacing", "file", ""),
        ("whitelisted", "right", whitelist),
    ):
        space.element(f"{name}.bst", f"kind: import\nsources:\n- kind: local\n  path: {path}\n{more}")
    depends = "".join(f"- {name}.bst\n" for name in elements)
    space.element("all.bst", f"kind: compose\nbuild-depends:\n{depends}")

    space.project(**{"fatal-warnings": [token]})
    if warning is None:
        space.bst("build", "all.bst")
        return
    failed = space.bst("build", "all.bst", expect=255)
    assert failed.task_error == RecordedError("PLUGIN", token)
    space.project()
    stderr = space.bst("build", "all.bst").stderr
    assert f"WARNING [{token}]: {warning}" in stderr
    assert detail is not None
    assert detail in stderr
