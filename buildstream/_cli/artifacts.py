"""`bst artifact ...`."""

import os
import sys
from typing import TYPE_CHECKING

import click

from .invocation import Invocation, execute
from .options import (
    CONTEXT_SETTINGS,
    artifact_remote_options,
    deps_option,
    elements_argument,
    force_option,
    target_argument,
)
from .remotes import RemotePurpose

if TYPE_CHECKING:
    from .._remotespec import RemoteSpec

_DEPS = "none build run all"
_COMPRESSIONS = ("gz", "xz", "bz2")


@click.group(context_settings=CONTEXT_SETTINGS)
def artifact() -> None:
    """Works with cached artifacts.

    Where a command takes ARTIFACTS, these are element names, artifact names of
    the form PROJECT/ELEMENT/KEY, or globs of either.
    """


@artifact.command(short_help="Show which artifacts are cached")
@deps_option(_DEPS, default="none", help_text="The dependencies to show")
@artifact_remote_options(RemotePurpose.PULL)
@elements_argument("artifacts")
@click.pass_context
def show(
    context: click.Context,
    deps: str,
    artifact_remotes: "tuple[RemoteSpec, ...]",
    artifacts: tuple[str, ...],
    *,
    ignore_project_artifact_remotes: bool,
) -> None:
    """Shows which of ARTIFACTS are cached, here or remotely."""

    def run(invocation: Invocation) -> None:
        from .._commands.artifact_show import artifact_states
        from .._ui.showformat import render_artifact_report

        invocation.use_remotes(artifact_remotes, ignore_artifact=ignore_project_artifact_remotes)
        states = artifact_states(invocation.app, artifacts=artifacts, deps=deps)
        sys.stdout.write(render_artifact_report(states, paint=invocation.paint))

    execute(context, run)


@artifact.command(short_help="Write an artifact to a directory or tarball")
@force_option("Write into a directory that is not empty, or over a tarball")
@deps_option("run build none all", default="run", help_text="The dependencies to check out")
@click.option("--integrate/--no-integrate", default=True, help="Whether to run integration commands")
@click.option("--hardlinks", is_flag=True, help="Link files of the cache instead of copying, if possible")
@click.option(
    "--tar",
    metavar="LOCATION",
    type=click.Path(),
    help="Write a tarball instead of a directory; - is standard output",
)
@click.option(
    "--compression",
    type=click.Choice(_COMPRESSIONS),
    help="Compression of the tarball; by default what its name says",
)
@click.option("--directory", type=click.Path(file_okay=False), help="Where to write")
@artifact_remote_options(RemotePurpose.PULL)
@target_argument("target")
@click.pass_context
def checkout(
    context: click.Context,
    deps: str,
    tar: str | None,
    compression: str | None,
    directory: str | None,
    artifact_remotes: "tuple[RemoteSpec, ...]",
    target: str | None,
    *,
    force: bool,
    integrate: bool,
    hardlinks: bool,
    ignore_project_artifact_remotes: bool,
) -> None:
    """Writes the files of TARGET, an element or an artifact name, and of its dependencies.

    The default directory has the name of the element without its suffix.
    """
    conflict = None
    if hardlinks and tar:
        conflict = "options --hardlinks and --tar conflict"
    elif directory and tar:
        conflict = "options --directory and --tar conflict"
    elif compression and not tar:
        conflict = "--compression can only be provided if --tar is provided"
    if conflict:
        click.echo(f"ERROR: {conflict}", err=True)
        context.exit(255)
    if tar and tar != "-":
        compression = _tar_compression(context, tar, compression)

    def run(invocation: Invocation) -> None:
        from .._commands.artifact_checkout import CheckoutOptions, checkout

        invocation.use_remotes(artifact_remotes, ignore_artifact=ignore_project_artifact_remotes)
        name = target or invocation.default_element('Missing argument "ELEMENT".')
        place = None if tar else directory or os.path.abspath(name.removesuffix(".bst"))
        checkout(
            invocation.app,
            target=name,
            deps=deps,
            options=CheckoutOptions(
                directory=place,
                tar=tar,
                compression=compression or "",
                force=force,
                integrates=integrate,
                hardlinks=hardlinks,
            ),
        )

    execute(context, run)


