"""`bst lint`."""

import sys

import click

from .invocation import FAILURE, Invocation, execute
from .options import elements_argument


@click.command()
@click.option(
    "--ignore",
    "ignored",
    metavar="TOKEN",
    multiple=True,
    help="Leave out the warnings of this kind",
)
@click.option("--json", "as_json", is_flag=True, help="Report for machines")
@elements_argument()
@click.pass_context
def lint(
    context: click.Context, ignored: tuple[str, ...], elements: tuple[str, ...], *, as_json: bool
) -> None:
    """Reports all errors and warnings of ELEMENTS and of what they depend on, not only the first.

    Without ELEMENTS every element file of the project is looked at. Nothing is
    built, and nothing is downloaded but the projects behind junctions.

    Besides what every command complains of, there are warnings of:

    \b
        missing-ref          a source that has to be tracked first
        misspelt-public-key  a key of public data that resembles a known one
        misspelt-variable    a variable that nothing refers to and that resembles a known one
        unknown-domain       a split domain that no dependency has
        unused-alias         an alias that no source uses
        unused-nocache       environment-nocache names what is not in the environment

    --ignore takes these tokens, and those of the warnings of plugins. What a
    project lists in fatal-warnings is an error. The exit status is 255 if there
    are errors, else 0.
    """  # noqa: D301 - click keeps the lines of a paragraph after a real backspace only

    def run(invocation: Invocation) -> int:
        from .._commands.lint import lint
        from .._model.problem import Severity
        from .._ui.lintreport import render_json, render_text

        report = lint(invocation.app, elements=elements, ignored=ignored)
        sys.stdout.write(render_json(report) if as_json else render_text(report))
        return FAILURE if report.count(Severity.ERROR) else 0

    execute(context, run)
