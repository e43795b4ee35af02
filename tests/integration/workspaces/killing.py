"""Commands that change workspaces, many at the same time or killed at random moments."""

import os
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

_FILES = 40
_EDIT = "mine.txt"
_ELEMENT = "kind: import\nsources:\n- kind: local\n  path: files\n"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Program:
    """A `bst` with a project and caches of its own."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program = os.path.abspath(program)
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

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        output, errors = process.communicate()
        return process.returncode, output, errors

    def opened(self) -> dict[str, str]:
        status, output, errors = self.run("workspace", "list")
        assert status == 0, errors
        return {entry["element"]: entry["directory"] for entry in yaml.safe_load(output)["workspaces"]}

    def write_elements(self, count: int) -> list[str]:
        (self.project / "files").mkdir()
        for number in range(_FILES):
            (self.project / f"files/{number}").write_text(f"{number}\n")
        names = [f"e{number}.bst" for number in range(count)]
        for name in names:
            (self.project / "elements" / name).write_text(_ELEMENT)
        return names


def concurrent(directory: Path, program_path: str, count: int) -> int:
    """How many commands of COUNT rounds failed, or had no effect."""
    program = Program(program_path, directory / "concurrent")
    names = program.write_elements(32)
    lost = 0
    for round_ in range(count):
        lost += _all_at_once(program, names, "open")
        lost += len(set(names) - set(program.opened()))
        lost += _all_at_once(program, names, "close", "--remove-dir")
        lost += len(program.opened())
        lost += sum((program.project / name[:-4]).exists() for name in names)
        print(f"round {round_ + 1}: {lost} lost so far", flush=True)
    return lost


def _all_at_once(program: Program, names: list[str], *command: str) -> int:
    """How many of the commands fail."""
    failed = 0
    for process in [program.start("workspace", *command, name) for name in names]:
        _, errors = process.communicate()
        if process.returncode != 0:
            print(errors)
            failed += 1
    return failed


@dataclass(frozen=True, slots=True)
class _Kind:
    """A command that is killed."""

    arguments: tuple[str, ...]
    keeps_edits_of_e1: bool  # whether all files in the workspace of e1 must be as they were


_KINDS = (
    _Kind(("workspace", "open", "e1.bst"), keeps_edits_of_e1=True),
    _Kind(("workspace", "open", "--no-checkout", "e1.bst"), keeps_edits_of_e1=True),
    _Kind(("workspace", "open", "--force", "e1.bst"), keeps_edits_of_e1=False),
    _Kind(("workspace", "close", "e1.bst"), keeps_edits_of_e1=True),
    _Kind(("workspace", "close", "--remove-dir", "e1.bst"), keeps_edits_of_e1=False),
    _Kind(("workspace", "reset", "e1.bst"), keeps_edits_of_e1=False),
    _Kind(("workspace", "reset", "--soft", "--all"), keeps_edits_of_e1=True),
    _Kind(("build", "e0.bst", "e1.bst"), keeps_edits_of_e1=True),
)


def kill(directory: Path, program_path: str, count: int, seed: int) -> int:
    """How often something was broken or lost by COUNT kills.

    A workspace of e0 is edited and stays open; that of e1 is opened, closed, reset and removed.  After each
    kill the record must be readable, e0 must be open with its edits, and e1 must have its edits
    unless the command was to discard them; then each command must do what it is for.
    """
    program = Program(program_path, directory / "kill")
    program.write_elements(2)
    chance = random.Random(seed)
    status, _, errors = program.run("workspace", "open", "e0.bst")
    assert status == 0, errors
    durations_s = {kind: _measure(program, kind) for kind in _KINDS}
    broken = killed = 0
    for number in range(count):
        kind = chance.choice(_KINDS)
        _prepare(program, number, opened=kind.arguments[1] != "open" or chance.random() < 0.3)
        # most of a command is starting up; what matters comes late
        moment_s = durations_s[kind] * chance.triangular(0.1, 1.1, 0.9)
        killed += _kill_at(program, kind, moment_s)
        problems = _problems(program, kind, number)
        for problem in problems:
            print(f"kill {number}, {' '.join(kind.arguments)}: {problem}", flush=True)
        broken += bool(problems)
        if number % 20 == 19:
            print(f"{number + 1} commands, {killed} killed: {broken} broken or lost", flush=True)
    return broken


def _prepare(program: Program, number: int, *, opened: bool) -> None:
    """Has e1 opened or not, with edits in it and in e0."""
    program.run("workspace", "close", "e1.bst")
    shutil.rmtree(program.project / "e1", ignore_errors=True)
    if opened:
        program.run("workspace", "open", "e1.bst")
        (program.project / "e1" / _EDIT).write_text(f"edit {number}\n")
    (program.project / "e0" / _EDIT).write_text(f"edit {number}\n")


def _measure(program: Program, kind: _Kind) -> float:
    """The CPU time in seconds that the command takes, without its children."""
    _prepare(program, -1, opened=kind.arguments[1] != "open")
    process = program.start(*kind.arguments)
    last_s = 0.0
    while process.poll() is None:
        last_s = max(last_s, _cpu_s(process))
    process.communicate()
    return last_s


def _cpu_s(process: "subprocess.Popen[str]") -> float:
    """User and system time of a process so far."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _kill_at(program: Program, kind: _Kind, moment_s: float) -> bool:
    """Kills the command once it has used some CPU time; whether it was not faster."""
    process = program.start(*kind.arguments)
    while process.poll() is None:
        if _cpu_s(process) >= moment_s:
            process.kill()
            break
    process.communicate()
    return process.returncode < 0


def _problems(program: Program, kind: _Kind, number: int) -> list[str]:
    """What is wrong after the kill."""
    status, _, errors = program.run("workspace", "list")
    if status != 0:
        return [errors]
    problems = []
    edit = f"edit {number}\n"
    if "e0.bst" not in program.opened():
        problems.append("e0.bst is not open any more")
    if (program.project / "e0" / _EDIT).read_text() != edit:
        problems.append("an edit of e0.bst is lost")
    edited = program.project / "e1" / _EDIT
    if kind.keeps_edits_of_e1 and "e1.bst" in program.opened() and "--no-checkout" not in kind.arguments:
        has_been_edited = kind.arguments[1] != "open" or edited.exists()
        if has_been_edited and (not edited.exists() or edited.read_text() != edit):
            problems.append("an edit of e1.bst is lost")
    for arguments in (("workspace", "open", "--force", "e1.bst"), ("build", "e0.bst", "e1.bst")):
        status, _, errors = program.run(*arguments)
        if status != 0:
            problems.append(f"{' '.join(arguments)} fails afterwards: {errors}")
    present = sorted(path.name for path in (program.project / "e1").iterdir())
    if present != sorted([".bstproject.yaml", *map(str, range(_FILES))]):
        problems.append(f"e1 is not complete: {present}")
    return problems
