"""What elements use to run commands on a tree of files."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import IntFlag
from typing import TYPE_CHECKING, Protocol

from .._exceptions import ImplError, SandboxError
from ._batch import Batch, BatchCommand, CleanDirectory, CreateFile

if TYPE_CHECKING:
    from ..storage import Directory


class _SandboxFlags(IntFlag):
    """How a command is run."""

    NONE = 0
    ROOT_READ_ONLY = 1  # only marked directories can be written
    NETWORK_ENABLED = 2  # the host's network, host name and IPC
    INTERACTIVE = 4  # the terminal of bst, and the devices of the host
    INHERIT_UID = 8  # user and group of the caller instead of the configured ones


class SandboxCommandError(SandboxError):
    """Raised by a sandbox when a command fails.

    Args:
        message: One sentence.
        detail: Further lines.
        collect: Sandbox path of what should be cached as partial output.
        reason: A stable identifier.
    """

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        collect: str | None = None,
        reason: str = "command-failed",
    ) -> None:
        super().__init__(message, detail=detail, reason=reason)
        self.collect = collect


class ActivityReporter(Protocol):
    """The part of the messenger that a sandbox uses."""

    def activity(self, name: str, *, detail: str | None = None) -> AbstractContextManager[object]: ...


class Sandbox:
    """A tree of files, and the means to run commands on it.

    This class itself can be staged into but runs nothing; the ones that run
    commands implement `_execute`.
    """

    def __init__(self, directory: "Directory", reporter: ActivityReporter) -> None:
        self._directory = directory
        self._reporter = reporter
        self._environment: Mapping[str, str] | None = None
        self._work_directory: str | None = None
        self._marked_directories: list[str] = []  # absolute sandbox paths, unique, in order
        self._batch: Batch | None = None
        self._may_run = True

    # --- interface for plugins ---

    def get_virtual_directory(self) -> "Directory":
        """The root of the tree.

        The same object every time; commands replace its content, so sub-directories
        that were opened before must be opened again.
        """
        return self._directory

    def set_environment(self, environment: Mapping[str, str]) -> None:
        """Sets the variables of the commands, which inherit none."""
        self._environment = environment

    def set_work_directory(self, directory: str) -> None:
        """Sets the absolute path in which commands start."""
        assert posixpath.isabs(directory), f"The work directory must be absolute: {directory}"
        self._work_directory = directory

    def mark_directory(self, directory: str) -> None:
        """Makes DIRECTORY, an absolute path, exist and be writable for commands."""
        assert posixpath.isabs(directory), f"A marked directory must be absolute: {directory}"
        path = posixpath.normpath(directory)
        if path not in self._marked_directories:
            self._marked_directories.append(path)

    def run(
        self,
        command: Sequence[str],
        *,
        root_read_only: bool = False,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        label: str | None = None,
    ) -> int | None:
        """Runs COMMAND, or adds it to the batch that is being collected.

        Args:
            command: A program, absolute or to be found in PATH, and its arguments.
            root_read_only: Whether only marked directories can be written.
            cwd: Where it starts, default is the work directory.
            env: Its variables, default are those set before.
            label: How the command is called in logs.

        Returns:
            The exit status, or None in a batch.

        Raises:
            SandboxCommandError: there is no such program.
            SandboxError: commands can't be run here.
        """
        if not self._may_run:
            # ends as a bug report: the plugin contradicts itself
            raise RuntimeError("Element.BST_RUN_COMMANDS is False, but the element runs commands")
        # a text alone is an old way to give a program without arguments
        argv = (command,) if isinstance(command, str) else tuple(command)
        work_directory = self._get_work_directory(cwd)
        variables = self._get_environment(work_directory, env)
        if self._batch is not None:
            self._check_batch_flags(self._batch, root_read_only)
            self._batch.items.append(BatchCommand(argv, work_directory, variables, label))
            return None
        flags = _SandboxFlags.ROOT_READ_ONLY if root_read_only else _SandboxFlags.NONE
        return self._run_with_flags(argv, flags=flags, cwd=work_directory, env=variables)

    @contextmanager
    def batch(
        self, *, root_read_only: bool = False, label: str | None = None, collect: str | None = None
    ) -> Iterator[None]:
        """Collects the commands of a `with` block; the outermost block runs them as one script.

        Args:
            root_read_only: As in `run`; the same for all that is in the block.
            label: How the group of commands is called; not shown.
            collect: Sandbox path of what should be cached as partial output on failure.

        Raises:
            SandboxCommandError: a command failed; the following ones have not run.
        """
        if self._batch is not None:
            self._check_batch_flags(self._batch, root_read_only)
            yield
            return
        batch = Batch(root_read_only, collect)
        self._batch = batch
        try:
            yield
        finally:
            self._batch = None
        self._run_batch(batch)

    # --- interface for the engine ---

    def _run_with_flags(
        self, argv: tuple[str, ...], *, flags: _SandboxFlags, cwd: str, env: Mapping[str, str]
    ) -> int:
        """Runs one command now and gives its exit status; ENV is complete, with PWD."""
        if not self._has_command(argv[0], env):
            raise SandboxCommandError(
                f"Staged artifacts do not provide command '{argv[0]}'", reason="missing-command"
            )
        return self._execute(argv, flags=flags, cwd=cwd, env=env)

    def _execute(
        self, argv: tuple[str, ...], *, flags: _SandboxFlags, cwd: str, env: Mapping[str, str]
    ) -> int:
        """Runs one command and brings what it changed into the virtual directory."""
        raise ImplError(f"Sandbox of type '{type(self).__name__}' does not run commands")

    def _get_work_directory(self, cwd: str | None = None) -> str:
        """CWD, else the work directory that was set, else the root."""
        return cwd or self._work_directory or "/"

    def _get_environment(self, cwd: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """A copy of ENV, or of the environment that was set, with PWD last unless it had a place."""
        variables = self._environment if env is None else env
        if variables is None:
            raise TypeError("The environment of the sandbox has not been set")
        return {**variables, "PWD": cwd}

    def _disable_run(self) -> None:
        """Makes `run` a bug: the element has declared that it runs no commands."""
        self._may_run = False

    def _create_file(self, name: str, text: str = "") -> None:
        """Creates NAME, with TEXT, in the current directory of the batch, or in the work directory."""
        if self._batch is not None:
            self._batch.items.append(CreateFile(name, text))
            return
        path = posixpath.join(self._get_work_directory(), name).lstrip("/")
        with self._directory.open_file(path, mode="w") as file:
            file.write(text)

    def _clean_directory(self, path: str) -> None:
        """Empties the directory PATH, an absolute sandbox path, now or within the batch."""
        if self._batch is not None:
            self._batch.items.append(CleanDirectory(path))
            return
        relative = path.lstrip("/")
        if self._directory.exists(relative):
            self._directory.remove(relative, recursive=True)
            self._directory.open_directory(relative, create=True)

    def _has_command(self, command: str, env: Mapping[str, str]) -> bool:
        """Whether the tree has COMMAND: an absolute path, or a name to be found in PATH."""
        if posixpath.isabs(command):
            candidates = [command]
        elif "/" in command:
            return False
        else:
            candidates = [posixpath.join(entry, command) for entry in env.get("PATH", "").split(":")]
        return any(
            self._directory.exists(candidate.lstrip("/"), follow_symlinks=True) for candidate in candidates
        )

    def _run_batch(self, batch: Batch) -> None:
        commands = batch.commands()
        if not commands:
            return
        first = commands[0]
        flags = _SandboxFlags.ROOT_READ_ONLY if batch.root_read_only else _SandboxFlags.NONE
        with self._reporter.activity("Running commands", detail="\n".join(batch.labels()) or None):
            status = self._run_with_flags(
                ("sh", "-c", "-e", batch.script()), flags=flags, cwd=first.cwd, env=first.env
            )
            if status != 0:
                raise SandboxCommandError("Command failed", collect=batch.collect)

    @staticmethod
    def _check_batch_flags(batch: Batch, root_read_only: bool) -> None:
        assert batch.root_read_only == root_read_only, "Inconsistent sandbox flags in single command batch"
