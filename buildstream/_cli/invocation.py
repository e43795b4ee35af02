"""One invocation: from the global options to an App, and from its errors to an exit status."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from .eventsinks import EventSinks
from .options import GlobalOptions

if TYPE_CHECKING:
    from .._commands.app import App, Settings
    from .._config import UserConfig
    from .._exceptions import BstError
    from .._load.settings import LoadSettings
    from .._messenger import Messenger
    from .._model.message import ElementLabel
    from .._model.session import CacheUsage
    from .._remotespec import RemoteExecutionSettings, RemoteSpec
    from .._ui.console import Console
    from .._ui.statusbar import StatusBar
    from .._ui.style import Paint
    from .frontend import FrontEnd

FAILURE = 255

_Value = TypeVar("_Value")


class Invocation:
    """The App of a command with what the front end knows beside it."""

    def __init__(self, options: GlobalOptions) -> None:
        """Raises BstError if the user configuration is wrong."""
        from .._config import environment_with_defaults

        self.options = options
        self.environment = environment_with_defaults(os.environ)
        # programs that are started later find the same directories
        os.environ.update(self.environment)
        self.config = _load_config(options, self.environment)
        self.is_interactive = _is_terminal() and not options.no_interactive
        self.has_colors = _is_terminal() if options.colors is None else options.colors
        with _naming_user_configuration():
            self.console, self.messenger = self._make_console()
        self.events = EventSinks(options, self.messenger, self.config.logdir)
        self.front_end = self._make_front_end()
        # the library of the remotes would write to standard error by itself
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        self.app = self._make_app()
        self.app.open_session_log = self.events.open_session_log

    @property
    def paint(self) -> "Paint":
        """Applies colours to results."""
        from .._ui.style import choose_paint

        return choose_paint(colors=self.has_colors)

    def _make_console(self) -> "tuple[Console, Messenger]":
        import time

        from .._messenger import Messenger
        from .._ui.console import Console
        from .._ui.logline import LogOptions
        from .._version import __version__

        options, logging = self.options, self.config.logging
        console = Console(
            sys.stderr,
            LogOptions(
                log_directory=self.config.logdir,
                message_format=logging.message_format,
                key_length=logging.key_length,
                verbose=_choose(options.verbose, logging.verbose),
                debug=self.is_debugging,
                error_lines=_choose(options.error_lines, logging.error_lines),
                message_lines=_choose(options.message_lines, logging.message_lines),
            ),
            colors=self.has_colors,
            log_file=options.log_file,
            # without a status bar lines need not wait for it
            throttled=logging.throttle_ui_updates and self.is_interactive,
            status_bar=self._make_status_bar() if self.is_interactive else None,
        )
        messenger = Messenger(
            console.handle,
            time.time,
            version=__version__,
            key_length=logging.key_length,
            subtask_report_s=0.0 if "BST_TEST_SUITE" in self.environment else 3.0,
            on_progress=console.show_progress,
        )
        return console, messenger

    def _make_status_bar(self) -> "StatusBar | None":
        import shutil

        from .._ui.statusbar import StatusBar, find_capabilities

        capabilities = find_capabilities(self.environment.get("TERM", ""), sys.stderr.fileno())
        if capabilities is None:
            return None
        return StatusBar(capabilities, shutil.get_terminal_size, paint=self.paint)

    @property
    def is_debugging(self) -> bool:
        """Whether debugging output is wanted."""
        return _choose(self.options.debug, self.config.logging.debug)

    def _make_front_end(self) -> "FrontEnd":
        from .frontend import FrontEnd, Manners

        manners = Manners(
            element_format=self.config.logging.element_format,
            can_ask=self.is_interactive,
            asks_on_failure=self.is_interactive and self.options.on_error is None,
            environment=self.environment,
        )
        return FrontEnd(self.console, self.messenger, manners, self._open_failed_sandbox, self._measure_cache)

    def _measure_cache(self) -> "CacheUsage":
        from .._commands.cleaning import cache_usage

        return cache_usage(self.app)

    def _open_failed_sandbox(self, name: str) -> None:
        from .._commands.shell import ShellOptions, shell
        from .._exceptions import BstError

        try:
            options = ShellOptions(self.shell_prompt, uses_buildtree=True, is_isolated=True, may_pull=False)
            shell(self.app, target=name, command=(), options=options)
        except BstError as error:
            click.echo(f"Error while attempting to create interactive shell: {error}", err=True)

    def shell_prompt(self, label: "ElementLabel") -> str:
        """The variable PS1 of a shell in the sandbox of an element."""
        from .._ui.shellprompt import shell_prompt

        key_length = self.config.logging.key_length
        return shell_prompt(label, paint=self.paint, key_length=key_length, colors=self.has_colors)

    def _make_app(self) -> "App":
        from .._commands.app import App

        return App(
            merge_settings(self.options, self.config),
            _load_settings(self.options, self.config, self.environment),
            self.messenger,
            self.front_end,
            start_directory=os.path.abspath(self.options.directory or _current_directory()),
        )

    def renew_app(self) -> "App":
        """A new App in place of the present one: everything is loaded afresh."""
        self.app.close()
        self.app = self._make_app()
        self.app.open_session_log = self.events.open_session_log
        return self.app

    def show_error(self, error: "BstError") -> int:
        """Shows ERROR as the end of a command does, and gives the exit status that it deserves."""
        return _end_with_error(error, self)

    def default_element(self, complaint: str) -> str:
        """The element of the workspace that the program was started in.

        Raises:
            AppError: There is none; says COMPLAINT.
        """
        from .._exceptions import AppError

        self.app.open_project()
        if self.app.default_element is None:
            raise AppError(complaint)
        return self.app.default_element

    def use_remotes(
        self,
        artifact_remotes: "Sequence[RemoteSpec]" = (),
        source_remotes: "Sequence[RemoteSpec]" = (),
        *,
        ignore_artifact: bool = False,
        ignore_source: bool = False,
    ) -> None:
        """Takes into account which remotes the command line names, and whether those of projects count."""
        settings = self.app.settings
        self.app.settings = replace(
            settings,
            artifact_caches=replace(
                settings.artifact_caches, given=tuple(artifact_remotes), ignores_recommended=ignore_artifact
            ),
            source_caches=replace(
                settings.source_caches, given=tuple(source_remotes), ignores_recommended=ignore_source
            ),
        )


def execute(context: click.Context, command: Callable[[Invocation], int | None]) -> None:
    """Runs COMMAND and ends the program with the status that it gives, or that its error has."""
    from .._exceptions import AppError, BstError

    invocation = None
    try:
        invocation = Invocation(context.ensure_object(GlobalOptions))
        try:
            status = command(invocation) or 0
        finally:
            invocation.app.close()
            invocation.events.close()
        sys.stdout.flush()
    except BstError as error:
        status = _end_with_error(error, invocation)
    except RecursionError:
        message = "Dependency depth is too large. Maximum recursion depth exceeded."
        click.echo(f"RecursionError: {message}", err=True)
        status = FAILURE
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # nobody reads any more: click ends quietly
        status = _end_with_error(AppError(str(error)), invocation)
    except Exception as error:  # noqa: BLE001 - a bug: the person gets a line that can be reported
        status = _end_with_bug(error, invocation)
    context.exit(status)


def merge_settings(options: GlobalOptions, config: "UserConfig") -> "Settings":
    """The settings of an App: the user configuration, overridden by OPTIONS."""
    from .._commands.app import Settings
    from .._remote.selection import RemoteChoice

    strict = {name: project.strict for name, project in config.projects.items()}

    def is_strict(project_name: str) -> bool:
        if options.strict is not None:
            return options.strict
        configured = strict.get(project_name)
        return True if configured is None else configured

    def remote_execution(project_name: str) -> "RemoteExecutionSettings | None":
        project = config.projects.get(project_name)
        own = None if project is None else project.remote_execution
        return config.remote_execution if own is None else own

    scheduler = config.scheduler
    return Settings(
        configuration_file=config.path,
        cache_directory=config.cachedir,
        log_directory=config.logdir,
        source_directory=config.sourcedir,
        fetchers=_choose(options.fetchers, scheduler.fetchers),
        builders=_choose(options.builders, scheduler.builders),
        job_server=_choose(options.jobserver, config.build.jobserver),
        build_timeout_s=_choose(options.build_timeout, config.build.timeout_s),
        pushers=_choose(options.pushers, scheduler.pushers),
        network_retries=_choose(options.network_retries, scheduler.network_retries),
        on_error=_choose(options.on_error, scheduler.on_error.value),
        retry_failed=config.build.retry_failed,
        build_dependencies=config.build.dependencies,
        cache_buildtrees=_choose(options.cache_buildtrees, config.cache.cache_buildtrees.value),
        is_strict=is_strict,
        quota=config.cache.quota,
        reserved_disk_space=config.cache.reserved_disk_space,
        low_watermark_percent=config.cache.low_watermark_percent,
        is_durable=config.cache.durability.value == "safe",
        pulls_buildtrees=options.pull_buildtrees or config.cache.pull_buildtrees,
        storage_service=config.cache.storage_service,
        remote_execution=remote_execution,
        artifact_caches=RemoteChoice(
            config.artifacts, {name: p.artifacts for name, p in config.projects.items() if p.artifacts}
        ),
        source_caches=RemoteChoice(
            config.source_caches,
            {name: p.source_caches for name, p in config.projects.items() if p.source_caches},
        ),
    )


def _load_settings(
    options: GlobalOptions, config: "UserConfig", environment: dict[str, str]
) -> "LoadSettings":
    from .._config import effective_max_jobs
    from .._load.settings import LoadSettings

    return LoadSettings(
        max_jobs=effective_max_jobs(_choose(options.max_jobs, config.build.max_jobs)),
        source_directory=config.sourcedir,
        cli_options=options.option,
        default_mirror=options.default_mirror,
        fetch_policy=config.fetch_policy.value,
        track_policy=config.track_policy.value,
        overrides={name: project.loading for name, project in config.projects.items()},
        host_environment=environment,
    )


def _load_config(options: GlobalOptions, environment: dict[str, str]) -> "UserConfig":
    from .._config import load_user_config

    with _naming_user_configuration():
        return load_user_config(options.config, environment)


@contextmanager
def _naming_user_configuration() -> Iterator[None]:
    """Says in the text of errors that they are about the user configuration."""
    from .._exceptions import LoadError

    try:
        yield
    except LoadError as error:
        error.args = (f"Error loading user configuration: {error}",)
        raise


def _end_with_error(error: "BstError", invocation: Invocation | None) -> int:
    from .._exceptions import BstError
    from .._ui.errors import render_error
    from .testhook import record_errors

    # a session that failed says nothing itself: it was caused by the error of its last failed job
    task = error.__cause__ if not str(error) else None
    record_errors(os.environ, main=error, task=task if isinstance(task, BstError) else None)
    is_debugging = invocation is not None and invocation.is_debugging
    click.echo(render_error(error, debug=is_debugging), err=True, nl=False)
    return FAILURE


def _end_with_bug(error: Exception, invocation: Invocation | None) -> int:
    import traceback

    from .._model.message import MessageType

    detail = "".join(traceback.format_exception(error))
    if invocation is None:
        click.echo(f"BUG: {error}\n\n{detail}", err=True)
    else:
        invocation.messenger.send(MessageType.BUG, str(error), detail=detail)
    return FAILURE


def _choose(given: _Value | None, configured: _Value) -> _Value:
    return configured if given is None else given


def _current_directory() -> str:
    from .._exceptions import AppError

    try:
        return os.getcwd()
    except OSError as error:
        raise AppError(
            f"The current directory can't be used: {error.strerror}",
            detail="Change to another directory, or name one with --directory.",
        ) from error


def _is_terminal() -> bool:
    return sys.stdout.isatty() and sys.stderr.isatty()