@artifact.command(short_help="Download artifacts")
@deps_option(_DEPS, default="none", help_text="The dependencies to pull")
@artifact_remote_options(RemotePurpose.PULL)
@elements_argument("artifacts")
@click.pass_context
def pull(
    context: click.Context,
    deps: str,
    artifact_remotes: "tuple[RemoteSpec, ...]",
    artifacts: tuple[str, ...],
    *,
    ignore_project_artifact_remotes: bool,
) -> None:
    """Downloads ARTIFACTS from the first artifact cache that has them."""

    def run(invocation: Invocation) -> None:
        from .._commands.artifact_exchange import pull

        invocation.use_remotes(artifact_remotes, ignore_artifact=ignore_project_artifact_remotes)
        pull(invocation.app, artifacts=artifacts, deps=deps)

    execute(context, run)


@artifact.command(short_help="Upload artifacts")
@deps_option(_DEPS, default="none", help_text="The dependencies to push")
@artifact_remote_options(RemotePurpose.PUSH)
@elements_argument("artifacts")
@click.pass_context
def push(
    context: click.Context,
    deps: str,
    artifact_remotes: "tuple[RemoteSpec, ...]",
    artifacts: tuple[str, ...],
    *,
    ignore_project_artifact_remotes: bool,
) -> None:
    """Uploads ARTIFACTS to all artifact caches that take them."""

    def run(invocation: Invocation) -> None:
        from .._commands.artifact_exchange import push

        invocation.use_remotes(artifact_remotes, ignore_artifact=ignore_project_artifact_remotes)
        push(invocation.app, artifacts=artifacts, deps=deps)

    execute(context, run)


@artifact.command(short_help="Show build logs")
@click.option(
    "--out", type=click.Path(file_okay=True, writable=True), help="Write the logs into this new directory"
)
@elements_argument("artifacts")
@click.pass_context
def log(context: click.Context, out: str | None, artifacts: tuple[str, ...]) -> None:
    """Shows the logs that were written when ARTIFACTS were built."""

    def run(invocation: Invocation) -> int:
        from .._commands.artifact_log import artifact_logs, write_logs

        if out is not None and os.path.lexists(out):
            click.echo(f"Error: {out} already exists", err=True)
            return 1
        logs = artifact_logs(invocation.app, artifacts=artifacts)
        if out is not None:
            write_logs(logs, out)
        else:
            for _, text in logs:
                invocation.front_end.page(f"{text}\n")
        return 0

    execute(context, run)


@artifact.command("list-contents", short_help="List the files of artifacts")
@click.option("--long", "-l", "long_", is_flag=True, help="Modes, kinds, sizes and link targets as well")
@elements_argument("artifacts")
@click.pass_context
def list_contents(context: click.Context, artifacts: tuple[str, ...], *, long_: bool) -> None:
    """Lists what is in ARTIFACTS, as far as they are cached here."""

    def run(invocation: Invocation) -> int:
        from .._commands.artifact_list_contents import artifact_contents
        from .contents import render_contents

        found = artifact_contents(invocation.app, artifacts=artifacts)
        if not found:
            click.echo("None of the specified artifacts are cached.", err=True)
            return 1
        sys.stdout.write(render_contents(found, paint=invocation.paint, is_long=long_))
        return 0

    execute(context, run)


@artifact.command(short_help="Remove artifacts from the local cache")
@deps_option(_DEPS, default="none", help_text="The dependencies to delete")
@elements_argument("artifacts")
@click.pass_context
def delete(context: click.Context, deps: str, artifacts: tuple[str, ...]) -> None:
    """Removes ARTIFACTS from the local cache."""

    def run(invocation: Invocation) -> None:
        from .._commands.artifact_delete import delete_artifacts

        delete_artifacts(invocation.app, artifacts=artifacts, deps=deps)

    execute(context, run)


def _tar_compression(context: click.Context, tar: str, given: str | None) -> str:
    """The compression of a tarball: as given, else as its name says; "" for none."""
    stem, _, suffix = tar.rpartition(".")
    if not stem.endswith(".tar") and suffix not in _COMPRESSIONS:
        return given or ""
    if suffix not in _COMPRESSIONS:
        click.echo(
            "ERROR: Invalid file extension given with '--tar': Expected compression with unknown "
            f"file extension ('.{suffix}'), supported extensions are ('.tar'), ('.gz'), ('.xz'), ('.bz2')",
            err=True,
        )
        context.exit(255)
    if given is None or given == suffix:
        return suffix
    click.echo(
        "WARNING: File extension and compression differ. File extension has been overridden by --compression",
        err=True,
    )
    return given
