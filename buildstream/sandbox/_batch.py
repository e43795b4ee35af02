"""The shell script that a batch of commands becomes.

The text is part of the format: remote action caches know a batch by it.
"""

import shlex
from collections.abc import Mapping
from dataclasses import field

from .._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class BatchCommand:
    """A command of a batch, as given to `Sandbox.run`."""

    argv: tuple[str, ...]
    cwd: str  # absolute path in the sandbox
    env: Mapping[str, str]  # complete, with PWD
    label: str | None


@dataclass(frozen=True, slots=True)
class CreateFile:
    """Creation of a file in the current directory of the script."""

    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class CleanDirectory:
    """Removal of a directory; the first command's directory is made again if it was in there."""

    path: str  # absolute path in the sandbox


BatchItem = BatchCommand | CreateFile | CleanDirectory


@dataclass(slots=True)
class Batch:
    """What was asked for inside the outermost `Sandbox.batch` block."""

    root_read_only: bool
    collect: str | None  # sandbox path to cache as partial output if a command fails
    items: list[BatchItem] = field(default_factory=list)

    def commands(self) -> list[BatchCommand]:
        """The commands, in order."""
        return [item for item in self.items if isinstance(item, BatchCommand)]

    def labels(self) -> list[str]:
        """The labels of the commands that have one, in order."""
        return [command.label for command in self.commands() if command.label]

    def script(self) -> str:
        """The whole batch for `sh -c -e`; starts in the first command's directory and environment."""
        commands = self.commands()
        first = commands[0] if commands else None
        previous = first
        parts = []
        for item in self.items:
            if isinstance(item, BatchCommand):
                assert previous is not None
                parts.append(_change_of_context(previous, item))
                parts.append(_command_line(item))
                previous = item
            elif isinstance(item, CreateFile):
                parts.append(_creation(item))
            else:
                parts.append(f"rm -rf -- {shlex.quote(item.path)} || true\n")
                if first is not None:
                    parts.append(f"mkdir -p {shlex.quote(first.cwd)} || true\n")
        return "".join(parts)


def _change_of_context(previous: BatchCommand, command: BatchCommand) -> str:
    """Lines that lead from the directory and environment of PREVIOUS to those of COMMAND."""
    if command is previous:
        return ""
    lines = []
    if command.cwd != previous.cwd:
        # unquoted, like in BuildStream 2.8: quotes would change the digest of the action
        lines += [f"mkdir -p {command.cwd}", f"cd {command.cwd}"]
    lines += [f"unset {name}" for name in previous.env if name not in command.env]
    lines += [
        f"export {name}={shlex.quote(value)}"
        for name, value in command.env.items()
        if previous.env.get(name) != value
    ]
    return "".join(f"{line}\n" for line in lines)


def _creation(item: CreateFile) -> str:
    name = shlex.quote(item.name)
    return f"printf %s {shlex.quote(item.text)} > {name}\n" if item.text else f"touch -- {name}\n"


def _command_line(command: BatchCommand) -> str:
    words = shlex.join(command.argv)
    shown = shlex.quote(f"'{command.label or words}'")
    return f"(set -ex; {words}) || (echo Command {shown} failed with exitcode $? >&2 ; exit 1)\n"
