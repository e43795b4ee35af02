"""Proofs about workspaces that take too long for the suite; run by hand.

    python tests/integration/workspaces/prove.py compare DIRECTORY BST REFERENCE [--count 40]
    python tests/integration/workspaces/prove.py concurrent DIRECTORY BST [--count 20]
    python tests/integration/workspaces/prove.py kill DIRECTORY BST [--count 200]

`compare` runs seeded sequences of opening, editing, building, resetting, closing and shells with
two programs in projects of their own, and compares exit codes, states, open workspaces, files of
workspaces and artifacts after each step.  `concurrent` opens 32 workspaces at the same time and closes
half of them again, COUNT rounds.  `kill` kills commands that change workspaces at random moments.
DIRECTORY is scratch space; a sandbox base is made of programs of the host.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.testutils.hostbase import SHELL_TOOLS, make_host_base

_ELEMENT = """\
kind: manual
build-depends: [base.bst]
sources:
- kind: local
  path: files/{name}
config:
  configure-commands:
  - echo configured >> configured
  build-commands:
  - |
    for f in *.txt; do
      if [ ! -e "$f.o" ] || [ "$f" -nt "$f.o" ]; then cat "$f" > "$f.o"; echo "$f" >> log; fi
    done
  - test ! -e fail
  install-commands:
  - mkdir -p %{{install-root}}/{name}
  - cp -r . %{{install-root}}/{name}
"""
_NAMES = ("a", "b")
# 2.8 leaves it empty
_IGNORED = {".bst-prepared"}


class Program:
    """A `bst` with a project and caches of its own."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program = program
        self.project = directory / "project"
        self.environment = {
            **os.environ,
            "HOME": str(directory),
            "XDG_CACHE_HOME": str(directory / "cache"),
            "XDG_CONFIG_HOME": str(directory / "config"),
        }
        (self.project / "elements").mkdir(parents=True)
        (self.project / "project.conf").write_text("name: p\nmin-version: 2.0\nelement-path: elements\n")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.program, "--no-colors", *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate()
        return process.returncode, output

    def opened(self) -> dict[str, str]:
        status, output = self.run("workspace", "list")
        assert status == 0
        return {entry["element"]: entry["directory"] for entry in yaml.safe_load(output)["workspaces"]}


def _files(top: Path) -> dict[str, str]:
    return {
        str(path.relative_to(top)): path.read_text()
        for path in sorted(top.rglob("*"))
        if path.is_file() and path.name not in _IGNORED
    }


# comparing


def _sequence(seed: int) -> list[list[str]]:
    chance = random.Random(seed)
    steps = [["workspace", "open", "a.bst"]]
    actions: list[Callable[[str], list[str]]] = [
        lambda name: ["workspace", "open", f"{name}.bst"],
        lambda name: ["workspace", "open", "--no-checkout", f"{name}.bst"],
        lambda name: ["workspace", "close", f"{name}.bst"],
        lambda name: ["workspace", "close", "--remove-dir", f"{name}.bst"],
        lambda name: ["workspace", "reset", f"{name}.bst"],
        lambda name: ["workspace", "reset", "--soft", f"{name}.bst"],
        lambda name: ["shell", "--build", f"{name}.bst", "--", "sh", "-c", "ls; cat *.txt"],
        *[lambda name: ["build", f"{name}.bst"]] * 4,
        lambda name: ["EDIT", name, "one.txt", str(chance.randrange(100))],
        lambda name: ["EDIT", name, "new.txt", str(chance.randrange(100))],
        lambda name: ["OLD", name, "one.txt", "old"],
        lambda name: ["DELETE", name, "two.txt"],
        lambda name: ["EDIT", name, "fail", ""],
        lambda name: ["DELETE", name, "fail"],
    ]
    steps += [chance.choice(actions)(chance.choice("aab")) for _ in range(9)]
    return [*steps, ["build", "a.bst"]]


def _do(program: Program, step: list[str]) -> tuple[int, str]:
    if step[0].islower():
        return program.run(*step)
    path = program.project / step[1] / step[2]
    if path.parent.is_dir():
        if step[0] == "DELETE":
            path.unlink(missing_ok=True)
        else:
            path.write_text(step[3] + "\n")
        if step[0] == "OLD":
            os.utime(path, (1e9, 1e9))
    return 0, ""


