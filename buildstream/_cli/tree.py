"""The tree of all commands."""

import click

from .._version import __version__
from .lazygroup import LazyGroup, Place
from .options import CONTEXT_SETTINGS, GlobalOptions

# imported when they are needed: importing all of them takes as long as parsing a command line
_COMMANDS = {
    "help": Place("helpcommand", "help_", "Show how to use a command"),
    "init": Place("initialize", "init", "Create a new project"),
    "build": Place("elements", "build", "Build elements"),
    "show": Place("elements", "show", "Show elements, their states and properties"),
    "graph": Place("graph", "graph", "Draw what elements need, and why"),
    "plan": Place("plan", "plan", "Tell what a build would do, and how long it would take"),
    "why": Place("why", "why", "Tell why elements are built"),
    "report": Place("report", "report", "Write a page about a session: timeline, graph, logs"),
    "lint": Place("lint", "lint", "Report everything that is wrong with a project"),
    "shell": Place("elements", "shell", "Run a command or a shell in the sandbox of an element"),
    "source": Place("sources", "source", "Fetch, track and check out sources"),
    "workspace": Place("workspaces", "workspace", "Build from directories that you edit"),
    "artifact": Place("artifacts", "artifact", "Check out, list and exchange artifacts"),
    "cache": Place("cache", "cache", "Look after the local cache"),
}


@click.group(cls=LazyGroup, places=_COMMANDS, context_settings=CONTEXT_SETTINGS)
@click.version_option(version=__version__, message="%(version)s", help="Show the version and exit")
@click.option(
    "--config",
    "-c",
    type=click.Path(exists=True, dir_okay=False, readable=True),
    help="User configuration to use",
)
@click.option(
    "--directory",
    "-C",
    type=click.Path(file_okay=False, readable=False),
    help="Where to look for the project  [default: the current directory]",
)
@click.option(
    "--on-error",
    type=click.Choice(["continue", "quit", "terminate"]),
    help="What a failed job means for the others",
)
@click.option("--fetchers", type=click.INT, help="How many downloads may run at once")
@click.option("--builders", type=click.INT, help="How many builds may run at once")
@click.option("--pushers", type=click.INT, help="How many uploads may run at once")
@click.option(
    "--max-jobs",
    type=click.IntRange(min=0),
    help="How many parallel jobs one build may use; 0 is automatic",
)
@click.option(
    "--jobserver",
    type=click.IntRange(min=0),
    help="How many jobs of make all builds together may run at once; 0: each as many as it wants",
)
@click.option(
    "--build-timeout",
    metavar="SECONDS",
    type=click.IntRange(min=0),
    help="How long one build may take; 0: as long as it wants",
)
@click.option("--network-retries", type=click.INT, help="How often a failed download is tried again")
@click.option("--no-interactive", is_flag=True, help="Never ask, and show no status bar")
@click.option("--verbose/--no-verbose", default=None, help="Say more")
@click.option("--debug/--no-debug", default=None, help="Say what helps to debug the program")
@click.option("--error-lines", type=click.INT, help="How many lines of the log of a failed job are shown")
@click.option("--message-lines", type=click.INT, help="How many lines of the detail of a message are shown")
@click.option(
    "--log-file", type=click.File(mode="w", encoding="UTF-8"), help="Copy the log lines to this file"
)
@click.option(
    "--event-log",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write what happens to this file, for machines: a JSON object a line",
)
@click.option(
    "--trace",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the times of all jobs to this file, as a Chrome trace",
)
@click.option("--colors/--no-colors", default=None, help="Whether to use colours")
@click.option("--strict/--no-strict", default=None, help="Whether to rebuild all that depends on a change")
@click.option(
    "--option",
    "-o",
    type=(str, str),
    multiple=True,
    metavar="OPTION VALUE",
    help="Set an option of the project",
)
@click.option("--default-mirror", help="The mirror to try first")
@click.option("--pull-buildtrees", is_flag=True, help="Download build trees along with artifacts")
@click.option(
    "--cache-buildtrees",
    type=click.Choice(["always", "auto", "never"]),
    help="When to keep build trees in artifacts",
)
@click.pass_context
def bst(context: click.Context, /, **options: object) -> None:
    """Builds and integrates software from declarative elements.

    These options override the user configuration.
    """
    context.obj = GlobalOptions(**options)  # type: ignore[arg-type]  # named and typed by the decorators
