"""`bst shell`: what the command sees, and how it ends."""

import os
import pty
import select
import sys
from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace

_BUILD_ROOT = "/buildstream/test/hello.bst"


@pytest.mark.parametrize(
    ("arguments", "command", "expected"),
    [
        (("good.bst",), "pwd; ls /usr/share; cat /integrated", "/\nalias\nmain.c\nobject.o\nintegrated\n"),
        (("good.bst",), "echo $FROM_HOST $PS1; cat /opt/host",
         "<value> [KEY@good.bst:${PWD}]$\nof the host\n"),
        (("--isolate", "good.bst"), "echo $FROM_HOST; id -u; ls /opt", "\n0\n"),
        (("good.bst",), "touch /x /tmp/x; ls /tmp", "x\n"),
        (("--build", "hello.bst"), "pwd; ls; touch y; ls; touch /buildstream-install/z",
         f"{_BUILD_ROOT}\nmain.c\nmain.c\ny\n"),
        (("--use-buildtree", "hello.bst"), "pwd; ls", f"{_BUILD_ROOT}\nmain.c\nobject.o\n"),
        (("--use-buildtree", "broken.bst"), "cat left; echo new > new; cat new", "left\nnew\n"),
        (("--build", "needs-broken.bst"), "pwd", "/buildstream/test/needs-broken.bst\n"),
    ],
)  # fmt: skip
def test_what_a_command_sees(
    built: TestSpace, arguments: tuple[str, ...], command: str, expected: str
) -> None:
    key = built.keys(arguments[-1])[arguments[-1]][:8]
    result = built.bst(
        "shell", *arguments, "--", "sh", "-c", f"{command}; true", environment={"HOST_VALUE": "value"}
    )
    assert result.stdout == expected.replace("KEY", key)


def test_mounts(built: TestSpace) -> None:
    host = str(built.project_directory / "files" / "src")
    arguments = ("--mount", host, "/mnt/src", "good.bst", "--", "sh", "-c", "ls /mnt/src; true")
    result = built.bst("shell", *arguments)
    assert result.stdout == "main.c\n"
    assert "WARNING Not mounting non-existing host file: /absent" in result.stderr
    result = built.bst("shell", "--isolate", *arguments)
    assert result.stdout == ""


@pytest.mark.parametrize(("command", "status"), [("exit 42", 42), ("kill -9 $$", 137), ("exit 0", 0)])
def test_status_is_that_of_the_command(built: TestSpace, command: str, status: int) -> None:
    built.bst("shell", "good.bst", "--", "sh", "-c", command, expect=status)


def test_default_shell_reads_standard_input(built: TestSpace) -> None:
    assert built.bst("shell", "good.bst", stdin="echo out\nexit 5\n", expect=5).stdout == "out\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("needs-broken.bst", "true"), "shell-missing-deps"),
        (("good.bst", "absent-program"), "missing-command"),
        (("--use-buildtree", "needs-broken.bst", "true"), "missing-buildtree-artifact-not-cached"),
        (("NAME", "true"), "only-buildtrees-supported"),
        (("--use-buildtree", f"test/absent/{'0' * 64}", "true"), "missing-buildtree-artifact-not-cached"),
    ],
)
def test_errors(built: TestSpace, arguments: tuple[str, ...], reason: str) -> None:
    name = f"test/hello/{built.keys('hello.bst')['hello.bst']}"
    words = [name if word == "NAME" else word for word in arguments]
    result = built.bst("shell", *words, expect=255)
    assert result.error == RecordedError("APP", reason)
    assert "\nError launching shell: " in result.stderr


def test_artifact_without_build_tree(project: TestSpace) -> None:
    project.bst("build", "plain.bst")
    result = project.bst("shell", "--use-buildtree", "plain.bst", "true", expect=255)
    assert result.error == RecordedError("APP", "missing-buildtree-artifact-created-without-buildtree")


def test_build_tree_of_an_artifact_without_project(built: TestSpace, tmp_path: Path) -> None:
    name = f"test/hello/{built.keys('hello.bst')['hello.bst']}"
    result = built.bst("shell", "--use-buildtree", name, "--", "sh", "-c", "pwd; ls", cwd=tmp_path)
    assert result.stdout == f"{_BUILD_ROOT}\nmain.c\nobject.o\n"
    built.bst("shell", "--use-buildtree", name, cwd=tmp_path, expect=255)


def test_person_at_a_terminal_is_prompted(built: TestSpace) -> None:
    key = built.keys("good.bst")["good.bst"][:8]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(built.project_directory)
        arguments = [sys.executable, "-m", "buildstream", "--no-colors", "shell", "good.bst"]
        os.execve(sys.executable, arguments, {**built.environment(), "TERM": "dumb"})
    _read_until(terminal, f"[{key}@good.bst:/]$ ".encode())
    os.write(terminal, b"echo hel''lo\n")
    _read_until(terminal, b"hello\r\n")
    os.write(terminal, b"kill -9 $$\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 137
    os.close(terminal)


def _read_until(terminal: int, expected: bytes) -> None:
    output = b""
    while expected not in output:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, f"no {expected!r} in {output!r}"
        output += os.read(terminal, 4096)
