"""`bst source ...`."""

from typing import TYPE_CHECKING

import click

from .invocation import Invocation, execute
from .options import (
    CONTEXT_SETTINGS,
    deps_option,
    elements_argument,
    except_option,
    force_option,
    source_remote_options,
    target_argument,
)
from .remotes import RemotePurpose

if TYPE_CHECKING:
    from .._remotespec import RemoteSpec

_DEPS = "none build run all"
_DEFAULT_DIRECTORY = "source-checkout"


@click.group(context_settings=CONTEXT_SETTINGS)
def source() -> None:
    """Works with the sources of elements."""


@source.command(short_help="Fetch sources")
@except_option()
@deps_option(_DEPS, default="none", help_text="The dependencies to fetch sources for")
@source_remote_options(RemotePurpose.PULL)
@elements_argument()
@click.pass_context
def fetch(
    context: click.Context,
    except_: tuple[str, ...],
    deps: str,
    source_remotes: "tuple[RemoteSpec, ...]",
    elements: tuple[str, ...],
    *,
    ignore_project_source_remotes: bool,
) -> None:
    """Makes the sources of ELEMENTS present in the local cache.

    Without ELEMENTS the default targets of the project are meant.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.source_fetch import fetch

        invocation.use_remotes((), source_remotes, ignore_source=ignore_project_source_remotes)
        fetch(invocation.app, elements=elements, excepted=except_, deps=deps)

    execute(context, run)


@source.command(short_help="Look for new versions of sources")
@except_option()
@deps_option(_DEPS, default="none", help_text="The dependencies to track")
@click.option("--cross-junctions", "-J", is_flag=True, help="Track elements of other projects as well")
@elements_argument()
@click.pass_context
def track(
    context: click.Context,
    except_: tuple[str, ...],
    deps: str,
    elements: tuple[str, ...],
    *,
    cross_junctions: bool,
) -> None:
    """Asks where the sources of ELEMENTS come from for new versions, and writes these down as refs.

    Without ELEMENTS the default targets of the project are meant. An element that only filters
    another one stands for that one.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.source_track import track

        track(
            invocation.app,
            elements=elements,
            excepted=except_,
            deps=deps,
            crosses_junctions=cross_junctions,
        )

    execute(context, run)


@source.command(short_help="Upload sources to a source cache")
@except_option()
@deps_option(_DEPS, default="none", help_text="The dependencies to push sources of")
@source_remote_options(RemotePurpose.PUSH)
@elements_argument()
@click.pass_context
def push(
    context: click.Context,
    except_: tuple[str, ...],
    deps: str,
    source_remotes: "tuple[RemoteSpec, ...]",
    elements: tuple[str, ...],
    *,
    ignore_project_source_remotes: bool,
) -> None:
    """Uploads the sources of ELEMENTS to the source caches that take them."""

    def run(invocation: Invocation) -> None:
        from .._commands.source_push import push

        invocation.use_remotes((), source_remotes, ignore_source=ignore_project_source_remotes)
        push(invocation.app, elements=elements, excepted=except_, deps=deps)

    execute(context, run)


@source.command(short_help="Write the sources of an element to a directory or tarball")
@force_option("Write into a directory that is not empty, or over a tarball")
@except_option()
@deps_option(_DEPS, default="none", help_text="The dependencies to check out sources of")
@click.option("--tar", metavar="LOCATION", type=click.Path(), help="Write a tarball instead of a directory")
@click.option("--compression", type=click.Choice(["gz", "xz", "bz2"]), help="Compression of the tarball")
@click.option("--include-build-scripts", is_flag=True, help="Add scripts that build the elements")
@click.option(
    "--directory",
    type=click.Path(file_okay=False),
    default=_DEFAULT_DIRECTORY,
    show_default=True,
    help="Where to write",
)
@source_remote_options(RemotePurpose.PULL)
@target_argument("element")
@click.pass_context
def checkout(
    context: click.Context,
    except_: tuple[str, ...],
    deps: str,
    tar: str | None,
    compression: str | None,
    directory: str,
    source_remotes: "tuple[RemoteSpec, ...]",
    element: str | None,
    *,
    force: bool,
    include_build_scripts: bool,
    ignore_project_source_remotes: bool,
) -> None:
    """Writes the sources of ELEMENT as a build would see them."""
    if tar and directory != _DEFAULT_DIRECTORY:
        _end_with_conflict(context, "ERROR: options --directory and --tar conflict")
    if compression and not tar:
        _end_with_conflict(context, "ERROR: --compression specified without --tar")

    def run(invocation: Invocation) -> None:
        from .._commands.source_checkout import SourceCheckoutOptions, checkout_sources

        invocation.use_remotes((), source_remotes, ignore_source=ignore_project_source_remotes)
        checkout_sources(
            invocation.app,
            target=element or invocation.default_element('Missing argument "ELEMENT".'),
            deps=deps,
            excepted=except_,
            options=SourceCheckoutOptions(
                tar or directory,
                is_tar=tar is not None,
                compression=compression or "",
                force=force,
                includes_scripts=include_build_scripts,
            ),
        )

    execute(context, run)


def _end_with_conflict(context: click.Context, text: str) -> None:
    click.echo(text, err=True)
    context.exit(255)
