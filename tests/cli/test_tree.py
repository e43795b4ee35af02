"""The tree of commands: help, exit statuses, what is imported."""

import subprocess
import sys

import click
import pytest

from buildstream._cli.tree import bst
from tests.testutils.space import TestSpace


def all_commands(group: click.Group = bst, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command and group below GROUP."""
    found = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += all_commands(command, (*path, name))
    return found


def test_the_tree_is_complete() -> None:
    assert sorted(" ".join(words) for words in all_commands()) == [
        "artifact",
        "artifact checkout",
        "artifact delete",
        "artifact list-contents",
        "artifact log",
        "artifact pull",
        "artifact push",
        "artifact show",
        "build",
        "cache",
        "cache check",
        "cache clean",
        "cache info",
        "cache pin",
        "cache unpin",
        "graph",
        "help",
        "init",
        "lint",
        "plan",
        "report",
        "shell",
        "show",
        "source",
        "source checkout",
        "source fetch",
        "source push",
        "source track",
        "why",
        "workspace",
        "workspace close",
        "workspace list",
        "workspace open",
        "workspace reset",
    ]


def test_help_of_every_command_goes_to_stderr(space: TestSpace) -> None:
    # one process a group is enough: the texts come from the same place
    for words in ([], ["build"], ["source"], ["source", "fetch"], ["workspace", "open"]):
        result = space.bst("help", *words)
        assert result.stdout == ""
        assert result.stderr.startswith(f"Usage: {' '.join(['bst', *words])} ")


def test_help_option_of_every_command_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    for words in all_commands():
        if words == ("help",):
            continue
        for spelling in ("-h", "--help"):
            with pytest.raises(SystemExit) as ended:
                bst.main([*words, spelling], prog_name="bst")
            assert ended.value.code == 0
            assert capsys.readouterr().out.startswith(f"Usage: bst {' '.join(words)} ")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ([], 2, "Usage: bst"),
        (["source"], 2, "Usage: bst source"),
        (["nothing"], 2, "No such command 'nothing'"),
        (["fetch"], 2, "No such command 'fetch'"),  # was a command of version 1
        (["help", "--help"], 2, "No such option"),
        (["help", "nothing"], 255, "Not a valid command: 'bst nothing'"),
        (["help", "build", "more"], 255, "Not a valid command: 'bst build more'"),
        (["build", "--deps", "some"], 2, "Invalid value for '--deps'"),
        (["workspace", "open"], 2, "Missing argument"),
    ],
)
def test_wrong_words_end_with_status(space: TestSpace, arguments: list[str], status: int, text: str) -> None:
    result = space.bst(*arguments, expect=status)
    assert text in result.stderr
    assert result.stdout == ""


def test_version_is_all_that_is_printed(space: TestSpace) -> None:
    assert space.bst("--version").stdout == "2.8.1\n"
    assert space.bst("--no-colors", "--version").stdout == "2.8.1\n"


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_start_imports_click_alone(option: str) -> None:
    code = (
        "import sys; before = set(sys.modules); sys.argv[1:] = [sys.argv[1]]\n"
        "from buildstream._cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "own = {name for name in sys.modules if name.startswith('buildstream.')}\n"
        "assert new <= {'buildstream', 'click'}, new\n"
        "assert own <= {f'buildstream.{name}' for name in ('_version', '_cli', '_dataclass')} | "
        "{name for name in own if name.startswith('buildstream._cli.')}, own\n"
    )
    subprocess.run([sys.executable, "-c", code, option], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--hardlinks", "--tar", "x"], "ERROR: options --hardlinks and --tar conflict"),
        (["--directory", "d", "--tar", "x"], "ERROR: options --directory and --tar conflict"),
        (["--compression", "gz"], "ERROR: --compression can only be provided if --tar is provided"),
        (["--tar", "x.tar.zip"], "ERROR: Invalid file extension given with '--tar': Expected compression"),
    ],
)
def test_checkout_options_that_conflict(space: TestSpace, arguments: list[str], text: str) -> None:
    result = space.bst("artifact", "checkout", *arguments, "a.bst", expect=255)
    assert text in result.stderr
