"""`bst plan`."""

import sys
from typing import TYPE_CHECKING

import click

from .invocation import Invocation, execute
from .options import artifact_remote_options, deps_option, elements_argument
from .remotes import RemotePurpose

if TYPE_CHECKING:
    from .._remotespec import RemoteSpec


@click.command()
@deps_option(
    "none build run all",
    default=None,
    help_text="Which dependencies are wanted; configured by `build: dependencies`  [default: run]",
)
@artifact_remote_options(RemotePurpose.ALL)
@click.option("--retry-failed", "-r", is_flag=True, help="Plan to build what is cached as a failed build")
@click.option("--all", "shows_all", is_flag=True, help="List also what is cached or not needed")
@click.option("--json", "as_json", is_flag=True, help="Report for machines")
@elements_argument()
@click.pass_context
def plan(
    context: click.Context,
    deps: str | None,
    artifact_remotes: "tuple[RemoteSpec, ...]",
    elements: tuple[str, ...],
    *,
    ignore_project_artifact_remotes: bool,
    retry_failed: bool,
    shows_all: bool,
    as_json: bool,
) -> None:
    """Tells what `bst build` with the same arguments would do: what is cached, pulled, fetched
    and built.

    Times come from builds in the same cache directory. The forecast takes into
    account what waits for what, and how many builders work at once. Remote
    caches are asked what they have; nothing is downloaded or built.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.plan import plan
        from .._ui.planreport import render_json, render_text

        invocation.use_remotes(artifact_remotes, ignore_artifact=ignore_project_artifact_remotes)
        found = plan(invocation.app, elements=elements, deps=deps, retry_failed=retry_failed)
        sys.stdout.write(render_json(found) if as_json else render_text(found, shows_all=shows_all))

    execute(context, run)
