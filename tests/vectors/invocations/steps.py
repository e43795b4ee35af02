"""Scenarios of invocations: what is run in which project, and what of the answers is compared.

A scenario is a list of steps that share a project and its caches.  `scenarios/*.yaml` asks, written by hand;
`answers/*.json` has what BuildStream 2.8 answered, written by `record.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent

_FIXED_OPTIONS = ("--no-interactive", "--no-colors")
_KEY = re.compile(r"\b[0-9a-f]{64}\b")
_BRIEF_KEY = re.compile(r"\b[0-9a-f]{8}\b")
_KEY_OF = re.compile(r"\{key:([^}]*)\}")
_COLOR = re.compile(r"\033\[\d+m")
_LOG_LINE = re.compile(r"\[[-\d]{2}:[-\d]{2}:[-\d]{2}\]\[")


@dataclass(frozen=True, slots=True)
class Step:
    """One invocation.

    Attributes:
        arguments: What follows the program's name; `{key:NAME}` stands for the full key of an element.
        cwd: Relative to the project.
        environment: Variables to add.
        write: Files to write before, by path below the project; None removes one.
        tree: A directory or tarball below the project that is part of the answer.
        reads: How standard output is compared: as a "text", as "lines" in any order, which is that of the
            file system, by the "options" of a help text, or "nothing" of it.
        differs: Why the answer is meant to be another one than that of BuildStream 2.8.
        instead: What the answer is then, as far as it differs.
    """

    arguments: tuple[str, ...]
    cwd: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)
    write: Mapping[str, str | None] = field(default_factory=dict)
    tree: str | None = None
    reads: str = "text"
    differs: str | None = None
    instead: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a step gave, masked."""

    status: int
    stdout: str
    error: str  # first line of what was said on the error stream beside log lines; "" for sessions
    tree: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps that share a project."""

    name: str
    has_base: bool  # whether the project has a shell; keys then depend on the machine, and are masked
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What a program left after one invocation."""

    status: int
    stdout: str
    stderr: str


Runner = Callable[[tuple[str, ...], Path, Mapping[str, str]], Run]


def load_scenarios() -> list[Scenario]:
    """All scenarios, by name."""
    return [_scenario(path) for path in sorted((HERE / "scenarios").glob("*.yaml"))]


def _scenario(path: Path) -> Scenario:
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Scenario(path.stem, stored.get("base", False), tuple(map(_step, stored["steps"])))


def _step(stored: Any) -> Step:
    if isinstance(stored, str):
        stored = {"run": stored}
    stored = dict(stored)
    return Step(arguments=tuple(shlex.split(stored.pop("run"))), **stored)


def load_answers(scenario: Scenario) -> list[Answer]:
    """The recorded answers, one for each step."""
    stored = json.loads(_answer_path(scenario).read_text(encoding="utf-8"))
    return [Answer(**{**answer, "stdout": "\n".join(answer["stdout"])}) for answer in stored["answers"]]


