"""What all commands have in common: global options, usage errors, projects that are not there."""

import re
from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--version",), 0),
        (("help",), 0),
        (("help", "build"), 0),
        (("help", "artifact", "log"), 0),
        (("show", "-h"), 0),
        ((), 2),
        (("artifact",), 2),
        (("--unknown",), 2),
        (("unknown",), 2),
        (("track", "x.bst"), 2),
        (("build", "--deps", "plan"), 2),
        (("--builders", "many", "show"), 2),
        (("-o", "name", "show"), 2),
        (("--config", "/absent", "show"), 2),
        (("--directory", "/absent", "show"), 255),
        (("help", "unknown"), 255),
        (("-o", "unknown", "value", "show", "plain.bst"), 255),
        (("show", "--except", "p*.bst", "plain.bst"), 255),
    ],
)
def test_status(built: TestSpace, arguments: tuple[str, ...], status: int) -> None:
    result = built.bst(*arguments, expect=status)
    if status:
        assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "reason"),
    [
        (("build", "a.bst", "b.bst"), "Unable to load elements: a.bst, b.bst", "project-not-loaded"),
        (("show",), "Unable to determine default targets", "project-not-loaded"),
        (("artifact", "show"), "Unable to determine default targets", "project-not-loaded"),
        (("build", "*.bst"), "Element glob expressions were specified without any project directory: *.bst",
         "glob-elements-without-project"),
    ],
)  # fmt: skip
def test_no_project(
    built: TestSpace, tmp_path: Path, arguments: tuple[str, ...], message: str, reason: str
) -> None:
    result = built.bst(*arguments, cwd=tmp_path, expect=255)
    assert result.error == RecordedError("STREAM", reason)
    assert f"\n{message}\n" in result.stderr


def test_log_file_has_what_was_shown(built: TestSpace, tmp_path: Path) -> None:
    path = tmp_path / "log"
    result = built.bst("--log-file", str(path), "build", "plain.bst")
    assert path.read_text() == result.stderr
    result = built.bst("--log-file", "-", "--no-verbose", "show", "--format", "%{name}", "plain.bst")
    assert "SUCCESS Resolving elements\n" in result.stdout
    assert result.stdout.endswith("\nplain.bst\n")


def test_lines_of_messages_and_failures(built: TestSpace) -> None:
    arguments = ("--message-lines", "0", "--error-lines", "0", "build", "--retry-failed", "broken.bst")
    stderr = built.bst(*arguments, expect=255).stderr
    assert "echo before" not in stderr
    assert "Message contains" not in stderr
    assert "Printing the last" not in stderr
    assert "Log file:     test/broken/" in built.bst("--no-verbose", "build", "broken.bst", expect=255).stderr


def test_limits_of_jobs_are_shown_and_obeyed(built: TestSpace) -> None:
    options = ("--fetchers", "3", "--builders", "0", "--pushers", "-1", "--network-retries", "5")
    stderr = built.bst(*options, "build", "plain.bst").stderr
    assert "Maximum Fetch Tasks:     3\n" in stderr
    assert "Maximum Build Tasks:     0\n" in stderr  # no limit
    assert "Maximum Push Tasks:      -1\n" in stderr
    assert "Maximum Network Retries: 5\n" in stderr


def test_debugging_shows_process_and_element_of_each_line(built: TestSpace) -> None:
    line = built.bst("--debug", "show", "plain.bst").stderr.splitlines()[0]
    assert re.fullmatch(r"pid:\d+ *element name:n/a {27}\[--:--:--\].*START   Loading elements", line), line
    assert "Traceback" in built.bst("--debug", "show", "absent.bst", expect=255).stderr


def test_message_format_is_checked(built: TestSpace, tmp_path: Path) -> None:
    path = tmp_path / "user.conf"
    path.write_text('logging:\n  message-format: "%{color}"\n')
    stderr = built.bst("--config", str(path), "show", "plain.bst", expect=255).stderr
    assert stderr.startswith(
        f"\nError loading user configuration: {path} [line 2 column 18]: "
        "Invalid logging.message-format: 'color' is not a valid log variable name."
    )
