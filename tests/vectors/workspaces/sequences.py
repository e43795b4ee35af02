"""Sequences of workspace commands and edits, and what is compared after each.

A sequence is a list of steps that share a project and its caches.  `scenarios/*.yaml` asks, written by hand;
`answers/*.json` has what BuildStream 2.8 answered, and `instead/*.json` what is meant to be answered instead
where a step gives the reason; both are written by `record.py`.

After each command are compared: exit status, standard output and the first line of the error; the record of
open workspaces; state and workspace of some elements, whether their keys have changed, and whether the key is
that of the last build; all files of the project and beside it, with modes, contents and old times; and the
artifact, for steps that check one out.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.vectors.invocations.steps import Run, last_words

HERE = Path(__file__).parent

_FIXED_OPTIONS = ("--no-interactive", "--no-colors")
_KEY = re.compile(r"\b[0-9a-f]{64}\b")
_BRIEF_KEY = re.compile(r"\b[0-9a-f]{8}\b")
_SAME = "as before"
_OLD_S = 1_500_000_000  # times before are set by sequences and sources, later ones are of the run
_SOURCE_TIME_S = 1_000_000_000
_FORMAT = "%{name}|%{state}|%{full-key}|%{workspaced}|%{workspace-dirs}"
# our note on how the build was configured; 2.8 leaves it empty
_PREPARED = ".bst-prepared"
# 2.8 names an element once more each time that it is opened in the directory
_WORKSPACE_FILE = ".bstproject.yaml"
_REPEATED_ENTRY = re.compile(rb"(- project-path: .*\n  element-name: .*\n)\1+")

Runner = Callable[[tuple[str, ...], Path, Mapping[str, str]], Run]


@dataclass(frozen=True, slots=True)
class Step:
    """One command, with the edits before it.

    Attributes:
        arguments: What follows the program's name.
        edit: What a shell does in the project directory before.
        cwd: Where the command runs, relative to the project.
        artifact: An element whose artifact is part of the answer.
        reads: Whether standard output is compared as a "text", or "nothing" of it.
        differs: Why the answer is meant to be another one than that of BuildStream 2.8; what it is
            instead is recorded as well.
    """

    arguments: tuple[str, ...]
    edit: str = ""
    cwd: str = "."
    artifact: str | None = None
    reads: str = "text"
    differs: str | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps that share a project.

    Attributes:
        watched: The elements whose states are compared after each step.
        has_base: Whether the project has a shell.
        configuration: The user configuration.
        is_quick: Whether it is among those that are always run.
    """

    name: str
    watched: tuple[str, ...]
    has_base: bool
    configuration: str
    is_quick: bool
    steps: tuple[Step, ...]


Answer = dict[str, Any]


def load_sequences() -> list[Sequence]:
    """All sequences, by name."""
    return [_sequence(path) for path in sorted((HERE / "scenarios").glob("*.yaml"))]


def _sequence(path: Path) -> Sequence:
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Sequence(
        path.stem,
        tuple(stored["watched"]),
        stored.get("base", False),
        stored.get("configuration", ""),
        stored.get("quick", False),
        tuple(map(_step, stored["steps"])),
    )


def _step(stored: Any) -> Step:
    if isinstance(stored, str):
        stored = {"run": stored}
    stored = dict(stored)
    return Step(arguments=tuple(shlex.split(stored.pop("run"))), **stored)


def load_answers(sequence: Sequence) -> list[Answer]:
    """The recorded answers, one for each step."""
    stored: list[Answer] = json.loads(_path("answers", sequence).read_text(encoding="utf-8"))
    return stored


def save_answers(sequence: Sequence, answers: list[Answer]) -> None:
    """Writes what BuildStream 2.8 answered."""
    _save(_path("answers", sequence), answers)


def load_instead(sequence: Sequence) -> list[Answer]:
    """What is to be answered instead, one for each step: as far as it differs."""
    path = _path("instead", sequence)
    stored: dict[str, Answer] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return [stored.get(str(number), {}) for number in range(1, len(sequence.steps) + 1)]


def save_instead(sequence: Sequence, answers: list[Answer], reference: list[Answer]) -> None:
    """Writes where the answers differ from those of BuildStream 2.8, for the steps that are meant to."""
    cases = zip(sequence.steps, _in_full(answers), _in_full(reference), strict=True)
    stored = {
        number: {aspect: value for aspect, value in answer.items() if value != expected[aspect]}
        for number, (step, answer, expected) in enumerate(cases, 1)
        if step.differs
    }
    path = _path("instead", sequence)
    if stored:
        _save(path, stored)
    else:
        path.unlink(missing_ok=True)


