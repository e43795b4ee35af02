"""`bst cache ...`."""

import sys

import click

from .invocation import FAILURE, Invocation, execute
from .options import CONTEXT_SETTINGS, deps_option, elements_argument

_DEPS = "none build run all"


@click.group(short_help="Look after the local cache", context_settings=CONTEXT_SETTINGS)
def cache() -> None:
    """Shows, checks and cleans up the local cache of artifacts and sources.

    It is kept within the limits that the user configuration sets under `cache`
    without any of these commands.
    """


@cache.command(short_help="Show what the cache takes, and for what")
@click.option("--json", "as_json", is_flag=True, help="Report for machines")
@click.pass_context
def info(context: click.Context, *, as_json: bool) -> None:
    """Shows sizes by project, element, kind and age.

    What several need is counted for the one that was used last.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.cache_info import cache_info
        from .._ui.cachereport import render_info, render_info_json

        found = cache_info(invocation.app)
        sys.stdout.write(render_info_json(found) if as_json else render_info(found))

    execute(context, run)


@cache.command(short_help="Check that everything in the cache is what it should be")
@click.option("--repair", is_flag=True, help="Put aside what is wrong, so that it is fetched or built again")
@click.option("--json", "as_json", is_flag=True, help="Report for machines")
@click.pass_context
def check(context: click.Context, *, repair: bool, as_json: bool) -> None:
    """Reads everything in the cache and reports what is corrupt, incomplete or damaged.

    The exit status is 0 if all is well, or has been repaired. May run beside builds.
    """

    def run(invocation: Invocation) -> int:
        from .._commands.cache_check import check_cache
        from .._ui.cachereport import render_check, render_check_json

        report = check_cache(invocation.app, repairs=repair)
        sys.stdout.write(render_check_json(report) if as_json else render_check(report, repairs=repair))
        return 0 if report.is_sound or repair else FAILURE

    execute(context, run)


@cache.command(short_help="Make the cache smaller")
@click.option("--size", metavar="SIZE", help="How much to leave, such as 20G  [default: by the quota]")
@click.option(
    "--unused-for",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    help="Also delete what was not used for so many days",
)
@click.option("--dry-run", is_flag=True, help="Only show what would go")
@click.pass_context
def clean(context: click.Context, size: str | None, unused_for: float | None, *, dry_run: bool) -> None:
    """Shows what goes, and what it costs to build it again; then deletes it.

    What nothing refers to goes in any case. Artifacts go by least recent use, never what is pinned,
    what open workspaces build upon or what running programs use.
    """

    def run(invocation: Invocation) -> None:
        from .._commands.cache_clean import clean_cache, plan_cleaning
        from .._ui.cachereport import render_cleaning
        from .._ui.statusbar import format_size

        plan = plan_cleaning(
            invocation.app, size_bytes=None if size is None else _size_bytes(size), unused_days=unused_for
        )
        sys.stdout.write(render_cleaning(plan))
        if dry_run:
            return
        sys.stdout.flush()
        if plan.artifacts and invocation.is_interactive and not click.confirm("Delete this?", err=True):
            return
        deleted_bytes, objects = clean_cache(invocation.app, plan)
        sys.stdout.write(f"Deleted {format_size(deleted_bytes)} in {objects} objects\n")

    execute(context, run)


@cache.command(short_help="Keep artifacts from being cleaned up")
@deps_option(_DEPS, default="none", help_text="The dependencies to pin as well")
@elements_argument("artifacts", required=True)
@click.pass_context
def pin(context: click.Context, deps: str, artifacts: tuple[str, ...]) -> None:
    """Pins ARTIFACTS, elements or artifact names that are cached, as they are now."""

    def run(invocation: Invocation) -> None:
        from .._commands.cache_pin import pin_artifacts

        pin_artifacts(invocation.app, artifacts=artifacts, deps=deps)

    execute(context, run)


@cache.command(short_help="Let clean-ups delete artifacts again")
@deps_option(_DEPS, default="none", help_text="The dependencies to unpin as well")
@elements_argument("artifacts", required=True)
@click.pass_context
def unpin(context: click.Context, deps: str, artifacts: tuple[str, ...]) -> None:
    """Takes the pins off ARTIFACTS; `bst cache info` lists them."""

    def run(invocation: Invocation) -> None:
        from .._commands.cache_pin import unpin_artifacts

        unpin_artifacts(invocation.app, artifacts=artifacts, deps=deps)

    execute(context, run)


def _size_bytes(text: str) -> int:
    """The number of bytes that TEXT means.

    Raises:
        LoadError: It is no size.
    """
    from .._config.sizes import SIZE_ADVICE, disk_share_from_text
    from .._exceptions import AppError

    share = disk_share_from_text(text, "2G 800M 0")
    if share.size_bytes is None:
        raise AppError(f"{text} is not a size.\n{SIZE_ADVICE}2G 800M 0")
    return share.size_bytes
