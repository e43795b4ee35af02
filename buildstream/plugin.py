"""The common base of element, source and source mirror plugins."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

from ._exceptions import ImplError, PluginError
from ._model.message import MessageType
from ._requests import HostCommand
from .types import CORE_WARNING_TOKENS

if TYPE_CHECKING:
    from ._hosts import PluginHost
    from .node import MappingNode, ProvenanceInformation, ScalarNode

ResultType = TypeVar("ResultType")


class Plugin:
    """Base of all plugins; plugins derive from Element, Source, SourceMirror or a class below these.

    The core makes the object, then calls `configure()`.  Plugins never override
    `__init__()`: their state begins in `configure()`.

    Args:
        host: The engine's services for this object.
        name: Name of the element or the mirror; `{element name}-{index}` for a source.
    """

    BST_MIN_VERSION: ClassVar[str | None] = None
    """The oldest version of BuildStream that the plugin works with, such as "2.0".  Mandatory."""

    BST_PLUGIN_DEPRECATED: ClassVar[bool] = False
    """Whether a warning is shown when a project uses the plugin."""

    BST_PLUGIN_DEPRECATION_MESSAGE: ClassVar[str | None] = None
    """What to show with that warning."""

    _type_name: ClassVar[str] = "plugin"

    def __init__(self, host: "PluginHost", name: str) -> None:
        self._host = host
        self.name = name

    def __str__(self) -> str:
        return f"{self.get_kind()} {self._type_name} at {self._get_provenance()}"

    # to be implemented by plugins

    def configure(self, node: "MappingNode") -> None:
        """Reads the configuration; called once, when the object is made.

        Args:
            node: The composed configuration, its variables expanded.

        Raises:
            LoadError: The node accessors raise it for a wrong value; let it pass.
        """
        raise self._unimplemented("configure")

    def preflight(self) -> None:
        """Checks what the plugin needs; called once the element and all that it depends on are loaded.

        Raises:
            BstError: The plugin can't work.
        """
        raise self._unimplemented("preflight")

    def get_unique_key(self) -> Any:
        """Everything of the configuration that may change the result.

        Returns:
            A value made of dictionaries with text keys, lists, tuples, text,
            integers, booleans and None; the same at every call.
        """
        raise self._unimplemented("get_unique_key")

    # for plugins to call

    def get_kind(self) -> str:
        """The kind: the name of the module that defines the class."""
        return type(self).__module__.rpartition(".")[2]

    def node_get_project_path(
        self, node: "ScalarNode", *, check_is_file: bool = False, check_is_dir: bool = False
    ) -> str:
        """The path in NODE, relative to the project directory, once it is known to be valid.

        Args:
            check_is_file: Whether it must be a regular file.
            check_is_dir: Whether it must be a directory.

        Raises:
            LoadError: The path is absolute, does not exist, leads out of the
                project, is a symbolic link, or is of the wrong kind.
        """
        return self._host.check_project_path(node, check_is_file=check_is_file, check_is_dir=check_is_dir)

    def debug(self, brief: str, *, detail: str | None = None) -> None:
        """Emits a message that is shown only when debugging."""
        self._host.send(MessageType.DEBUG, brief, detail)

    def status(self, brief: str, *, detail: str | None = None) -> None:
        """Emits a message on progress, shown only when the output is verbose."""
        self._host.send(MessageType.STATUS, brief, detail)

    def info(self, brief: str, *, detail: str | None = None) -> None:
        """Emits a message that the person should see."""
        self._host.send(MessageType.INFO, brief, detail)

    def log(self, brief: str, *, detail: str | None = None) -> None:
        """Writes a message to the log of the task only."""
        self._host.send(MessageType.LOG, brief, detail)

    def warn(self, brief: str, *, detail: str | None = None, warning_token: str | None = None) -> None:
        """Emits a warning.

        Args:
            warning_token: Names the class of the warning, so that projects can
                make it fatal; one of CoreWarnings, or the plugin's own, which
                projects write as `{kind}:{token}`.

        Raises:
            PluginError: The project lists the token in `fatal-warnings`.
        """
        if warning_token:
            token = warning_token
            if token not in CORE_WARNING_TOKENS:
                token = f"{self.get_kind()}:{token}"
            brief = f"[{token}]: {brief}"
            if token in self._host.project.fatal_warnings:
                raise PluginError(f"{brief}\n{detail or ''}", reason=token)
        self._host.send(MessageType.WARN, brief, detail)

    @contextmanager
    def timed_activity(
        self, activity_name: str, *, detail: str | None = None, silent_nested: bool = False
    ) -> Iterator[None]:
        """Announces the start and the end of what the body does, with the time it took.

        Args:
            silent_nested: Whether messages of the body below INFO are hidden.
        """
        with self._host.activity(activity_name, detail=detail, silent_nested=silent_nested):
            yield

    def blocking_activity(
        self,
        target: Callable[..., ResultType],
        args: Sequence[Any],
        activity_name: str,
        *,
        detail: str | None = None,
        silent_nested: bool = False,
    ) -> ResultType:
        """Calls `target(*args)` inside a timed activity and gives its result.

        Raises:
            PluginError: TARGET raised an exception.
        """
        with self.timed_activity(activity_name, detail=detail, silent_nested=silent_nested):
            try:
                return target(*args)
            except Exception as error:
                import traceback

                raise PluginError(
                    "An error happened while running a blocking activity", detail=traceback.format_exc()
                ) from error

    def call(  # noqa: PLR0917  # a given signature
        self,
        args: Sequence[str],
        fail: str | None = None,
        fail_temporarily: bool = False,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[Any] | int | None = None,
        stdout: IO[Any] | int | None = None,
        stderr: IO[Any] | int | None = None,
    ) -> int:
        """Runs a command of the host; what it prints goes to the log unless told otherwise.

        Args:
            fail: What to report if the exit status is not zero; None to ignore it.
            fail_temporarily: Whether trying again might help.
            env: The complete environment, by default that of the process.

        Returns:
            The exit status.

        Raises:
            PluginError: The command failed and FAIL was given.
        """
        command = HostCommand(_texts(args), cwd, env, stdin, stdout, stderr)
        status, _ = self._run_host_command(command)
        self._check_status(status, fail, is_temporary=fail_temporarily)
        return status

    def check_output(  # noqa: PLR0917  # a given signature
        self,
        args: Sequence[str],
        fail: str | None = None,
        fail_temporarily: bool = False,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[Any] | int | None = None,
        stderr: IO[Any] | int | None = None,
    ) -> tuple[int, str]:
        """Runs a command of the host like `call()`, and gives what it printed too.

        Returns:
            The exit status, and the standard output as text.

        Raises:
            PluginError: The command failed and FAIL was given.
        """
        command = HostCommand(_texts(args), cwd, env, stdin, None, stderr, capture=True)
        status, output = self._run_host_command(command)
        self._check_status(status, fail, is_temporary=fail_temporarily)
        return status, output

    # for the core

    def _get_provenance(self) -> "ProvenanceInformation":
        """Where the plugin was declared."""
        return self._host.provenance

    def _unimplemented(self, method: str) -> ImplError:
        """The error for a missing mandatory method."""
        return ImplError(f"{self._type_name} plugin '{self.get_kind()}' does not implement {method}()")

    def _run_host_command(self, command: HostCommand) -> tuple[int, str]:
        self.status("Running host command", detail=" ".join(command.argv))
        return self._host.run_host_command(command)

    def _check_status(self, status: int, fail: str | None, *, is_temporary: bool) -> None:
        if status and fail:
            raise PluginError(f"{self}: {fail}", temporary=is_temporary)


def _texts(arguments: Sequence[str]) -> list[str]:
    return [os.fspath(argument) for argument in arguments]
