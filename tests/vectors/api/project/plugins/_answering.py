"""Answers questions, which are Python text, and writes the answers down."""

import ast
import inspect
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from types import GeneratorType
from typing import Any

import buildstream
from buildstream import (
    Directory,
    FileStat,
    MappingNode,
    Node,
    ProvenanceInformation,
    Source,
    SourceInfo,
    utils,
)

_NAMES = (
    *("BuildElement", "CoreWarnings", "Directory", "DirectoryError", "DownloadableFileSource", "Element"),
    *("ElementError", "FastEnum", "FileStat", "FileType", "MappingNode", "Node", "OverlapAction", "Plugin"),
    *("ProgramNotFoundError", "ProvenanceInformation", "Sandbox", "SandboxCommandError", "ScalarNode"),
    *("ScriptElement", "SequenceNode", "Source", "SourceError", "SourceFetcher", "SourceInfo"),
    *("SourceInfoMedium", "SourceMirror", "SourceMirrorError", "SourceVersionType", "UtilError", "utils"),
)


def read_questions(path: str, phase: str) -> Iterator[str]:
    """The questions of a file that are to be asked in PHASE.

    Phases begin with `== NAME`.  A paragraph with indented lines is one question, else each line is.
    """
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for section in re.split(r"(?m)^== ", text)[1:]:
        name, _, body = section.partition("\n")
        if name.strip() != phase:
            continue
        for paragraph in re.split(r"\n\s*\n", body):
            lines = [line for line in paragraph.splitlines() if line and not line.startswith("#")]
            if any(line.startswith(" ") for line in lines):
                yield "\n".join(lines)
            else:
                yield from lines


def answer_phase(phase: str, names: dict[str, Any]) -> None:
    """Answers the questions of PHASE, with NAMES at hand; each has what it changes for itself."""
    folder = os.environ["PROBE_QUESTIONS"]
    for question in read_questions(os.path.join(folder, f"{names['self'].questions}.txt"), phase):
        directory = tempfile.mkdtemp(dir=os.environ["PROBE_SCRATCH"])
        fresh = {**names, **_tools(), "tmp": directory}
        if isinstance(names.get("node"), MappingNode):
            fresh["node"] = names["node"].clone()
        if "root" in names:
            names["root"].open_directory("q", create=True)
            fresh["d"] = names["root"].open_directory("q")
        outcome = _answer(question, fresh).replace(directory, "TMP")
        for variable in ("PROBE_PROJECT", "PROBE_SCRATCH", "HOME"):
            outcome = outcome.replace(os.environ[variable], variable)
        with open(os.environ["PROBE_ANSWERS"], "a", encoding="utf-8") as file:
            file.write(json.dumps([names["self"].questions, phase, question, outcome]) + "\n")
        shutil.rmtree(directory, ignore_errors=True)
        if "root" in names and names["root"].exists("q"):
            names["root"].remove("q", recursive=True)


def _answer(question: str, names: dict[str, Any]) -> str:
    """What the last expression of QUESTION gives, or what is raised."""
    tree = ast.parse(question)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, "question", "exec"), names)
        if last is None:
            return "done"
        return describe(eval(compile(ast.Expression(last.value), "question", "eval"), names))
    except Exception as error:  # noqa: BLE001 - whatever it is: it is the answer
        return _describe_error(error)


def _describe_error(error: BaseException) -> str:
    text = f"raises {type(error).__name__}"
    if hasattr(error, "domain"):
        text += (
            f" {getattr(error.domain, 'name', error.domain)} {getattr(error.reason, 'name', error.reason)}"
        )
        text += f": {error}"
        if error.detail:
            text += f" ({error.detail})"
    elif isinstance(error, (ValueError, AssertionError)):
        text += f": {error}"
    return text


def describe(value: Any) -> str:
    """VALUE as text that does not depend on the program."""
    if isinstance(value, (GeneratorType, type({}.keys()), type({}.values()), type({}.items()))):
        return describe(list(value))
    if isinstance(value, list):
        return f"[{', '.join(map(describe, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(describe, value))})"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(describe, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{describe(key)}: {describe(item)}' for key, item in value.items())}}}"
    if isinstance(value, Node):
        return f"{type(value).__name__}({describe(value.strip_node_info())})"
    if isinstance(value, (ProvenanceInformation, Directory)):
        return f"<{value}>"
    if isinstance(value, FileStat):
        return f"FileStat({value.file_type}, {value.executable}, {value.size}, {value.mtime})"
    if isinstance(value, SourceInfo):
        return f"SourceInfo({describe(value.serialize())})"
    if isinstance(value, utils.FileListResult):
        lists = (value.files_written, value.overwritten, value.ignored, value.failed_attributes)
        return f"FileListResult({', '.join(describe(sorted(names)) for names in lists)})"
    if isinstance(value, Source):
        return f"source {value.name}"
    if type(value).__name__ == "ElementProxy":
        return f"proxy of {value.name}"
    if isinstance(value, type) or callable(value):
        return f"{type(value).__name__} {getattr(value, '__name__', '')}"
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    return repr(value) if hasattr(value, "value") else f"some {type(value).__name__}"


def _tools() -> dict[str, Any]:
    return {
        **{name: getattr(buildstream, name) for name in _NAMES},
        "os": os,
        "inspect": inspect,
        "signature": signature,
        "write": write,
        "contents": contents,
        "everything": everything,
        "load": load,
    }


def signature(function: Any) -> str:
    """Names, kinds and defaults of the parameters."""
    parameters = inspect.signature(function).parameters.values()
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in parameters
        if parameter.name != "self"
    ]
    return str(inspect.Signature(plain))


def write(path: str, text: str = "", mode: int = 0o644) -> str:
    """Writes a file of the host, with its parents; gives its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def contents(directory: str) -> list[str]:
    """All below a directory of the host, with types and modes."""
    found = []
    for top, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = os.path.join(top, name)
            relative = os.path.relpath(path, directory)
            if os.path.islink(path):
                found.append(f"{relative} -> {os.readlink(path)}")
            else:
                found.append(f"{relative}{'/' if name in folders else ''} {os.stat(path).st_mode & 0o777:o}")
    return sorted(found)


def everything(directory: Directory) -> list[str]:
    """All below a directory of the sandbox, with types and content."""
    found = []
    for path in directory.list_relative_paths():
        if directory.islink(path):
            found.append(f"{path} -> {directory.readlink(path)}")
        elif directory.isdir(path):
            found.append(f"{path}/")
        else:
            with directory.open_file(path, mode="rb") as file:
                mark = "*" if directory.stat(path).executable else ""
                found.append(f"{path}{mark} {file.read()[:40]!r}")
    return sorted(found)


def load(value: Any) -> MappingNode:
    """A node of a dictionary."""
    return Node.from_dict(value)
