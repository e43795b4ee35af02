#!/usr/bin/env python3
"""Builds projects that are made up from seeds with two bst programs, and compares all that they made.

    compare.py [--seeds FIRST COUNT] [--elements N] [--questions N] [--scratch FOLDER] [--keep]
               [--casd PROGRAM] LEFT RIGHT

For each project the programs must agree on: the exit status; the state and key of each element; each
artifact: files, public data, environment, variables, dependencies, whether it is a success and the error it
records; warnings and errors that were told; records of sources; and what commands about the artifacts answer
and write.  Each uses caches of its own.  LEFT is the one that is right.  Known to differ, and not compared:
permissions and times of what is linked to the cache, of checked-out sources, of logs and of the folder that
is made; and that 2.8.1 fetches and records the source of a junction to a folder, which is used where it is.

With --casd each program pushes to a buildbox-casd of its own; then each forgets some or all of what it has
and pulls from the one that the other has filled.  They must pull, fetch, build and push the same.

A project over which LEFT fails with a bug is not compared: 2.8.1 does so where a file of one element lies
over an empty directory of another.

Exit status: 0 if they agree on everything.
"""

import argparse
import difflib
import hashlib
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from buildstream._act.artifacts import ArtifactCache
from tests.integration.builds.randomproject import change, write_project
from tests.integration.remotes.exchange import casd
from tests.testutils.hostbase import make_host_base

_TOOLS = (
    "sh",
    "cat",
    "echo",
    "mkdir",
    "rm",
    "true",
    "false",
    "find",
    "sort",
    "chmod",
    "ln",
    "cp",
    "mv",
    "dirname",
    "touch",
    "id",
    "env",
    "pwd",
    "test",
    "[",
    "stat",
    "uniq",
    "wc",
    "tar",
    "cut",
    "gzip",
    "sed",
    "mkfifo",
)
_LINE = re.compile(
    r"^\[[^]]*\]\[[^]]*\]\[ *(?P<subject>[^]]*?) *\] (?P<kind>WARNING|FAILURE|ERROR|BUG) *(?P<text>.*)$"
)
_JOB = re.compile(r"^\[[^]]*\]\[[^]]*\]\[ *(?P<subject>[^]]*?) *\] (?P<kind>SUCCESS|SKIPPED) *(?P<text>.*)$")
_STATE = re.compile(r" *(cached|failed|waiting|buildable|fetch needed) [0-9a-f]{64} ")

_FORMATS = (
    "%{name} %{state} %{full-key} %{artifact-cas-digest}",
    "%{name}\n%{public}",
    "%{name} %{vars}",
    "%{name} %{env} %{config}",
    "%{deps} | %{build-deps} | %{runtime-deps}",
    "%{name} %{workspaced} %{workspace-dirs} %{description}",
)
_LONG_AGO = 1_500_000_000  # later times are those of builds and commands
_LOG_TAIL = "Printing the last"


class Program:
    """A bst with caches of its own below FOLDER, shared through the server at REMOTE if there is one."""

    def __init__(self, command: str, folder: Path, project: Path, seed: int, remote: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._seed = seed
        self._is_sharing = bool(remote)
        self._configuration = folder / "buildstream.conf"
        self._command = [
            command,
            "--no-colors",
            "--no-interactive",
            "--on-error",
            "continue",
            "--builders",
            "2",
        ]
        self.configure(remote)
        self._command += ["--config", str(self._configuration)]
        self._project = project
        homes = {"HOME": folder, "XDG_CACHE_HOME": folder / "cache", "XDG_CONFIG_HOME": folder / "config"}
        self._environment = {**os.environ, **{name: str(path) for name, path in homes.items()}}

    def configure(self, remote: str) -> None:
        """Has it share with the server at REMOTE, or with nobody if that is empty."""
        text = "cache: {cache-buildtrees: always}\n" if self._seed % 3 == 0 else "{}\n"
        if remote:
            servers = {"servers": [{"url": remote, "push": True}]}
            text = text.replace("{}\n", "") + f"artifacts: {json.dumps(servers)}\n"
            if self._seed % 4 < 2:
                text += f"source-caches: {json.dumps(servers)}\n"
        self._configuration.write_text(text, encoding="utf-8")

    def forget(self, elements: Sequence[str]) -> None:
        """Loses what was built of ELEMENTS; everything, sources too, if there are none."""
        if elements:
            self.run("artifact", "delete", *elements)
        else:
            shutil.rmtree(self.folder / "cache" / "buildstream")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        result = subprocess.run(
            [*self._command, *arguments],
            cwd=self._project,
            check=False,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
            errors="replace",
        )
        with (self.folder / "said").open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(arguments)}\n{result.stderr}\n-> {result.returncode}\n")
        return result.returncode, result.stdout, result.stderr

    def build(self, *options: str) -> dict[str, object]:
        """Builds, and gives all that there is to compare, by name."""
        status, _, told = self.run(*options, "build", "all.bst")
        found: dict[str, object] = {"status": status}
        found.update((f"told {line}", True) for line in _told(told))
        if self._is_sharing:
            found.update((f"done {line}", True) for line in _done(told))
        _, shown, error = self.run(*options, "show", "--format", "%{name}|%{state}|%{full-key}", "all.bst")
        found["show"] = _neutral(error) if not shown else ""
        for line in shown.splitlines():
            name, state, key = line.split("|")
            found[f"state {name}"] = state
            found[f"key {name}"] = key
        found.update(self._artifacts())
        found.update(self._sources())
        return found

    def answer(self, number: int, question: Sequence[str]) -> tuple[int, str, str]:
        """Exit status, standard output and what was made by the command QUESTION."""
        out = self.folder / f"out-{number}"
        words = [word.replace("OUT", str(out)) for word in question]
        status, shown, _ = self.run(*words)
        if "OUT.tar" in question:
            out = out.with_suffix(".tar")
        is_exact = question[0] == "artifact" and "--hardlinks" not in question
        return status, _neutral(shown), _tree(out, is_exact=is_exact)

    def _sources(self) -> Iterator[tuple[str, object]]:
        """The records of staged sources."""
        top = self.folder / "cache" / "buildstream"
        if (self._project / "below").exists():
            return
        for kind in ("elementsources", "source_protos"):
            for path in (top / kind).rglob("*"):
                if path.is_file():
                    yield str(path.relative_to(top)), path.read_bytes()

    def _artifacts(self) -> Iterator[tuple[str, object]]:
        top = self.folder / "cache" / "buildstream" / "artifacts" / "refs"
        for path in top.rglob("*"):
            if path.is_file():
                artifact = ArtifactCache.decode(path.read_bytes())
                name = str(path.relative_to(top))
                if artifact is None:
                    yield f"artifact {name}", "can't be read"
                    continue
                for attribute in (
                    "build_sandbox",
                    "is_success",
                    "error",
                    "error_detail",
                    "strong_key",
                    "weak_key",
                    "strict_key",
                    "files",
                    "public_data",
                    "low_diversity_meta",
                    "high_diversity_meta",
                    "build_dependencies",
                    "buildtree",
                    "buildroot",
                    "sources",
                ):
                    yield f"artifact {name} {attribute}", str(getattr(artifact, attribute))


