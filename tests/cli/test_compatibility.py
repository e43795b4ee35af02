"""The tables of doc/source/using_compatibility.rst list every option of BuildStream 2.8, and real tests."""

import re
from pathlib import Path

import click

from buildstream._cli.tree import bst
from tests.vectors.invocations.steps import load_answers, load_scenarios

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "doc" / "source" / "using_compatibility.rst"


def options_in_tables() -> dict[str, set[str]]:
    """Spellings of options by command, "" for the global ones."""
    command, found = "", {}
    for line in PAGE.read_text("utf-8").splitlines():
        if line == "Global options" or (line.startswith("``bst ") and line.endswith("``")):
            command = line.strip("`").removeprefix("bst ") if line.startswith("`") else ""
            found[command] = set[str]()
        elif line.startswith("   * - ``"):
            found[command].update(re.findall(r"``(--?[^`]+)``", line))
    return found


def recorded_options() -> dict[str, set[str]]:
    """The same, as the help texts of BuildStream 2.8 have them; groups have none of their own."""
    usage = next(scenario for scenario in load_scenarios() if scenario.name == "usage")
    found = {}
    for step, answer in zip(usage.steps, load_answers(usage), strict=True):
        if step.reads == "options" and step.arguments[-1:] in (("--help",), ("-h",)):
            command = " ".join(step.arguments[:-1])
            if command not in ("source", "artifact", "workspace"):
                found[command] = set(answer.stdout.split()) - {"--help", "-h"}
    return found


def test_every_option_of_buildstream_2_8_has_a_row() -> None:
    assert options_in_tables() == recorded_options()


def test_every_option_exists() -> None:
    for path, options in options_in_tables().items():
        command: click.Command = bst
        for word in path.split():
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None
            command = found
        spellings = {
            spelling
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for spelling in (*parameter.opts, *parameter.secondary_opts)
        }
        assert options <= spellings, path


def test_every_test_that_is_named_exists() -> None:
    names = set(re.findall(r"``((?:\w+/)?test_\w+)``", PAGE.read_text("utf-8")))
    assert names
    assert [name for name in sorted(names) if not (TESTS / f"{name}.py").exists()] == []
