"""`bst graph`."""

import sys

import click

from .invocation import Invocation, execute
from .options import deps_option, elements_argument, except_option


@click.command()
@deps_option("none run build all", default="all", help_text="Which dependencies are followed")
@except_option()
@click.option(
    "--format",
    "-f",
    "format_",
    default="dot",
    show_default=True,
    type=click.Choice(["dot", "mermaid", "text", "json"]),
    help="For Graphviz, for Mermaid, to read, or for programs",
)
@click.option(
    "--needing",
    "-n",
    metavar="ELEMENT",
    multiple=True,
    type=click.Path(readable=False),
    help="Only what needs this element, directly or not",
)
@click.option(
    "--path",
    "-p",
    metavar="FROM TO",
    nargs=2,
    type=click.Path(readable=False),
    help="Only a shortest way from one element to another that it needs",
)
@click.option("--all-paths", is_flag=True, help="With --path: all ways, not one of the shortest")
@elements_argument()
@click.pass_context
def graph(
    context: click.Context,
    deps: str,
    except_: tuple[str, ...],
    format_: str,
    needing: tuple[str, ...],
    path: tuple[str, str] | None,
    elements: tuple[str, ...],
    *,
    all_paths: bool,
) -> None:
    r"""Writes the graph of ELEMENTS and of what they need.

    Without ELEMENTS it is that of the default targets of the project, or of all
    its elements. Edges lead from an element to what it needs itself: dashed only
    to run, thin only to build, thick both.

    \b
        bst graph app.bst | dot -Tsvg > app.svg       everything that app.bst needs
        bst graph --deps run --format text app.bst    what it runs with, to read
        bst graph --needing zlib.bst                  everything that needs zlib.bst
        bst graph --path app.bst zlib.bst -f text     why app.bst needs zlib.bst
    """
    if path and (elements or needing or except_):
        raise click.UsageError("--path names all elements itself: no ELEMENTS, --needing or --except with it")
    if all_paths and not path:
        raise click.UsageError("--all-paths needs --path")

    def run(invocation: Invocation) -> None:
        from .._commands.graph import graph, path_graph
        from .._ui.graphreport import RENDERERS

        if path:
            start, end = path
            result = path_graph(invocation.app, start=start, end=end, deps=deps, has_all=all_paths)
        else:
            result = graph(invocation.app, elements=elements, excepted=except_, deps=deps, needing=needing)
        sys.stdout.write(RENDERERS[format_](result))

    execute(context, run)
