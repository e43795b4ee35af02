"""`bst why`."""

import sys

import click

from .invocation import Invocation, execute
from .options import elements_argument


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Report for machines")
@elements_argument()
@click.pass_context
def why(context: click.Context, elements: tuple[str, ...], *, as_json: bool) -> None:
    """Tells why ELEMENTS have to be built, or were built: what changed first, and where.

    What enters the cache keys is compared with what did in the last build in the
    same cache directory. For one element, the way to the first cause is shown:
    the variable, source, configuration or dependency that changed, with file,
    line and column, the old and the new value, and how many elements it touches.

    For several ELEMENTS, or without any, all that has to be built is grouped by
    first causes.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.why import why
        from .._ui.whyreport import render_json, render_text

        report = why(invocation.app, elements=elements)
        sys.stdout.write(render_json(report) if as_json else render_text(report))

    execute(context, run)
