"""`bst report`."""

import os
import sys

import click

from .invocation import Invocation, execute

_DEFAULT_OUTPUT = "bst-report.html"


@click.command()
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help=f"Where to write the page; - is standard output  [default: {_DEFAULT_OUTPUT}]",
)
@click.option("--summary", "as_summary", is_flag=True, help="Print where the time went, in five lines")
@click.option("--list", "lists", is_flag=True, help="List the sessions, newest last")
@click.argument("session", required=False)
@click.pass_context
def report(
    context: click.Context, output: str | None, session: str | None, *, as_summary: bool, lists: bool
) -> None:
    """Writes one HTML page about SESSION, by default the last one.

    The page shows what took the time, all jobs on a timeline, the graph of
    elements, and the logs of jobs. It needs no other file and no network, so it
    can be sent by mail or kept as a result of continuous integration.

    SESSION is a name that --list shows, or the file of an --event-log.
    """

    def run(invocation: Invocation) -> None:
        from .._ui.eventlog import session_logs

        directory = invocation.config.logdir
        if lists:
            sys.stdout.write("".join(f"{name}\n" for name in session_logs(directory)))
            return
        _report(directory, session, output, as_summary=as_summary)

    execute(context, run)


def _report(log_directory: str, words: str | None, output: str | None, *, as_summary: bool) -> None:
    from .._exceptions import AppError
    from .._ui.eventlog import SESSION_DIRECTORY, SESSION_SUFFIX, session_logs
    from .._ui.eventreader import find_session, read_session
    from .._ui.htmlreport import render_page, session_times

    directory = os.path.join(log_directory, SESSION_DIRECTORY)
    session = read_session(find_session(words, session_logs(log_directory), directory, SESSION_SUFFIX))
    if as_summary:
        rows = session_times(session) or [("Took", "no job ended")]
        width = max(len(label) for label, _ in rows)
        sys.stdout.write("".join(f"{label + ':':<{width + 1}} {text}\n" for label, text in rows))
        return
    page = render_page(session)
    if output == "-":
        sys.stdout.write(page)
        return
    path = output or _DEFAULT_OUTPUT
    try:
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(page)
    except OSError as error:
        raise AppError(f"The report '{path}' can't be written: {error.strerror}") from error
    sys.stdout.write(f"{os.path.abspath(path)}\n")
