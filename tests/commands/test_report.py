"""`bst report`: the page about a session, and where its time went."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.fault.background import Background
from tests.fault.projects import READY, write_endless_project
from tests.testutils.space import TestSpace


class Page(HTMLParser):
    """What a browser would load besides the page, and the data in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.data = ""
        self.opened: list[str] = []
        self._is_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.opened.append(tag)
        self._is_data = values.get("id") == "data"
        self.outside += [value for name, value in attrs if name in ("src", "href") and value]
        if tag in ("link", "iframe", "img"):
            self.outside.append(tag)

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        self._is_data = False


def read_page(text: str) -> dict[str, Any]:
    page = Page(text)
    assert page.outside == []
    assert page.opened.count("script") == 2, "nothing of the data may open or end a script"
    assert not re.search(r"https?://|@import|url\(", text)
    data: dict[str, Any] = json.loads(page.data)
    return data


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, shell_base: Any) -> TestSpace:
    """A session in which good.bst was built on base.bst, and bad.bst failed."""
    space = TestSpace(tmp_path_factory.mktemp("report"), shell_base)
    space.project()
    space.shell_base()
    space.element(
        "bad.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n"
        "  - |\n    echo '</script><b>angry</b>'; exit 3\n",
    )
    space.element("good.bst", "kind: stack\ndepends: [base.bst]\n")
    space.bst("--on-error", "continue", "build", "bad.bst", "good.bst", expect=255)
    return space


def test_page_of_the_last_session(failed: TestSpace) -> None:
    result = failed.bst("report")
    path = failed.project_directory / "bst-report.html"
    assert result.stdout == f"{path}\n"
    data = read_page(path.read_text(encoding="utf-8"))
    assert (data["session"]["outcome"], data["session"]["project"]) == ("failed", "test")
    assert [element["name"] for element in data["elements"]] == ["base.bst", "bad.bst", "good.bst"]
    names = [element["name"] for element in data["elements"]]
    bad = next(j for j in data["jobs"] if names[j["e"]] == "bad.bst" and j["action"] == "Build")
    assert (bad["outcome"], bad["error"]) == ("failed", "Command failed")
    assert "</script><b>angry</b>" in bad["tail"]
    assert [step[0] for step in bad["steps"]].count("Running commands") == 1
    assert all(job["start"] <= job["end"] <= data["session"]["elapsed"] + 1 for job in data["jobs"])
    assert data["elements"][1]["build"] == [0]
    path_names = [names[data["jobs"][number]["e"]] for number in data["path"]]
    assert path_names[0] == "base.bst"


def test_summary_has_at_most_five_lines(failed: TestSpace) -> None:
    lines = failed.bst("report", "--summary").stdout.splitlines()
    assert 3 <= len(lines) <= 5
    assert [line.split(":")[0] for line in lines[:3]] == ["Took", "Longest", "Critical path"]
    assert "base.bst" in lines[2]


def test_output_and_names_of_sessions(failed: TestSpace) -> None:
    (name,) = failed.bst("report", "--list").stdout.split()
    page = failed.bst("report", "-o", "-", name).stdout
    assert read_page(page)["session"]["name"] == "Build"
    log = failed.cache_directory / "logs" / ".sessions" / f"{name}.jsonl"
    assert failed.bst("report", "--output", "-", str(log)).stdout == page


def test_bad_input(failed: TestSpace, tmp_path: Path) -> None:
    (name,) = failed.bst("report", "--list").stdout.split()
    result = failed.bst("report", name[:-1], expect=255)
    assert name in result.stderr  # did you mean
    absent = tmp_path / "absent" / "r.html"
    result = failed.bst("report", "-o", str(absent), expect=255)
    assert f"'{absent}' can't be written: No such file or directory" in result.stderr
    for text, complaint in (
        ("", "is no event log"),
        ("nonsense\nmore\n", ":1:0: This is no line of an event log"),
        ('{"event":"log-started","time":1,"version":99,"program":"9","pid":1}\n', "has version 99"),
        ('{"event":"log-started","time":1,"version":1,"program":"9","pid":1}\n', "There is no session"),
    ):
        log = tmp_path / "log.jsonl"
        log.write_text(text)
        result = failed.bst("report", str(log), expect=255)
        assert complaint in result.stderr
        assert "Traceback" not in result.stderr


def test_no_session_yet(space: TestSpace) -> None:
    space.project()
    result = space.bst("report", expect=255)
    assert "There is no log of a session" in result.stderr
    assert space.bst("report", "--list").stdout == ""


def test_session_that_was_killed(space: TestSpace) -> None:
    write_endless_project(space)
    running = Background(space, "build", "endless.bst")
    running.wait_for(lambda: running.commands_wrote(READY))
    running.signal(signal.SIGKILL)
    running.end()
    data = read_page(space.bst("report", "-o", "-").stdout)
    assert data["session"]["outcome"] == "unfinished"
    assert data["jobs"][-1]["outcome"] == "unfinished"


def run_on_terminal(space: TestSpace, *arguments: str) -> str:
    """What the program shows on a terminal, until it ends."""
    main, terminal = pty.openpty()
    environment = space.environment() | {"TERM": "dumb"}
    with subprocess.Popen(
        [sys.executable, "-m", "buildstream", *arguments],
        cwd=space.project_directory,
        env=environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ):
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal tells that nobody writes any more
            while chunk := os.read(main, 4096):
                shown += chunk
    os.close(main)
    return shown.decode().replace("\r\n", "\n")


def test_times_are_shown_on_terminals_only(space: TestSpace) -> None:
    space.project()
    space.write("files/a", "a")
    space.element("a.bst", "kind: import\nsources:\n- kind: local\n  path: files/a\n")
    shown = run_on_terminal(space, "--no-colors", "build", "a.bst")
    before, title, times = shown.partition("\nTime Summary\n")
    assert title, shown
    assert "Pipeline Summary" in before
    assert 3 <= len(times.splitlines()) <= 5
    assert "    Critical path: a.bst (" in times
    # nothing was done: nothing took time
    assert "Time Summary" not in run_on_terminal(space, "--no-colors", "build", "a.bst")
    space.bst("artifact", "delete", "a.bst")
    assert "Time Summary" not in space.bst("build", "a.bst").stderr