def _questions(project: Path, seed: int, count: int) -> Iterator[tuple[str, ...]]:
    """Commands about what was built; OUT stands for a folder of each program."""
    chance = random.Random(f"questions {seed}")
    names = sorted(path.name for path in (project / "elements").iterdir())
    for _ in range(count):
        name = chance.choice(names)
        deps = ("--deps", chance.choice(("none", "run", "build", "all")))
        some = [name, *chance.sample(names, chance.choice((0, 0, 1, 2)))]
        flags = [flag for flag in ("--no-integrate", "--hardlinks", "--force") if chance.random() < 0.3]
        yield chance.choice(
            (
                ("artifact", "checkout", *deps, *flags, "--directory", "OUT", name),
                ("artifact", "checkout", *deps, *flags, "--tar", "OUT.tar", name),
                ("artifact", "list-contents", *chance.choice(((), ("--long",))), *some),
                ("artifact", "show", *deps, *some),
                ("source", "checkout", *deps, "--directory", "OUT", name),
                ("source", "checkout", *deps, "--tar", "OUT.tar", name),
                ("show", *deps, "--format", chance.choice(_FORMATS), *some),
                ("show", *deps, "--except", names[0], *some),
                ("artifact", "log", "--out", "OUT", name),
                (
                    "shell",
                    name,
                    "--",
                    "sh",
                    "-c",
                    "find / -xdev -name '[a-c]*' | sort; ls -la /etc; env | sort",
                ),
                ("artifact", "delete", *deps, *some),
                ("build", *deps, *some),
            )
        )


def _tree(path: Path, *, is_exact: bool) -> str:
    """All that is at PATH, with types and contents; modes and times with IS_EXACT; nothing of logs."""
    if path.suffix == ".tar":
        if not path.exists():
            return ""
        with tarfile.open(path) as tar:
            members = [
                (m.name, m.type, m.linkname, m.size, *((m.mode, m.mtime) if is_exact else ())) for m in tar
            ]
        return "\n".join(map(repr, sorted(members)))
    lines = []
    for each in sorted(path.rglob("*")):
        state = each.lstat()
        content, mode, time = "", state.st_mode, 0.0
        if stat.S_ISLNK(mode):
            content = os.readlink(each)
        elif stat.S_ISREG(mode) and each.suffix != ".log":
            content, time = hashlib.sha256(each.read_bytes()).hexdigest(), state.st_mtime
        if not is_exact or each.suffix == ".log" or time > _LONG_AGO:
            time = 0.0  # that of the command
        if not is_exact or each.suffix == ".log":
            mode = stat.S_IFMT(mode)
        lines.append(f"{_neutral(str(each.relative_to(path)))} {mode:o} {time} {content}")
    return "\n".join(lines)


