"""`bst build`, `bst show` and `bst shell`."""

import os
import sys
from typing import TYPE_CHECKING

import click

from .invocation import Invocation, execute
from .options import (
    artifact_remote_options,
    deps_option,
    elements_argument,
    except_option,
    source_remote_options,
    target_argument,
)
from .remotes import RemotePurpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._commands.app import App
    from .._remotespec import RemoteSpec

_Remotes = tuple["RemoteSpec", ...]


@click.command()
@deps_option(
    "none build run all",
    default=None,
    help_text="Which dependencies are wanted; configured by `build: dependencies`  [default: run]",
)
@artifact_remote_options(RemotePurpose.ALL)
@source_remote_options(RemotePurpose.ALL)
@click.option("--watch", "-w", is_flag=True, help="Build again whenever files of open workspaces change")
@click.option("--retry-failed", "-r", is_flag=True, help="Build again what is cached as a failed build")
@elements_argument()
@click.pass_context
def build(
    context: click.Context,
    deps: str | None,
    artifact_remotes: _Remotes,
    source_remotes: _Remotes,
    elements: tuple[str, ...],
    *,
    ignore_project_artifact_remotes: bool,
    ignore_project_source_remotes: bool,
    retry_failed: bool,
    watch: bool,
) -> None:
    r"""Builds ELEMENTS and what their building needs.

    Without ELEMENTS the default targets of the project are built, or all its
    elements if it declares none; inside a workspace, the element of the workspace.

    --deps tells what has to be in the cache afterwards:

    \b
        none   the elements alone
        build  their build dependencies, not the elements
        run    the elements and their runtime dependencies
        all    the elements and all dependencies

    With --watch, builds again each time files of the workspaces change that
    ELEMENTS are built from, until you press ^C.
    """

    def run(invocation: Invocation) -> int:
        from .._commands.build import build

        use_remotes(invocation)
        if watch:
            return _build_on_change(
                invocation, use_remotes, elements=elements, deps=deps, retry_failed=retry_failed
            )
        build(invocation.app, elements=elements, deps=deps, retry_failed=retry_failed)
        return 0

    def use_remotes(invocation: Invocation) -> None:
        invocation.use_remotes(
            artifact_remotes,
            source_remotes,
            ignore_artifact=ignore_project_artifact_remotes,
            ignore_source=ignore_project_source_remotes,
        )

    execute(context, run)


def _build_on_change(
    invocation: Invocation,
    use_remotes: "Callable[[Invocation], None]",
    *,
    elements: tuple[str, ...],
    deps: str | None,
    retry_failed: bool,
) -> int:
    import time

    from .._commands.watch import Clockwork, build_on_change

    is_first = True

    def open_app() -> "App":
        nonlocal is_first
        if not is_first:
            invocation.renew_app()
            use_remotes(invocation)
        is_first = False
        return invocation.app

    return build_on_change(
        open_app,
        invocation.show_error,
        Clockwork(time.monotonic, time.sleep),
        elements=elements,
        deps=deps,
        retry_failed=retry_failed,
    )


@click.command()
@except_option()
@deps_option("none run build all", default="all", help_text="Which dependencies are shown")
@click.option(
    "--order",
    default="stage",
    show_default=True,
    type=click.Choice(["stage", "alpha"]),
    help="In the order of staging, or by name",
)
@click.option(
    "--format", "-f", "format_", metavar="FORMAT", default=None, help="What to show of each element"
)
@click.option("--json", "as_json", is_flag=True, help="Show everything for programs, as one JSON object")
@elements_argument()
@click.pass_context
def show(
    context: click.Context,
    except_: tuple[str, ...],
    deps: str,
    order: str,
    format_: str | None,
    elements: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    r"""Shows ELEMENTS and their dependencies, one line each unless FORMAT says otherwise.

    FORMAT is a text with symbols such as %{name}; a width and an alignment may
    follow, as in %{state: >12}:

    \b
        %{name}                 name, with the junctions it is reached through
        %{kind}                 kind of element
        %{description}          description, on one line
        %{key}, %{full-key}     cache key, abbreviated and whole
        %{state}                cached, buildable, waiting, fetch needed, failed, ...
        %{config}               configuration as YAML
        %{vars}                 variables
        %{env}                  environment
        %{public}               public data
        %{workspaced}           (workspaced) if there is an open workspace
        %{workspace-dirs}       the directory of the workspace
        %{deps}                 names of all direct dependencies
        %{build-deps}           those needed to build
        %{runtime-deps}         those needed to run
        %{source-info}          what is known of the sources
        %{artifact-cas-digest}  digest of the files of the artifact
    """
    if as_json and format_ is not None:
        raise click.UsageError("--json and --format exclude each other")

    def run(invocation: Invocation) -> None:
        from .._commands.show import show, show_data
        from .._ui.elementjson import render_elements
        from .._ui.showformat import needs_state, render_report

        if as_json:
            data = show_data(invocation.app, elements=elements, excepted=except_, deps=deps, order=order)
            sys.stdout.write(render_elements(data))
            return
        logging = invocation.config.logging
        element_format = format_ or logging.element_format
        views = show(
            invocation.app,
            elements=elements,
            excepted=except_,
            deps=deps,
            order=order,
            needs_state=needs_state(element_format),
        )
        report = render_report(views, element_format, paint=invocation.paint, key_length=logging.key_length)
        sys.stdout.write(report)

    execute(context, run)


@click.command()
@click.option(
    "--build", "-b", is_flag=True, help="See what a build of the element sees, not what its users see"
)
@click.option(
    "--mount",
    "mounts",
    metavar="HOSTPATH PATH",
    type=(click.Path(exists=True), str),
    multiple=True,
    help="Show a file or directory of the host at a path of the sandbox",
)
@click.option("--isolate", is_flag=True, help="Isolate as strictly as a build")
@click.option("--live", is_flag=True, help="See the workspace itself and change it, not a copy; with --build")
@click.option("--use-buildtree", "-t", is_flag=True, help="See what the build left behind; implies --build")
@artifact_remote_options(RemotePurpose.ALL)
@source_remote_options(RemotePurpose.ALL)
@target_argument("target")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def shell(
    context: click.Context,
    mounts: tuple[tuple[str, str], ...],
    artifact_remotes: _Remotes,
    source_remotes: _Remotes,
    target: str | None,
    command: tuple[str, ...],
    *,
    build: bool,
    isolate: bool,
    live: bool,
    use_buildtree: bool,
    ignore_project_artifact_remotes: bool,
    ignore_project_source_remotes: bool,
) -> None:
    """Runs COMMAND where TARGET is staged with its dependencies, by default an interactive shell.

    All that is staged must have been built; nothing is built for a shell.
    Write -- before a COMMAND that has options.
    """

    def run(invocation: Invocation) -> int:
        from .._commands.shell import ShellOptions, shell

        invocation.use_remotes(
            artifact_remotes,
            source_remotes,
            ignore_artifact=ignore_project_artifact_remotes,
            ignore_source=ignore_project_source_remotes,
        )
        host_mounts = tuple((host_path, os.path.expandvars(path)) for host_path, path in mounts)
        return shell(
            invocation.app,
            target=target or invocation.default_element('Missing argument "TARGET".'),
            command=command,
            options=ShellOptions(
                invocation.shell_prompt,
                is_build=build,
                uses_buildtree=use_buildtree,
                mounts=host_mounts,
                is_isolated=isolate,
                is_live=live,
            ),
        )

    execute(context, run)
