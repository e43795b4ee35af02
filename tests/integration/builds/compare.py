#!/usr/bin/env python3
"""Builds projects that are made up from seeds with two bst programs, and compares all that they made.

    compare.py [--seeds FIRST COUNT] [--elements N] [--scratch FOLDER] [--keep] LEFT RIGHT

For each project the programs must agree on: the exit status; the state and key of each element; each
artifact: files, public data, environment, variables, dependencies, whether it is a success and the error it
records; warnings and errors that were told.  Each uses caches of its own.  LEFT is the one that is right.

A project over which LEFT fails with a bug is not compared: 2.8.1 does so where a file of one element lies
over an empty directory of another.

Exit status: 0 if they agree on everything.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from buildstream._act.artifacts import ArtifactCache
from tests.integration.builds.randomproject import change, write_project
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
)
_LINE = re.compile(
    r"^\[[^]]*\]\[[^]]*\]\[ *(?P<subject>[^]]*?) *\] (?P<kind>WARNING|FAILURE|ERROR|BUG) *(?P<text>.*)$"
)

_LOG_TAIL = "Printing the last"


class Program:
    """A bst with caches of its own below FOLDER."""

    def __init__(self, command: str, folder: Path, project: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._command = [
            command,
            "--no-colors",
            "--no-interactive",
            "--on-error",
            "continue",
            "--builders",
            "2",
        ]
        if seed % 3 == 0:
            configuration = folder / "buildstream.conf"
            configuration.write_text("cache: {cache-buildtrees: always}\n", encoding="utf-8")
            self._command += ["--config", str(configuration)]
        self._project = project
        homes = {"HOME": folder, "XDG_CACHE_HOME": folder / "cache", "XDG_CONFIG_HOME": folder / "config"}
        self._environment = {**os.environ, **{name: str(path) for name, path in homes.items()}}

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
        return result.returncode, result.stdout, result.stderr

    def build(self, *options: str) -> dict[str, object]:
        """Builds, and gives all that there is to compare, by name."""
        status, _, told = self.run(*options, "build", "all.bst")
        found: dict[str, object] = {"status": status}
        found.update((f"told {line}", True) for line in _told(told))
        _, shown, error = self.run(*options, "show", "--format", "%{name}|%{state}|%{full-key}", "all.bst")
        found["show"] = _neutral(error) if not shown else ""
        for line in shown.splitlines():
            name, state, key = line.split("|")
            found[f"state {name}"] = state
            found[f"key {name}"] = key
        found.update(self._artifacts())
        return found

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


def _told(text: str) -> Iterator[str]:
    """The warnings and failures in TEXT, with their details, without times and what was logged before.

    What a log held last is not compared: two processes write to it.
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
        elif detail is not None and not is_tail:
            detail.append(line)


def _neutral(text: str) -> str:
    """TEXT without times, and without what has the name of a folder in it."""
    return re.sub(r"\d\d:\d\d:\d\d|/\S*/(left|right)/\S*|/[^ ]*/logs/\S*", "", text)


def compare(seed: int, elements: int, scratch: Path, left: str, right: str) -> list[str]:
    """What the programs disagree on, in the project of SEED."""
    folder = scratch / str(seed)
    write_project(folder / "project", seed, elements)
    make_host_base(str(folder / "project" / "files" / "base"), _TOOLS)
    programs = [
        Program(command, folder / side, folder / "project", seed)
        for side, command in (("left", left), ("right", right))
    ]
    options = ("--no-strict",) if seed % 2 else ()
    lines = []
    for step in ("first", "changed"):
        one, other = (program.build(*options) for program in programs)
        if any(name.startswith("told BUG") for name in one):
            print(f"seed {seed}: not compared, LEFT has a bug", flush=True)
            break
        lines += [
            f"seed {seed}, {step}: {name}\n    left:  {one.get(name)}\n    right: {other.get(name)}"
            for name in sorted(one.keys() | other.keys())
            if one.get(name) != other.get(name)
        ]
        change(folder / "project", seed)
    failed = sum(value == "failed" for value in one.values())
    built = sum(value == "cached" for value in one.values())
    print(f"seed {seed}: {built} cached, {failed} failed, {len(lines)} differ", flush=True)
    return lines


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("left", type=os.path.abspath)
    parser.add_argument("right", type=os.path.abspath)
    parser.add_argument("--seeds", nargs=2, type=int, default=(1, 10))
    parser.add_argument("--elements", type=int, default=15)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(dir=arguments.scratch))
    first, count = arguments.seeds
    lines: list[str] = []
    for seed in range(first, first + count):
        found = compare(seed, arguments.elements, scratch, arguments.left, arguments.right)
        print("\n".join(found), flush=True)
        lines += found
        if not arguments.keep and not found:
            shutil.rmtree(scratch / str(seed))
    print(
        f"{count} projects, {len(lines)} differences; kept in {scratch}"
        if lines
        else f"{count} projects agree"
    )
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
