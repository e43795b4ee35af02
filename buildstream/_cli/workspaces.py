"""`bst workspace ...`."""

import click

from .invocation import execute_unavailable
from .options import CONTEXT_SETTINGS, elements_argument, force_option, source_remote_options
from .remotes import RemotePurpose


@click.group(short_help="Build from directories that you edit", context_settings=CONTEXT_SETTINGS)
def workspace() -> None:
    """Works with workspaces: directories with the sources of an element, which builds then use."""


@workspace.command("open", short_help="Open workspaces")
@click.option("--no-checkout", is_flag=True, help="Use the directory as it is, write no sources into it")
@force_option("Write into a directory that is not empty, or replace an open workspace")
@click.option("--directory", type=click.Path(file_okay=False), help="Where the workspace of one element is")
@source_remote_options(RemotePurpose.PULL)
@elements_argument(required=True)
@click.pass_context
def open_(context: click.Context, /, **_options: object) -> None:
    """Opens a workspace for each of ELEMENTS."""
    execute_unavailable(context)


@workspace.command("close", short_help="Close workspaces")
@click.option("--remove-dir", is_flag=True, help="Remove the directories of the workspaces as well")
@click.option("--all", "-a", "all_", is_flag=True, help="All open workspaces")
@elements_argument()
@click.pass_context
def close(context: click.Context, /, **_options: object) -> None:
    """Closes the workspaces of ELEMENTS."""
    execute_unavailable(context)


@workspace.command("reset", short_help="Bring workspaces back to their original state")
@click.option("--soft", is_flag=True, help="Keep the files; only the next build starts afresh")
@click.option("--all", "-a", "all_", is_flag=True, help="All open workspaces")
@elements_argument()
@click.pass_context
def reset(context: click.Context, /, **_options: object) -> None:
    """Replaces the content of the workspaces of ELEMENTS by their sources."""
    execute_unavailable(context)


@workspace.command("list", short_help="List open workspaces")
@click.pass_context
def list_(context: click.Context) -> None:
    """Lists the open workspaces of the project as YAML."""
    execute_unavailable(context)