def _told(text: str) -> Iterator[str]:
    """The warnings and failures in TEXT, with their details, without times and what was logged before.

    What a log held last is not compared: two processes write to it; nor states: other jobs were running.
    """
    detail: list[str] | None = None
    head, is_tail = "", False
    for line in [*text.splitlines(), "[end"]:
        found = _LINE.match(line)
        if line.startswith("[") and detail is not None:
            yield _neutral(" / ".join([head, *(part.strip() for part in detail if part.strip())]))
            detail = None
        if found is not None:
            head, detail, is_tail = f"{found['kind']} {found['subject']}: {found['text']}", [], False
        elif line.strip().startswith(_LOG_TAIL):
            is_tail = True
        elif detail is not None and not is_tail and not _STATE.match(line):
            detail.append(line)


def _done(text: str) -> Iterator[str]:
    """What jobs have ended in TEXT, and how.

    Those that push sources are left out: elements without sources, and those with the same, find sources of
    each other in the caches, or not yet.
    """
    for line in text.splitlines():
        found = _JOB.match(line)
        if found is None or not (found["kind"] == "SKIPPED" or found["text"].endswith(".log")):
            continue
        if not found["subject"].startswith("src-push:") and found["subject"] != "fetch:below.bst":
            yield f"{found['kind']} {found['subject']}"


def _neutral(text: str) -> str:
    """TEXT without times, and without what has the name of a folder in it."""
    return re.sub(r"\d\d:\d\d:\d\d|/\S*/(left|right)/\S*|/[^ ]*/logs/\S*|\d{8}-\d{6}", "", text)


def compare(
    seed: int, questions: int, project: Path, programs: Sequence[Program], remotes: Sequence[str]
) -> list[str]:
    """What PROGRAMS disagree on in PROJECT, that of SEED; they share with REMOTES, if these are not empty."""
    options = ("--no-strict",) if seed % 2 else ()
    lines = []
    for step in ("first", "again", "changed") if any(remotes) else ("first", "changed"):
        if step == "again":
            chance = random.Random(f"forgotten {seed}")
            names = sorted(path.name for path in (project / "elements").iterdir())
            forgotten = chance.sample(names, chance.choice((0, 0, 3, 6)))
            for program, remote in zip(programs, reversed(remotes), strict=True):
                program.forget(forgotten)
                program.configure(remote)
        one, other = (program.build(*options) for program in programs)
        if any(name.startswith("told BUG") for name in one):
            print(f"seed {seed}: not compared, LEFT has a bug", flush=True)
            break
        lines += [
            f"seed {seed}, {step}: {name}\n    left:  {one.get(name)}\n    right: {other.get(name)}"
            for name in sorted(one.keys() | other.keys())
            if one.get(name) != other.get(name)
        ]
        if step == "first":
            for number, question in enumerate(_questions(project, seed, questions)):
                left_answer, right_answer = (program.answer(number, question) for program in programs)
                if left_answer != right_answer:
                    difference = _difference(left_answer, right_answer)
                    lines.append(f"seed {seed}, {number}: {' '.join(question)}\n{difference}")
        if step != "first" or not any(remotes):
            change(project, seed)
    failed = sum(value == "failed" for value in one.values())
    built = sum(value == "cached" for value in one.values())
    print(f"seed {seed}: {built} cached, {failed} failed, {len(lines)} differ", flush=True)
    return lines


def _difference(one: Sequence[object], other: Sequence[object]) -> str:
    parts = []
    for name, left, right in zip(("status", "stdout", "files"), one, other, strict=True):
        if left != right:
            parts += [
                f"  {name}",
                *difflib.unified_diff(str(left).splitlines(), str(right).splitlines(), lineterm="", n=0),
            ]
    return "\n".join(f"    {part}" for part in parts)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("left", type=os.path.abspath)
    parser.add_argument("right", type=os.path.abspath)
    parser.add_argument("--seeds", nargs=2, type=int, default=(1, 10))
    parser.add_argument("--elements", type=int, default=15)
    parser.add_argument("--questions", type=int, default=6)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--casd", metavar="PROGRAM")
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(dir=arguments.scratch))
    first, count = arguments.seeds
    commands = (arguments.left, arguments.right)
    lines: list[str] = []
    for seed in range(first, first + count):
        with ExitStack() as stack:
            remotes = ["", ""]
            if arguments.casd:
                for side in range(2):
                    storage = scratch / f"{seed}-server-{side}"
                    remotes[side] = stack.enter_context(casd(storage, arguments.casd)).storage
            folder = scratch / str(seed)
            project = folder / "project"
            write_project(project, seed, arguments.elements)
            for files in project.glob("**/files"):
                make_host_base(str(files / "base"), _TOOLS)
            programs = [
                Program(command, folder / side, project, seed, remote)
                for side, command, remote in zip(("left", "right"), commands, remotes, strict=True)
            ]
            found = compare(seed, arguments.questions, project, programs, remotes)
        print("\n".join(found), flush=True)
        lines += found
        if not arguments.keep and not found:
            shutil.rmtree(scratch / str(seed))
            for path in scratch.glob(f"{seed}-server-*"):
                path.unlink() if path.is_file() else shutil.rmtree(path)
    print(
        f"{count} projects, {len(lines)} differences; kept in {scratch}"
        if lines
        else f"{count} projects agree"
    )
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
