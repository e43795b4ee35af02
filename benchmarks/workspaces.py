"""How long builds of workspaces take, beside a reference: no-op builds, and builds after one edit.

    python benchmarks/workspaces.py DIRECTORY CANDIDATE REFERENCE [--base DIR] [--only prepare|measure]

DIRECTORY is scratch space, removed after measuring.  CANDIDATE and REFERENCE are `bst` programs.
`--base` is a directory with a shell, make and a C compiler, to be staged as the root of the C
project, as `doc/examples/make-base --with-compiler DIR sh make mkdir cp test touch` makes it; without it only
the no-op build is measured.  Runs alternate; wall time and the CPU time of the program
with all its children are shown in seconds, with the ratio of the medians.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import time
from pathlib import Path

_FILES = 50_000
_MODULES = 150
_ROUNDS = 5
_PROJECT = "name: bench\nmin-version: 2.0\nelement-path: elements\n"
_MAKEFILE = "OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))\nprogram: $(OBJECTS)\n\tgcc -o $@ $(OBJECTS)\n"
_C_ELEMENT = """\
kind: manual
build-depends: [base.bst]
sources:
- kind: local
  path: files/src
config:
  configure-commands:
  - test -e Makefile
  build-commands:
  - make
  install-commands:
  - mkdir -p %{install-root}
  - cp program %{install-root}
"""


class Program:
    """A `bst` with a project and caches of its own."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program = os.path.abspath(program)
        self.project = directory / "project"
        self._environment = {
            **os.environ,
            "HOME": str(directory),
            "XDG_CACHE_HOME": str(directory / "cache"),
            "XDG_CONFIG_HOME": str(directory / "config"),
        }

    def make_project(self) -> None:
        """Writes a project without elements."""
        (self.project / "elements").mkdir(parents=True)
        (self.project / "project.conf").write_text(_PROJECT)

    def run(self, *arguments: str) -> tuple[float, float]:
        """Wall and CPU time in seconds."""
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run = subprocess.run(
            [self.program, "--no-colors", *arguments],
            cwd=self.project,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        wall_s = time.monotonic() - started
        assert run.returncode == 0, run.stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_many_files(program: Program) -> None:
    """An element with a workspace of many files, built."""
    for number in range(_FILES):
        path = program.project / f"big/d{number // 500}/e{number // 50 % 10}/f{number}.c"
        if number % 50 == 0:
            path.parent.mkdir(parents=True)
        path.write_text(f"int f{number}(void) {{ return {number}; }}\n" * 20)
    (program.project / "small").mkdir()
    element = "kind: import\nsources:\n- kind: local\n  path: small\n"
    (program.project / "elements/big.bst").write_text(element)
    program.run("workspace", "open", "--no-checkout", "--directory", "big", "big.bst")
    program.run("build", "big.bst")
    program.run("build", "big.bst")


def make_c_project(program: Program, base: Path) -> None:
    """A C program of many modules, in a workspace, built."""
    shutil.copytree(base, program.project / "files/base", symlinks=True)
    sources = program.project / "files/src"
    sources.mkdir()
    calls = "".join(f"int f{number}(int); " for number in range(_MODULES))
    total = "+".join(f"f{number}(1)" for number in range(_MODULES))
    (sources / "main.c").write_text(f"{calls}\nint main(void) {{ return ({total}) == 0; }}\n")
    for number in range(_MODULES):
        body = "".join(f"int g{number}_{n}(int x) {{ return x * {n}; }}\n" for n in range(60))
        text = f"#include <stdio.h>\n{body}int f{number}(int x) {{ return x + g{number}_1(x); }}\n"
        (sources / f"m{number}.c").write_text(text)
    (sources / "Makefile").write_text(_MAKEFILE)
    base_element = "kind: import\nsources:\n- kind: local\n  path: files/base\n"
    (program.project / "elements/base.bst").write_text(base_element)
    (program.project / "elements/c.bst").write_text(_C_ELEMENT)
    program.run("workspace", "open", "c.bst")
    program.run("build", "c.bst")


def edit(program: Program, number: int) -> None:
    """Changes one module."""
    with (program.project / "c/m7.c").open("a") as file:
        file.write(f"int edit{number}(void) {{ return {number}; }}\n")


def measure(name: str, pair: list[Program], prepare: object, *arguments: str) -> None:
    times: list[list[tuple[float, float]]] = [[], []]
    for number in range(_ROUNDS):
        for position, program in enumerate(pair):
            if callable(prepare):
                prepare(program, number)
            times[position].append(program.run(*arguments))
    for kind, label in ((0, "wall"), (1, "CPU")):
        candidate, reference = ([run[kind] for run in runs] for runs in times)
        ratio = statistics.median(candidate) / statistics.median(reference)
        print(
            f"{name:>22} {label:>4}: min {min(candidate):.2f} median {statistics.median(candidate):.2f}"
            f"   reference min {min(reference):.2f} median {statistics.median(reference):.2f}"
            f"   ratio {ratio:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("candidate")
    parser.add_argument("reference")
    parser.add_argument("--base", type=Path)
    parser.add_argument("--only", choices=("prepare", "measure"))
    options = parser.parse_args()
    programs = [options.candidate, options.reference]
    for kind in ("files", "c"):
        if kind == "c" and options.base is None:
            continue
        directory = options.directory / kind
        pair = [Program(program, directory / str(position)) for position, program in enumerate(programs)]
        try:
            if options.only != "measure":
                for program in pair:
                    program.make_project()
                    make_many_files(program) if kind == "files" else make_c_project(program, options.base)
            if options.only == "prepare":
                continue
            if kind == "files":
                measure("50,000 files, no-op", pair, None, "build", "big.bst")
                measure("50,000 files, show", pair, None, "show", "big.bst")
            else:
                measure("C project, one edit", pair, edit, "build", "c.bst")
                measure("C project, no-op", pair, None, "build", "c.bst")
        finally:
            if options.only != "prepare":
                shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
