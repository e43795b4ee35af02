"""`bst show`: the report, byte for byte."""

import pytest

from tests.testutils.space import RecordedError, TestSpace


@pytest.mark.parametrize(
    ("element_format", "expected"),
    [
        ("%{name}|%{kind}|%{state}",
         "base.bst|import|cached\ndata.bst|import|cached\nhello.bst|manual|cached\n"),
        # line breaks that end a value are kept, those that end the format are not
        ("%{description}", "\n\nSays hello\n"),
        ("%{name}\n", "base.bst\n\ndata.bst\n\nhello.bst\n"),
        ("%{build-deps}%{runtime-deps}", "[][]\n[][]\n- base.bst- data.bst\n"),
        ("%{deps}", "[]\n[]\n- base.bst\n- data.bst\n"),
        ("%{workspaced}%{workspace-dirs}", "\n\n\n"),
        ("%{name: >9}%{kind!r}%{unknown}%%",
         " base.bst'import'%{unknown}%%\n data.bst'import'%{unknown}%%\nhello.bst'manual'%{unknown}%%\n"),
    ],
)  # fmt: skip
def test_formats(built: TestSpace, element_format: str, expected: str) -> None:
    assert built.bst("show", "--format", element_format, "hello.bst").stdout == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--deps", "none"), "hello.bst good.bst"),
        (("--deps", "run"), "data.bst hello.bst base.bst good.bst"),
        (("--deps", "build"), "base.bst data.bst hello.bst"),
        (("--deps", "all"), "base.bst data.bst hello.bst good.bst"),
        (("--order", "alpha"), "base.bst data.bst good.bst hello.bst"),
        (("--except", "data.bst"), "base.bst hello.bst good.bst"),
        (("--except", "hello.bst"), "base.bst good.bst"),
        (("--except", "good.bst", "--except", "hello.bst"), ""),
    ],
)
def test_selections(built: TestSpace, options: tuple[str, ...], expected: str) -> None:
    result = built.bst("show", "--format", "%{name}", *options, "hello.bst", "./good.bst", "hello.bst")
    assert result.stdout.split() == expected.split()


def test_glob_without_match_gives_an_empty_line(built: TestSpace) -> None:
    assert built.bst("show", "absent*.bst").stdout == "\n"


def test_digest_of_what_is_not_cached_is_empty(project: TestSpace) -> None:
    result = project.bst("show", "--format", "%{artifact-cas-digest}", "plain.bst")
    assert result.stdout == "\n"
    assert "WARNING Cannot obtain CAS digest because artifact is not cached" in result.stderr


def test_states_before_anything_is_built(project: TestSpace) -> None:
    assert project.states("good.bst") == {
        "base.bst": "buildable",
        "data.bst": "buildable",
        "hello.bst": "waiting",
        "good.bst": "waiting",
    }


def test_unaliased_url_is_warned_of(space: TestSpace) -> None:
    space.project()
    space.element(
        "remote.bst", f"kind: import\nsources:\n- kind: remote\n  url: file:///x\n  ref: {'0' * 64}\n"
    )
    result = space.bst("show", "--format", "%{state}", "remote.bst")
    assert result.stdout == "fetch needed\n"
    assert "[        ][    main:remote.bst                    ] WARNING [unaliased-url]: " in result.stderr
    space.project(**{"fatal-warnings": ["unaliased-url"]})
    assert space.bst("show", "remote.bst", expect=255).error == RecordedError("PLUGIN", "unaliased-url")