def _save(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _path(folder: str, sequence: Sequence) -> Path:
    return HERE / folder / f"{sequence.name}.json"


# the project


def lay_out(sequence: Sequence, project: Path) -> None:
    """Writes the project into a directory, the shell's base apart, and beside it what it downloads."""
    shutil.copytree(HERE / "project", project, dirs_exist_ok=True)
    if not sequence.has_base:
        (project / "elements" / "base.bst").write_text("kind: stack\n")
    upstream = project.parent / "upstream"
    upstream.mkdir()
    (upstream / "one.txt").write_text("one\n")
    archive = _archive()
    (upstream / "pack.tar").write_bytes(archive)
    _write_tree(project / "files" / "tree")
    for path in (project / "elements").rglob("*.bst"):
        text = path.read_text()
        if "@" in text:
            replaced = text.replace("@SPACE@", str(project.parent))
            path.write_text(replaced.replace("@TAR@", hashlib.sha256(archive).hexdigest()))
    for top in (project / "files", project / "sub" / "files", upstream):
        for path in (top, *top.rglob("*")):
            os.utime(path, (_SOURCE_TIME_S, _SOURCE_TIME_S), follow_symlinks=False)


def _write_tree(top: Path) -> None:
    """Whatever a source may hold."""
    (top / "empty").mkdir(parents=True)
    (top / "folder" / "deep").mkdir(parents=True)
    for name in ("plain.txt", "with blank", "gr\u00fc\u00df.txt", "-dash", ".hidden", "it's", "folder/deep/x", "a\\b"):
        (top / name).write_text(f"{name}\n", encoding="utf-8")
    (top / "run").write_text("#!/bin/sh\n")
    (top / "run").chmod(0o755)
    (top / "private").write_text("")
    (top / "private").chmod(0o640)
    (top / "link").symlink_to("plain.txt")
    (top / "dangling").symlink_to("nowhere")
    (top / "to-folder").symlink_to("folder")


def _archive() -> bytes:
    """A tarball with a folder, always the same."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in (("pack", None), ("pack/one.txt", b"one\n"), ("pack/run", b"#!/bin/sh\n")):
            member = tarfile.TarInfo(name)
            member.mtime = _SOURCE_TIME_S
            member.mode = 0o644 if name.endswith("txt") else 0o755
            if content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


# a run


class Performance:
    """One run of a sequence.

    Args:
        project: The project directory, laid out.
        run: Runs the program.
    """

    def __init__(self, sequence: Sequence, project: Path, run: Runner) -> None:
        self._sequence = sequence
        self._space = project.parent
        self._project = project
        self._run = run
        self._keys: dict[str, str] = {}
        self._before: Answer = {}
        self._laid_out = _contents(project)

    def perform(self, step: Step) -> Answer:
        """Does what the step says, and gives what is compared; what is as before is given as such."""
        if step.edit:
            subprocess.run(["sh", "-euc", step.edit], cwd=self._project, check=True, env=self._edit_environment())
        cwd = Path(os.path.normpath(self._project / step.cwd))
        result = self._run((*_FIXED_OPTIONS, *step.arguments), cwd, {})
        answer: Answer = {
            "status": result.status,
            "stdout": "" if step.reads == "nothing" else self._mask(result.stdout).split("\n"),
            "error": self._mask(last_words(result.stderr)),
        }
        answer["record"] = self._record()
        answer["states"] = self._states()
        answer["files"] = self._files()
        if step.artifact is not None:
            answer["artifact"] = self._artifact(step.artifact)
        shortened = {
            aspect: _SAME if aspect in ("record", "states", "files") and self._before.get(aspect) == value else value
            for aspect, value in answer.items()
        }
        self._before = answer
        return shortened

    def _edit_environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "SPACE": str(self._space), "LC_ALL": "C.UTF-8"}

    def _mask(self, text: str) -> str:
        for place, name in ((self._project, "PROJECT"), (self._space, "SPACE")):
            text = text.replace(str(place), f"<{name}>")
        return _BRIEF_KEY.sub("<brief>", _KEY.sub("<key>", text))

    def _record(self) -> list[str]:
        path = self._find_project() / ".bst2" / "workspaces.yml"
        return self._mask(path.read_text()).splitlines() if path.exists() else ["absent"]

    def _find_project(self) -> Path:
        """The project directory, which a sequence may move."""
        if not self._project.is_dir():
            [self._project] = [path.parent for path in self._space.glob("*/project.conf")]
        return self._project

    def _states(self) -> list[str]:
        """State and workspace of the watched elements, and how their keys compare to those before."""
        project = self._find_project()
        arguments = (*_FIXED_OPTIONS, "show", "--deps", "none", "--format", _FORMAT, *self._sequence.watched)
        result = self._run(arguments, project, {})
        if result.status != 0:
            return [self._mask(last_words(result.stderr))]
        last_builds = _last_builds(project)
        lines = []
        for line in result.stdout.splitlines():
            if not line.strip():
                continue
            name, state, key, *others = line.split("|")
            change = "new key" if key != self._keys.get(name) else "same key"
            if last_builds.get(name) == key:
                change += " as last build"
            self._keys[name] = key
            lines.append(self._mask(" ".join([name, state.strip(), change, *others]).rstrip()))
        return lines

    def _files(self) -> list[str]:
        """All that is in the project and beside it, unless it was there from the beginning."""
        project = self._find_project()
        places = [project, *(path for path in self._space.glob("beside*") if path.is_dir())]
        found: list[str] = []
        for place in places:
            now = _contents(place)
            found += [
                self._mask(f"{os.path.relpath(os.path.join(place, path), project)} {facts}")
                for path, facts in now.items()
                if place != project or self._laid_out.get(path) != facts
            ]
        gone = [f"{path} gone" for path in self._laid_out if not os.path.lexists(project / path)]
        return found + gone

    def _artifact(self, name: str) -> list[str]:
        out = self._space / "checked-out"
        arguments = (*_FIXED_OPTIONS, "artifact", "checkout", name, "--directory", str(out))
        result = self._run(arguments, self._find_project(), {})
        if result.status != 0:
            return [f"checkout fails: {result.status}"]
        found = [self._mask(f"{path} {facts}") for path, facts in _contents(out).items()]
        shutil.rmtree(out)
        return found


def _last_builds(project: Path) -> dict[str, str]:
    path = project / ".bst2" / "workspaces.yml"
    if not path.exists():
        return {}
    try:
        entries = yaml.safe_load(path.read_text())["workspaces"]
        return {name: entry.get("last_build", "") for name, entry in entries.items()}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return {}


def _contents(top: Path) -> dict[str, str]:
    """What is below a directory, but for the program's own: mode, old times, and content."""
    found = {}
    for directory, folders, files in os.walk(top):
        if directory == str(top):
            folders[:] = [name for name in folders if name not in (".bst", ".bst2")]
            if os.path.isdir(os.path.join(top, "files")):
                folders.remove("files")
        folders.sort()
        for name in (*folders, *files):
            path = Path(directory, name)
            found[str(path.relative_to(top))] = _facts(path)
    return dict(sorted(found.items()))


def _facts(path: Path) -> str:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return f"-> {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return f"{mode:o}/"
    if not stat.S_ISREG(status.st_mode):
        return f"{mode:o} special"
    time = f" at {status.st_mtime_ns // 1000}" if status.st_mtime < _OLD_S else ""
    content = path.read_bytes()
    if path.name == _PREPARED:
        content = b""
    elif path.name == _WORKSPACE_FILE:
        content = _REPEATED_ENTRY.sub(rb"\1", content)
    text = content.decode("utf-8", "replace") if len(content) < 500 else hashlib.sha256(content).hexdigest()
    return f"{mode:o}{time} {json.dumps(text)}"


# comparing


def differences(sequence: Sequence, answers: list[Answer], reference: list[Answer]) -> list[str]:
    """What of the answers is not as it is meant to be."""
    found = []
    cases = zip(
        sequence.steps, _in_full(answers), _in_full(reference), load_instead(sequence), strict=True
    )
    for number, (step, answer, expected, instead) in enumerate(cases, 1):
        if bool(step.differs) != bool(instead):
            found.append(f"step {number}: a difference and its reason belong together")
        wanted = {**expected, **instead}
        for aspect, value in answer.items():
            if value != wanted[aspect]:
                words = " ".join(step.arguments)
                found.append(f"step {number}, {words}: {aspect}\n{_difference(value, wanted[aspect])}")
    return found


def _in_full(answers: list[Answer]) -> list[Answer]:
    """The answers with what is as before in its place."""
    full: list[Answer] = []
    for answer in answers:
        before = full[-1] if full else {}
        full.append({aspect: before[aspect] if value == _SAME else value for aspect, value in answer.items()})
    return full


def _difference(value: Any, wanted: Any) -> str:
    if isinstance(value, list) and isinstance(wanted, list):
        return "\n".join(line for line in difflib.ndiff(wanted, value) if line[0] in "-+")
    return f"- {wanted}\n+ {value}"
