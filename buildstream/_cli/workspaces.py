"""`bst workspace ...`."""

import os
import sys
from typing import TYPE_CHECKING

import click

from .invocation import Invocation, execute
from .options import CONTEXT_SETTINGS, elements_argument, force_option, source_remote_options
from .remotes import RemotePurpose

if TYPE_CHECKING:
    from .._remotespec import RemoteSpec


@click.group(context_settings=CONTEXT_SETTINGS)
def workspace() -> None:
    """Works with workspaces: directories with the sources of an element, which builds then use."""


@workspace.command("open", short_help="Open workspaces")
@click.option("--no-checkout", is_flag=True, help="Use the directory as it is, write no sources into it")
@force_option("Replace what is in the directory, or an open workspace of the element")
@click.option("--track", is_flag=True, help="Look for newer versions of the sources first")
@click.option("--use-buildtree", is_flag=True, help="Put what the cached build left over the sources")
@click.option(
    "--directory", type=click.Path(file_okay=False), help="Where the workspace of the only element is"
)
@source_remote_options(RemotePurpose.PULL)
@elements_argument(required=True)
@click.pass_context
def open_(
    context: click.Context,
    directory: str | None,
    source_remotes: "tuple[RemoteSpec, ...]",
    elements: tuple[str, ...],
    *,
    no_checkout: bool,
    force: bool,
    track: bool,
    use_buildtree: bool,
    ignore_project_source_remotes: bool,
) -> None:
    """Opens a workspace for each of ELEMENTS: a directory with its sources, for you to change.

    As long as it is open, the element is built from what is in that directory.
    The directory is named after the element, below the working directory or what
    `workspacedir` in the user configuration says.

    With --use-buildtree, the directory also gets all that the build of the
    cached artifact has made, and the first build goes on from there.

    Nothing is overwritten without --force.
    """
    if use_buildtree and no_checkout:
        raise click.UsageError("--use-buildtree writes into the directory, which --no-checkout forbids")

    def run(invocation: Invocation) -> None:
        from .._commands.workspace_open import OpenOptions, open_workspaces

        invocation.use_remotes((), source_remotes, ignore_source=ignore_project_source_remotes)
        options = OpenOptions(
            parent=os.path.abspath(invocation.config.workspacedir),
            directory=None if directory is None else os.path.abspath(directory),
            force=force,
            has_checkout=not no_checkout,
            tracks=track,
            uses_buildtree=use_buildtree,
        )
        open_workspaces(invocation.app, elements, options)

    execute(context, run)


@workspace.command("close", short_help="Close workspaces")
@click.option("--remove-dir", is_flag=True, help="Remove the directories of the workspaces as well")
@click.option("--all", "-a", "all_", is_flag=True, help="All open workspaces")
@elements_argument()
@click.pass_context
def close(context: click.Context, elements: tuple[str, ...], *, remove_dir: bool, all_: bool) -> None:
    """Closes the workspaces of ELEMENTS, or the workspace that you are in.

    The directories stay unless --remove-dir is given.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.workspaces import close_workspaces

        names = elements or (() if all_ else (invocation.default_element("No elements specified"),))
        if not close_workspaces(invocation.app, names, takes_all=all_, removes_directories=remove_dir):
            click.echo("No open workspaces to close", err=True)

    execute(context, run)


@workspace.command("reset", short_help="Bring workspaces back to their original state")
@click.option("--soft", is_flag=True, help="Keep the files; only the next build starts afresh")
@click.option("--all", "-a", "all_", is_flag=True, help="All open workspaces")
@elements_argument()
@click.pass_context
def reset(context: click.Context, elements: tuple[str, ...], *, soft: bool, all_: bool) -> None:
    """Replaces the content of the workspaces of ELEMENTS, or of the one that you are in, by the sources.

    With --soft no file is touched, but the next build configures and compiles
    everything again.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.workspace_open import reset_workspaces
        from .._commands.workspaces import reset_softly
        from .._exceptions import AppError

        if all_ and elements:
            raise AppError("Specify either --all or elements, not both")
        complaint = "No elements specified to reset"
        names = elements or (() if all_ else (invocation.default_element(complaint),))
        (reset_softly if soft else reset_workspaces)(invocation.app, names, takes_all=all_)

    execute(context, run)


@workspace.command("list", short_help="List open workspaces")
@click.pass_context
def list_(context: click.Context) -> None:
    """Lists the open workspaces of the project as YAML."""

    def run(invocation: Invocation) -> None:
        from .._commands.workspaces import list_workspaces
        from .._load.yamldump import dump

        entries = [
            {"element": found.element, "directory": found.directory}
            for found in list_workspaces(invocation.app)
        ]
        sys.stdout.write(dump({"workspaces": entries}))

    execute(context, run)
