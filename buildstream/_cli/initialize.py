"""`bst init`."""

import os
import sys
from typing import TYPE_CHECKING

import click

from .._version import __version__
from .options import GlobalOptions, force_option

if TYPE_CHECKING:
    from .._commands.init import NewProject

_DEFAULT_VERSION = ".".join(__version__.split(".")[:2])
_DEFAULT_ELEMENT_PATH = "elements"


@click.command()
@click.option("--project-name", help="Name of the project; asked for if it is not given")
@click.option(
    "--min-version",
    default=_DEFAULT_VERSION,
    show_default=True,
    help="The oldest version of BuildStream that the project works with",
)
@click.option(
    "--element-path",
    type=click.Path(),
    default=_DEFAULT_ELEMENT_PATH,
    show_default=True,
    help="Where the elements are, below the project directory",
)
@force_option("Replace an existing project.conf")
@click.argument("target_directory", required=False, type=click.Path(file_okay=False, writable=True))
@click.pass_context
def init(
    context: click.Context,
    project_name: str | None,
    min_version: str,
    element_path: str,
    target_directory: str | None,
    *,
    force: bool,
) -> None:
    """Creates a project in TARGET_DIRECTORY, by default in the current directory."""
    from .._commands.init import NewProject, create_project
    from .._exceptions import BstError

    options = context.ensure_object(GlobalOptions)
    try:
        path = create_project(
            target_directory or ".",
            lambda: _describe(options, project_name, NewProject("", min_version, element_path)),
            replaces=force,
            has_set_directory=options.directory is not None,
        )
    except BstError as error:
        _end_with_error(context, error, is_debugging=bool(options.debug))
    else:
        click.echo(f"\nCreated project.conf at: {path}", err=True)


def _describe(options: GlobalOptions, name: str | None, defaults: "NewProject") -> "NewProject":
    """The project to create: as given, or as the person says."""
    from dataclasses import replace

    from .._commands.init import validate_project
    from .._exceptions import AppError

    if name is not None:
        project = replace(defaults, name=name)
        validate_project(project)
        return project
    is_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    if options.no_interactive or not is_terminal:
        raise AppError(
            "Cannot initialize a new project without specifying the project name",
            detail="Name it with --project-name.",
            reason="unspecified-project-name",
        )
    return _ask(defaults, has_colors=options.colors is not False)


def _ask(defaults: "NewProject", *, has_colors: bool) -> "NewProject":
    from .._commands.init import NewProject, validate_element_path, validate_min_version, validate_name
    from .._ui.prompts import PromptStreams, TextQuestion, ask_text
    from .._ui.style import choose_paint

    streams = PromptStreams(sys.stdin, sys.stderr)
    paint = choose_paint(colors=has_colors)
    name = TextQuestion(
        "Choose a unique name for your project",
        (
            "The name identifies the project in user configurations and in shared caches.",
            "It may have letters, digits, dashes and underscores, and must not begin with a digit.",
        ),
        "Project name",
    )
    version = TextQuestion(
        "Select the minimum required BuildStream version for your project",
        ("Older versions will refuse to load the project.",),
        "Minimum version",
        defaults.min_version,
    )
    path = TextQuestion(
        "Select the element path",
        (
            "This directory below the project directory holds the elements of the project.",
            "All names of elements are relative to it.",
        ),
        "Element path",
        defaults.element_path,
    )
    return NewProject(
        name=ask_text(streams, name, validate_name, paint=paint),
        min_version=ask_text(streams, version, validate_min_version, paint=paint),
        element_path=ask_text(streams, path, validate_element_path, paint=paint),
    )


def _end_with_error(context: click.Context, error: Exception, *, is_debugging: bool) -> None:
    from .._exceptions import BstError
    from .._ui.errors import render_error
    from .testhook import record_errors

    assert isinstance(error, BstError)
    record_errors(os.environ, main=error, task=None)
    click.echo(render_error(error, debug=is_debugging), err=True, nl=False)
    context.exit(255)
