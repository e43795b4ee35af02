"""Completion of command lines, for the scripts in buildstream/data/completion.

The shell gives the line and the number of the word to complete in the
environment; candidates go to standard output, one a line, each with the blank
or slash that the shell should put after it.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

import click

from .._dataclass import dataclass
from .tree import bst

_ELEMENT_ARGUMENTS = frozenset({"elements", "element", "except_", "needing", "path"})
_ARTIFACT_ARGUMENTS = frozenset({"artifacts", "target"})
_WORKSPACE_COMMANDS = frozenset({"close", "reset"})


@dataclass(slots=True)
class _Line:
    """What the words before the one to complete mean."""

    commands: list[click.Command]  # from bst to the innermost
    used_options: set[str] = field(default_factory=set)  # by parameter name, of the innermost command
    pending: click.Option | None = None  # still wants a value
    pending_values: int = 0  # how many it has already
    argument_count: int = 0  # arguments of the innermost command
    arguments: list[str] = field(default_factory=list)
    directory: str | None = None  # value of --directory of bst
    config: str | None = None  # value of --config of bst

    @property
    def command(self) -> click.Command:
        return self.commands[-1]


def complete(environment: Mapping[str, str]) -> None:
    """Prints the candidates for the command line in ENVIRONMENT and ends the process."""
    try:
        words = shlex.split(environment.get("COMP_WORDS", ""))
    except ValueError:
        words = environment["COMP_WORDS"].split()  # within a quotation
    position = int(environment.get("COMP_CWORD", "0"))
    word = words[position] if position < len(words) else ""
    if position > 0:
        for candidate in candidates(words[1:position], word, environment):
            sys.stdout.write(f"{candidate}\n")
    sys.stdout.flush()
    if "BST_TEST_SUITE" not in environment:
        os._exit(0)  # tearing the interpreter down takes as long as all the rest


def candidates(before: Sequence[str], word: str, environment: Mapping[str, str]) -> list[str]:
    """What WORD can become, given the words between the program name and it."""
    line = _read(before)
    if word == "=":
        word = ""  # shells take the sign for a word of its own
    option, separator, value = word.partition("=")
    if separator and option.startswith("--"):
        line.pending = _find_option(line.command, option)
        word = value
    if line.pending is not None:
        return _of_option(line, word)
    if word.startswith("-"):
        return sorted(_of_spellings(line, word))
    return _of_argument(line, word, environment)


def _read(words: Sequence[str]) -> _Line:
    line = _Line([bst])
    for word in words:
        if word == "=":
            continue
        if line.pending is not None:
            _take_value(line, word)
        elif word.startswith("-") and len(word) > 1:
            _take_option(line, word)
        elif isinstance(line.command, click.Group) and word in line.command.commands:
            line.commands.append(line.command.commands[word])
            line.used_options.clear()
        else:
            line.argument_count += 1
            line.arguments.append(word)
    return line


def _take_option(line: _Line, word: str) -> None:
    spelling, _, value = word.partition("=")
    option = _find_option(line.command, spelling)
    if option is None:
        return
    line.used_options.add(option.name or "")
    if not option.is_flag:
        line.pending, line.pending_values = option, 0
        if value:
            _take_value(line, value)


def _take_value(line: _Line, word: str) -> None:
    assert line.pending is not None
    if line.command is bst:
        if line.pending.name == "directory":
            line.directory = word
        elif line.pending.name == "config":
            line.config = word
    line.pending_values += 1
    if line.pending_values >= line.pending.nargs:
        line.pending = None


def _find_option(command: click.Command, spelling: str) -> click.Option | None:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and spelling in (*parameter.opts, *parameter.secondary_opts):
            return parameter
    return None


def _of_spellings(line: _Line, word: str) -> Iterator[str]:
    for parameter in line.command.params:
        if not isinstance(parameter, click.Option):
            continue
        if parameter.name in line.used_options and not parameter.multiple:
            continue
        for spelling in (*parameter.opts, *parameter.secondary_opts):
            if spelling.startswith(word):
                yield f"{spelling} "


def _of_option(line: _Line, word: str) -> list[str]:
    option = line.pending
    assert option is not None
    if option.name in _ELEMENT_ARGUMENTS:
        return _of_elements(line, word)
    kind = option.type
    if isinstance(kind, click.Tuple):
        kind = kind.types[line.pending_values]
    return _of_type(kind, word)


def _of_type(kind: "click.ParamType[Any]", word: str) -> list[str]:
    if isinstance(kind, click.Choice):
        return [f"{choice} " for choice in kind.choices if choice.startswith(word)]
    if isinstance(kind, click.File):
        return _of_paths(word, ".")
    if isinstance(kind, click.Path):
        return _of_paths(word, ".", has_files=kind.file_okay)
    return []


def _of_argument(line: _Line, word: str, environment: Mapping[str, str]) -> list[str]:
    command = line.command
    if command.name == "help":
        command = bst
        for name in line.arguments:
            found = command.commands.get(name) if isinstance(command, click.Group) else None
            if found is None:
                return []
            command = found
    if isinstance(command, click.Group):
        return [f"{name} " for name in sorted(command.commands) if name.startswith(word)]
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if not arguments:
        return []
    index = min(line.argument_count, len(arguments) - 1)
    argument = arguments[index]
    if line.argument_count > index and argument.nargs != -1:
        return []  # there are no more arguments
    if argument.name in _ELEMENT_ARGUMENTS:
        return _of_workspaces(line, word) or _of_elements(line, word)
    if argument.name in _ARTIFACT_ARGUMENTS:
        return [*_of_elements(line, word), *_of_artifacts(line, word, environment)]
    return _of_type(argument.type, word)


def _of_elements(line: _Line, word: str) -> list[str]:
    directory = _element_directory(line.directory)
    if directory is None:
        return []
    return _of_paths(word, directory, suffix=".bst")


def _of_workspaces(line: _Line, word: str) -> list[str]:
    """The elements with an open workspace that are not in the line yet, for commands that need one."""
    if line.command.name not in _WORKSPACE_COMMANDS or line.commands[-2].name != "workspace":
        return []
    from .._exceptions import LoadError
    from .._load.workspaceproject import WORKSPACE_PROJECT_FILE, read_owners
    from .._load.workspaces import load_workspaces

    try:
        directory = _directory_with("project.conf", line.directory)
        if directory is None:  # perhaps it is a workspace
            workspace = _directory_with(WORKSPACE_PROJECT_FILE, line.directory)
            if workspace is None:
                return []
            directory = read_owners(os.path.join(workspace, WORKSPACE_PROJECT_FILE))[0].project_directory
        names = load_workspaces(directory)
    except LoadError:
        return []
    return [f"{name} " for name in names if name.startswith(word) and name not in line.arguments]


def _element_directory(given: str | None) -> str | None:
    """The element path of the project in the directory GIVEN, or upwards from the working directory."""
    directory = _directory_with("project.conf", given)
    if directory is None:
        return None
    element_path = _element_path(os.path.join(directory, "project.conf"))
    return None if element_path is None else os.path.join(directory, element_path)


def _directory_with(name: str, given: str | None) -> str | None:
    """The directory that holds the file NAME: GIVEN, or upwards from the working directory."""
    directory = os.path.abspath(given or ".")
    while not os.path.isfile(os.path.join(directory, name)):
        parent = os.path.dirname(directory)
        if given is not None or parent == directory:
            return None
        directory = parent
    return directory


def _element_path(project_file: str) -> str | None:
    """What the project says about the place of its elements; None if the file can't be read.

    The usual forms are found without a parser, whose import takes longer than all the rest: a key of the
    document begins in the first column, where no other text but a comment does.
    """
    try:
        with open(project_file, encoding="utf-8") as file:
            lines = [line for line in file if "element-path" in line and not line.lstrip().startswith("#")]
    except (OSError, ValueError):
        return None
    if not lines:
        return "."
    match = re.fullmatch(r"element-path: +([\w./+-]+)\s*", lines[0], re.ASCII)
    if match is not None and len(lines) == 1:
        return match[1]
    from .._exceptions import LoadError
    from .._load.yaml import load_file

    try:
        return load_file(project_file).get_str("element-path", ".")
    except LoadError:
        return None


def _of_artifacts(line: _Line, word: str, environment: Mapping[str, str]) -> list[str]:
    """The names in the local artifact cache, the oldest first."""
    from .._config import load_user_config
    from .._exceptions import BstError
    from .._store.records import artifact_records

    try:
        cache_directory = load_user_config(line.config, environment).cachedir
        return [name for name in artifact_records(cache_directory).names() if name.startswith(word)]
    except BstError:
        return []


def _of_paths(word: str, top: str, *, has_files: bool = True, suffix: str = "") -> list[str]:
    """Files that end with SUFFIX and directories that WORD, a path relative to TOP, can become."""
    head, tail = os.path.split(word)
    if tail and os.path.isdir(os.path.join(top, word)):
        head, tail = word, ""  # a complete name: what is in it
    found = []
    try:
        entries = sorted(os.scandir(os.path.join(top, head)), key=lambda entry: entry.name)
    except OSError:
        return []
    for entry in entries:
        if not entry.name.startswith(tail):
            continue
        path = os.path.join(head, entry.name)
        if entry.is_dir():
            found.append(f"{path}/")
        elif has_files and entry.name.endswith(suffix):
            found.append(f"{path} ")
    return found
