"""Completion of command lines."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from buildstream._cli.completion import candidates
from tests.testutils.space import TestSpace

GROUPS = [
    "artifact ",
    "build ",
    "cache ",
    "graph ",
    "help ",
    "init ",
    "lint ",
    "plan ",
    "report ",
    "shell ",
    "show ",
    "source ",
    "why ",
    "workspace ",
]
DEPS = ["none ", "build ", "run ", "all "]


def complete(line: str) -> list[str]:
    """What the last word of LINE, perhaps an empty one, can become."""
    *before, word = line.split(" ")
    return candidates(before[1:], word, {"HOME": "/nowhere"})


@pytest.fixture
def project(space: TestSpace, monkeypatch: pytest.MonkeyPatch) -> TestSpace:
    """A project with elements in folders, and other files."""
    space.project()
    for name in ("app.bst", "base/wanted.bst", "base/target.foo", "compose-all.bst", "target.bst.bar"):
        space.element(name, "kind: stack\n")
    for name in ("files/a", "files/sub/b", "other"):
        space.write(name, "")
    monkeypatch.chdir(space.project_directory)
    return space


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bst ", GROUPS),
        ("bst wo", ["workspace "]),
        ("bst workspace ", ["close ", "list ", "open ", "reset "]),
        ("bst artifact p", ["pull ", "push "]),
        ("bst --l", ["--log-file "]),
        ("bst --fetchers ", []),
        ("bst --fetchers 3 ", GROUPS),
        ("bst --no-colors w", ["why ", "workspace "]),
        ("bst --on-error ", ["continue ", "quit ", "terminate "]),
        ("bst build --deps ", DEPS),
        ("bst build --deps b", ["build "]),
        ("bst build --deps=", DEPS),
        ("bst build --deps=b", ["build "]),
        ("bst build --deps = b", ["build "]),  # as bash splits it
        ("bst help ", GROUPS),
        ("bst help work", ["workspace "]),
        ("bst help workspace o", ["open "]),
        ("bst help build ", []),
        ("bst workspace list ", []),
    ],
)
def test_words(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


def test_options_not_yet_used() -> None:
    names = ["--deps", "-d", "--artifact-remote", "--source-remote", "--retry-failed", "-r", "--watch", "-w"]
    names += [f"--ignore-project-{kind}-remotes" for kind in ("artifact", "source")]
    assert complete("bst --no-colors build -") == sorted(f"{name} " for name in names)
    left = complete("bst build -r --source-remote x -")
    assert "--retry-failed " not in left
    assert "--source-remote " in left  # may be repeated
    assert "--help " not in complete("bst -")


def test_elements(project: TestSpace) -> None:
    expected = ["app.bst ", "base/", "compose-all.bst "]
    assert complete("bst build ") == expected
    assert complete("bst show app.bst ") == expected
    assert complete("bst show --except ") == expected
    assert complete("bst build com") == ["compose-all.bst "]
    assert complete("bst build base") == ["base/wanted.bst "]
    assert complete("bst build base/") == ["base/wanted.bst "]
    assert complete("bst artifact checkout ap") == ["app.bst "]


def test_open_workspaces(project: TestSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete("bst workspace close ") == complete("bst build "), "none is open"
    directory = project.project_directory
    project.write(
        ".bst2/workspaces.yml",
        "format-version: 4\nworkspaces:\n  app.bst: {path: app}\n  'sub.bst:lib.bst': {path: lib}\n",
    )
    opened = ["app.bst ", "sub.bst:lib.bst "]
    assert complete("bst workspace close ") == opened
    assert complete("bst workspace reset --soft su") == ["sub.bst:lib.bst "]
    assert complete("bst workspace close app.bst ") == ["sub.bst:lib.bst "]
    # a filter may stand for one of them
    assert complete("bst workspace close com") == ["compose-all.bst "]
    assert complete("bst workspace open ap") == ["app.bst "]
    inside = project.directory / "elsewhere" / "deep"
    inside.mkdir(parents=True)
    owner = f"projects:\n- project-path: {directory}\n  element-name: app.bst\nformat-version: 1\n"
    (inside.parent / ".bstproject.yaml").write_text(owner)
    monkeypatch.chdir(inside)
    assert complete("bst workspace close ") == opened
    project.write(".bst2/workspaces.yml", "[")
    assert complete("bst workspace close ") == []


def test_elements_from_elsewhere(project: TestSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.project_directory / "files")
    assert complete("bst build ap") == ["app.bst "]
    assert complete("bst --directory ../ build ap") == ["app.bst "]
    # a directory that is given must itself hold the project
    assert complete("bst --directory sub build ") == []


def test_elements_of_project_without_element_path(space: TestSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    space.write("project.conf", "name: flat\nmin-version: 2.0\n")
    space.write("a.bst", "")
    space.write("sub/b.bst", "")
    monkeypatch.chdir(space.project_directory)
    assert complete("bst show ") == ["a.bst ", "sub/"]


def test_no_project_no_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert complete("bst build ") == []


def test_files_and_directories(project: TestSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete("bst --config ") == ["elements/", "files/", "other ", "project.conf "]
    assert complete("bst --config files") == ["files/a ", "files/sub/"]
    assert complete("bst --config files/") == ["files/a ", "files/sub/"]
    assert complete("bst --directory ") == ["elements/", "files/"]
    assert complete("bst artifact checkout --directory f") == ["files/"]
    assert complete("bst --config /not/there/") == []
    monkeypatch.chdir(project.project_directory / "files")
    assert complete("bst --config ../o") == ["../other "]


def test_the_program_prints_one_candidate_a_line(project: TestSpace) -> None:
    environment = {"_BST_COMPLETION": "complete", "COMP_WORDS": "bst build com", "COMP_CWORD": "2"}
    assert project.bst(environment=environment).stdout == "compose-all.bst \n"
    assert project.bst(environment={**environment, "COMP_CWORD": "0"}).stdout == ""


def test_artifacts_are_offered_after_elements(project: TestSpace) -> None:
    refs = project.cache_directory / "artifacts" / "refs" / "test" / "app"
    refs.mkdir(parents=True)
    (refs / ("0" * 64)).write_text("")
    environment = {"_BST_COMPLETION": "complete", "COMP_WORDS": "bst artifact log ", "COMP_CWORD": "3"}
    lines = project.bst(environment=environment).stdout.splitlines()
    assert lines == ["app.bst ", "base/", "compose-all.bst ", f"test/app/{'0' * 64}"]


def test_bash_script_fills_the_reply(project: TestSpace, tmp_path: Path) -> None:
    program = tmp_path / "bst"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m buildstream "$@"\n')
    program.chmod(0o755)
    code = (
        'source "$1"; COMP_WORDS=(bst build com); COMP_CWORD=2; _bst_completion "$2"; '
        "printf '<%s>' \"${COMPREPLY[@]}\""
    )
    script = Path(str(files("buildstream"))) / "data" / "completion" / "bst.bash"
    result = subprocess.run(
        ["bash", "-c", code, "bash", str(script), str(program)],
        env=project.environment(),
        cwd=project.project_directory,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "<compose-all.bst >"


@pytest.mark.parametrize(
    "lines",
    [
        "element-path: parts",
        "element-path:   parts  ",
        'element-path: "parts"',
        "element-path: parts  # where they are",
        "# element-path: elements\nelement-path: parts",
        "element-path:\n  parts",
        "title: |\n  element-path: elements\nelement-path: parts",
    ],
    ids=["plain", "blanks", "quoted", "comment", "comment before", "next line", "other text"],
)
def test_element_path_is_read_however_it_is_written(
    space: TestSpace, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    space.write("project.conf", f"name: demo\nmin-version: 2.0\n{lines}\n")
    space.write("parts/a.bst", "")
    space.write("elements/wrong.bst", "")
    monkeypatch.chdir(space.project_directory)
    assert complete("bst show ") == ["a.bst "]