def save_answers(scenario: Scenario, answers: list[Answer]) -> None:
    """Writes what BuildStream 2.8 answered."""
    stored = []
    for answer in answers:
        entry = asdict(answer)
        entry["stdout"] = answer.stdout.split("\n")
        stored.append(entry)
    _answer_path(scenario).write_text(
        json.dumps({"answers": stored}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _answer_path(scenario: Scenario) -> Path:
    return HERE / "answers" / f"{scenario.name}.json"


def lay_out(scenario: Scenario, project: Path) -> None:
    """Writes the project of a scenario into a directory, the shell's base apart."""
    shutil.copytree(HERE / "project", project, symlinks=True, dirs_exist_ok=True)
    (project / "files" / "data" / "usr" / "share" / "alias").symlink_to("notes")
    (project / "files" / "data" / "usr" / "bin" / "tool").chmod(0o755)
    (project / "files" / "data" / "var" / "empty").mkdir(parents=True)
    if not scenario.has_base:
        shutil.rmtree(project / "elements" / "commands")


def perform(step: Step, project: Path, run: Runner, *, masks_keys: bool) -> Answer:
    """Runs a step in PROJECT, and gives what is compared of it."""
    for name, text in step.write.items():
        if text is None:
            _remove(project / name)
        else:
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
    cwd = project / step.cwd
    cwd.mkdir(parents=True, exist_ok=True)

    def key_of(match: re.Match[str]) -> str:
        arguments = (*_FIXED_OPTIONS, "show", "--deps", "none", "--format", "%{full-key}", match[1])
        return run(arguments, project, {}).stdout.strip()

    arguments = tuple(_KEY_OF.sub(key_of, word) for word in step.arguments)
    result = run((*_FIXED_OPTIONS, *arguments), cwd, step.environment)

    def mask(text: str) -> str:
        for place, name in ((project, "PROJECT"), (project.parent, "SPACE")):
            text = text.replace(str(place), f"<{name}>")
        if masks_keys:
            text = _BRIEF_KEY.sub("<brief>", _KEY.sub("<key>", text))
        return text

    stdout = result.stdout
    if step.reads == "options":
        stdout = "\n".join(sorted(_option_names(stdout + result.stderr))) + "\n"
    elif step.reads == "nothing":
        stdout = ""
    elif step.reads == "lines":
        stdout = "".join(sorted(stdout.splitlines(keepends=True)))
    return Answer(
        status=result.status,
        stdout=mask(stdout),
        error="" if step.reads not in ("text", "lines") else mask(last_words(result.stderr)),
        tree=None if step.tree is None else _tree(project / step.tree),
    )


def _option_names(text: str) -> set[str]:
    """Every spelling of an option in a help text."""
    names: set[str] = set()
    for match in re.finditer(r"^  (-.*?)(?:  |$)", text, re.MULTILINE):
        names.update(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", match[1]))
    return names


def last_words(stderr: str) -> str:
    """The first line beside log lines and their details; "" if the summary of a session is among it.

    Details of errors, with their advice, are not compared: their wording is free.
    """
    if "Pipeline Summary" in stderr:
        return ""
    kept = []
    is_detail = False
    for line in _COLOR.sub("", stderr).split("\n"):
        if _LOG_LINE.match(line):
            is_detail = True
        elif "buildboxcommon" in line:
            continue  # what a helper program of BuildStream 2.8 has to say
        elif not (is_detail and (not line or line.startswith("    "))):
            is_detail = False
            kept.append(line.rstrip())
    return "\n".join(kept).strip().partition("\n")[0]


def _tree(top: Path) -> list[str]:
    """What is in a directory or a tarball: kind, executable bit, and content by digest."""
    if not os.path.lexists(top):
        return ["absent"]
    if top.is_file():
        with tarfile.open(top) as archive:
            return [_member(archive, member) for member in archive.getmembers()]
    return [_entry(top, path) for path in sorted(top.rglob("*"))]


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    facts = f"{member.name} {member.mode:o} {member.mtime} {member.uname}"
    if member.issym():
        return f"{facts} -> {member.linkname}"
    file = archive.extractfile(member) if member.isfile() else None
    return facts if file is None else f"{facts} {hashlib.sha256(file.read()).hexdigest()[:16]}"


def _entry(top: Path, path: Path) -> str:
    name = path.relative_to(top).as_posix()
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"{name} -> {path.readlink()}"
    if stat.S_ISDIR(mode):
        return f"{name}/"
    mark = "*" if mode & stat.S_IXUSR else ""
    return f"{name}{mark} {_fingerprint(path)}"


def _fingerprint(path: Path) -> str:
    content = path.read_bytes()
    if path.name == "project.conf":  # the wording of comments is free
        content = re.sub(rb"(?m)^#.*\n", b"", content)
    return hashlib.sha256(content).hexdigest()[:16]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
