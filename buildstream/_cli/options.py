"""The options that commands share, and what the global ones amount to."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TextIO, TypeVar

import click

from .._dataclass import dataclass

if TYPE_CHECKING:
    from .remotes import RemotePurpose


_Function = TypeVar("_Function", bound=Callable[..., Any] | click.Command)

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Decorator(Protocol):
    """Adds parameters to a command."""

    def __call__(self, function: _Function, /) -> _Function: ...


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was given before the command; None stands for what the user configuration says."""

    config: str | None  # path of the user configuration
    directory: str | None  # where the search for a project starts; None: the working directory
    on_error: str | None  # continue, quit or terminate
    fetchers: int | None
    builders: int | None
    pushers: int | None
    jobserver: int | None  # 0: none
    build_timeout: int | None  # seconds; 0: no limit
    max_jobs: int | None  # 0: automatic
    network_retries: int | None
    no_interactive: bool
    verbose: bool | None
    debug: bool | None
    error_lines: int | None
    message_lines: int | None
    log_file: TextIO | None
    event_log: str | None  # path of the file to write
    trace: str | None  # path of the file to write
    colors: bool | None  # None: as the terminal can
    strict: bool | None
    option: tuple[tuple[str, str], ...]  # name and value, for the toplevel project
    default_mirror: str | None
    pull_buildtrees: bool  # can only switch on
    cache_buildtrees: str | None  # always, auto or never


def deps_option(choices: str, *, default: str | None, help_text: str) -> Decorator:
    """`--deps` with CHOICES, a text of words."""
    return click.option(
        "--deps",
        "-d",
        default=default,
        show_default=default is not None,
        type=click.Choice(choices.split()),
        help=help_text,
    )


def except_option() -> Decorator:
    """`--except`, repeatable."""
    return click.option(
        "--except",
        "except_",
        metavar="ELEMENT",
        multiple=True,
        type=click.Path(readable=False),
        help="Leave out this element and what only it needs",
    )


def artifact_remote_options(purpose: "RemotePurpose") -> Decorator:
    """`--artifact-remote` and `--ignore-project-artifact-remotes`."""
    return _remote_options("artifact", purpose)


def source_remote_options(purpose: "RemotePurpose") -> Decorator:
    """`--source-remote` and `--ignore-project-source-remotes`."""
    return _remote_options("source", purpose)


def force_option(help_text: str) -> Decorator:
    """`--force`."""
    return click.option("--force", "-f", is_flag=True, help=help_text)


def elements_argument(name: str = "elements", *, required: bool = False) -> Decorator:
    """Any number of element names or globs."""
    return click.argument(name, nargs=-1, required=required, type=click.Path(readable=False))


def target_argument(name: str) -> Decorator:
    """One optional element or artifact name."""
    return click.argument(name, required=False, type=click.Path(readable=False))


def _remote_options(kind: str, purpose: "RemotePurpose") -> Decorator:
    from .remotes import RemoteParameter

    remote = click.option(
        f"--{kind}-remote",
        f"{kind}_remotes",
        metavar="REMOTE",
        multiple=True,
        type=RemoteParameter(purpose),
        help=f"Use this {kind} cache instead of the configured ones: a URL, or KEY=VALUE pairs with commas",
    )
    ignore = click.option(
        f"--ignore-project-{kind}-remotes",
        is_flag=True,
        help=f"Leave out the {kind} caches that projects recommend",
    )

    def decorate(function: _Function) -> _Function:
        return remote(ignore(function))

    return decorate