def _observe(program: Program, step: list[str]) -> dict[str, object]:
    status, output = _do(program, step)
    seen: dict[str, object] = {"status": status}
    if step[0] == "shell":
        seen["output"] = output
    seen["states"] = program.run("show", "-f", "%{name} %{state} %{workspaced}", "a.bst", "b.bst")
    seen["opened"] = {name: os.path.basename(path) for name, path in program.opened().items()}
    for name in _NAMES:
        files = _files(program.project / name)
        files.pop(".bstproject.yaml", None)
        seen[name] = files
    if step[0] == "build" and status == 0:
        out = program.project / "out"
        program.run("artifact", "checkout", step[1], "--directory", str(out))
        seen["artifact"] = {k: v for k, v in _files(out).items() if not k.endswith(".bstproject.yaml")}
        shutil.rmtree(out)
    return seen


def _make_project(program: Program, base: Path) -> None:
    shutil.copytree(base, program.project / "files/base", symlinks=True)
    base_element = "kind: import\nsources:\n- kind: local\n  path: files/base\n"
    (program.project / "elements/base.bst").write_text(base_element)
    for name in _NAMES:
        sources = program.project / "files" / name
        sources.mkdir()
        (sources / "one.txt").write_text("one\n")
        (sources / "two.txt").write_text("two\n")
        (program.project / f"elements/{name}.bst").write_text(_ELEMENT.format(name=name))


def compare(directory: Path, programs: list[str], count: int) -> int:
    base = directory / "base"
    make_host_base(str(base), SHELL_TOOLS)
    pair = [Program(program, directory / str(position)) for position, program in enumerate(programs)]
    for program in pair:
        _make_project(program, base)
    differing = 0
    for seed in range(count):
        for program in pair:
            program.run("workspace", "close", "--all")
            for name in _NAMES:
                shutil.rmtree(program.project / name, ignore_errors=True)
        for step in _sequence(seed):
            ours, theirs = (_observe(program, step) for program in pair)
            if ours != theirs:
                differing += 1
                keys = [key for key in ours if ours[key] != theirs.get(key)]
                print(f"sequence {seed}, {' '.join(step)}:")
                for key in keys:
                    print(f"  {key}\n    {ours[key]}\n    {theirs.get(key)}")
                break
        print(f"sequence {seed}: done; {differing} differ so far", flush=True)
    return differing


# concurrency and kills


def _many_elements(program: Program, count: int) -> list[str]:
    (program.project / "files").mkdir()
    (program.project / "files/x").write_text("x\n")
    names = [f"e{number}.bst" for number in range(count)]
    for name in names:
        text = "kind: import\nsources:\n- kind: local\n  path: files\n"
        (program.project / "elements" / name).write_text(text)
    return names


def concurrent(directory: Path, program_path: str, count: int) -> int:
    program = Program(program_path, directory / "0")
    names = _many_elements(program, 32)
    lost = 0
    for round_ in range(count):
        for process in [program.start("workspace", "open", name) for name in names]:
            process.communicate()
            lost += process.returncode != 0
        lost += len(set(names) - set(program.opened()))
        for process in [program.start("workspace", "close", "--remove-dir", name) for name in names]:
            process.communicate()
            lost += process.returncode != 0
        lost += len(program.opened())
        print(f"round {round_}: {lost} lost so far", flush=True)
    return lost


def kill(directory: Path, program_path: str, count: int) -> int:
    program = Program(program_path, directory / "0")
    _many_elements(program, 2)
    chance = random.Random(0)
    program.run("workspace", "open", "e0.bst")
    edit = program.project / "e0/x"
    broken = 0
    for number in range(count):
        edit.write_text(f"edit {number}\n")
        command = chance.choice((["open", "e1.bst"], ["close", "e1.bst"], ["reset", "--soft", "e0.bst"]))
        process = program.start("workspace", *command)
        try:
            process.wait(timeout=chance.random() * 1.2)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        opened = program.opened()  # fails if the record is broken
        broken += "e0.bst" not in opened or edit.read_text() != f"edit {number}\n"
        if "e1.bst" not in opened:
            shutil.rmtree(program.project / "e1", ignore_errors=True)
        if number % 20 == 19:
            print(f"{number + 1} kills: {broken} broken or lost", flush=True)
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("proof", choices=("compare", "concurrent", "kill"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("program", nargs="+")
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    options.directory.mkdir(parents=True)
    if options.proof == "compare":
        failures = compare(options.directory, options.program, options.count or 40)
    elif options.proof == "concurrent":
        failures = concurrent(options.directory, options.program[0], options.count or 20)
    else:
        failures = kill(options.directory, options.program[0], options.count or 200)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
