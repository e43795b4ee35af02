"""Reading a YAML file into nodes: the event stream of libyaml under the rules of the project format.

All scalars are stripped strings; anchors, foreign tags, duplicate keys and
several documents are refused.  The parser is loaded when the first file is read.
"""

import os
import stat
from collections.abc import Callable
from functools import partial
from typing import Any

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode, NodeFile, ScalarNode, SequenceNode
from .plainyaml import read_plain

_CORE_TAG_PREFIX = "tag:yaml.org,2002:"

# deeper documents would exhaust the stack of the recursive walks over nodes
_MAXIMUM_DEPTH = 100


class _RuleViolation(Exception):
    """A rule of the format, not of YAML, is broken; TEXT is completed by the place of the event."""

    def __init__(self, text: str, event: Any) -> None:
        mark = event.start_mark
        super().__init__(f"{text} at line {mark.line} column {mark.column}")


def load_file(
    path: str,
    shortname: str | None = None,
    *,
    displayname: str | None = None,
    project: object | None = None,
    accepts_pipe: bool = False,
) -> MappingNode:
    """The content of the file at PATH, as a tree that belongs to the caller.

    Args:
        path: The file to open.
        shortname: Its name within the project; the path if absent.
        displayname: Its name in messages; the short name if absent.
        project: The project on whose behalf it is loaded.
        accepts_pipe: Whether it may be a named pipe, of which everything is read.

    Raises:
        LoadError: MISSING_FILE or LOADING_DIRECTORY without any prefix, INVALID_YAML with the display name.
    """
    shortname = shortname or path
    file = NodeFile(path, shortname, displayname or shortname, project)
    content = _read(path, accepts_pipe=accepts_pipe)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid_yaml(file, "Severely malformed", str(error)) from error
    return load_text(text, file)


def _read(path: str, *, accepts_pipe: bool) -> bytes:
    try:
        # a pipe would wait for a writer, and a device may never end
        waiting = 0 if accepts_pipe and stat.S_ISFIFO(os.stat(path).st_mode) else os.O_NONBLOCK
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | waiting)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError
            if not stat.S_ISREG(status.st_mode) and not (accepts_pipe and stat.S_ISFIFO(status.st_mode)):
                raise LoadError(
                    f"Could not read file at {path}: Not a regular file", LoadErrorReason.MISSING_FILE
                )
            return _read_all(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except IsADirectoryError as error:
        raise LoadError(f"{path} is a directory", LoadErrorReason.LOADING_DIRECTORY) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LoadError(f"Could not find file at {path}", LoadErrorReason.MISSING_FILE) from error
    except OSError as error:
        raise LoadError(
            f"Could not read file at {path}: {error.strerror}", LoadErrorReason.MISSING_FILE
        ) from error


def _read_all(descriptor: int, expected_bytes: int) -> bytes:
    """All of a file, in one call if it has EXPECTED_BYTES."""
    content = os.read(descriptor, expected_bytes + 1)
    if len(content) == expected_bytes:
        return content
    # a pipe, or a file that is being written
    parts = [content]
    while parts[-1]:
        parts.append(os.read(descriptor, 1 << 20))
    return b"".join(parts)


def load_text(text: str, file: NodeFile) -> MappingNode:
    """The YAML document TEXT, as a tree that belongs to the caller.

    ``file.toplevel`` is another tree, in which nodes can be found after the caller's has changed.

    Raises:
        LoadError: INVALID_YAML.
    """
    tree = read_plain(text, file)
    if tree is None:
        tree = _parse(text, file)
    else:
        # without escapes in keys
        file.may_have_directives = "(?)" in text or "(@)" in text or "(!)" in text
    file.set_parser(partial(_parse, text, file))
    return tree


def _parse(text: str, file: NodeFile) -> MappingNode:
    from yaml import YAMLError
    from yaml.cyaml import CParser

    try:
        return _read_stream(CParser(text).get_event, file)
    except _RuleViolation as error:
        raise _invalid_yaml(file, "Malformed", str(error)) from error
    except YAMLError as error:
        raise _invalid_yaml(file, "Severely malformed", str(error)) from error


# what the parser calls a text that it was given
_UNNAMED = '"<unicode string>"'


def _invalid_yaml(file: NodeFile, severity: str, text: str) -> LoadError:
    text = text.replace(_UNNAMED, f'"{file.displayname}"')
    return LoadError(f"{file.displayname}: {severity} YAML:\n\n{text}\n\n", LoadErrorReason.INVALID_YAML)


def _read_stream(next_event: Callable[[], Any], file: NodeFile) -> MappingNode:
    """The only document of the stream; an empty mapping if there is none."""
    from yaml.events import MappingStartEvent, StreamEndEvent

    next_event()  # start of the stream
    if type(next_event()) is StreamEndEvent:
        return MappingNode({}, file, 0, 0)
    event = next_event()
    if type(event) is not MappingStartEvent:
        raise _RuleViolation("The top level is not a dictionary", event)
    _check_start(event, is_key=False, depth=0)
    root = MappingNode({}, file, event.start_mark.line, event.start_mark.column)
    _read_collections(root, next_event, file)
    next_event()  # end of the document
    event = next_event()
    if type(event) is not StreamEndEvent:
        raise _RuleViolation("A second document begins", event)
    return root


def _read_collections(root: MappingNode, next_event: Callable[[], Any], file: NodeFile) -> None:
    """Fills ROOT, whose start has been read, up to its end.

    Iterative, because this loop sees every event: the depth of a document costs no stack.
    """
    from yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent

    # the collections around the current one; a collection is the dict or list of a node
    enclosing: list[Any] = []
    current: Any = root.value
    is_mapping = True
    key: str | None = None
    node: MappingNode | SequenceNode
    while True:
        event = next_event()
        kind = type(event)
        mark = event.start_mark
        if kind is ScalarEvent:
            if event.tag is not None or event.anchor is not None:
                _check_scalar(event)
            if not is_mapping:
                current.append(ScalarNode(event.value.strip(), file, mark.line, mark.column))
            elif key is not None:
                current[key] = ScalarNode(event.value.strip(), file, mark.line, mark.column)
                key = None
            else:
                key = event.value
                if key in current:
                    raise _RuleViolation(f"Duplicate key {key}", event)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            if not enclosing:
                return
            current = enclosing.pop()
            is_mapping = type(current) is dict
        else:
            _check_start(event, is_key=is_mapping and key is None, depth=len(enclosing))
            if kind is MappingStartEvent:
                node = MappingNode({}, file, mark.line, mark.column)
            else:
                node = SequenceNode([], file, mark.line, mark.column)
            if is_mapping:
                current[key] = node
                key = None
            else:
                current.append(node)
            enclosing.append(current)
            current = node.value
            is_mapping = kind is MappingStartEvent


def _check_scalar(event: Any) -> None:
    if event.anchor is not None:
        raise _RuleViolation("Anchors are disallowed in BuildStream", event)
    if not event.tag.startswith(_CORE_TAG_PREFIX):
        raise _RuleViolation("Non-core tag expressed in input", event)


def _check_start(event: Any, *, is_key: bool, depth: int) -> None:
    """Checks the start of a collection, or an alias, which also has an anchor."""
    if event.anchor is not None:
        raise _RuleViolation("Anchors are disallowed in BuildStream", event)
    if is_key:
        raise _RuleViolation("The key of a dictionary is not a string", event)
    if depth >= _MAXIMUM_DEPTH:
        raise _RuleViolation(
            f"Dictionaries and lists are nested more than {_MAXIMUM_DEPTH} levels deep", event
        )
