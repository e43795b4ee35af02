#!/usr/bin/env python3
"""Compares two bst executables where a project consists of large files.

    large.py [--rounds N] [--mib N] DIRECTORY REFERENCE CANDIDATE

DIRECTORY must not exist.  An element imports one file of N MiB from a tarball, another one makes a second
file of it, a third puts both together; then these are built upon and checked out.  In every round each
program does all of it with a cache of its own, step by step, each step a command.  The table gives wall and
processor time in seconds of the fastest run of each step, and the ratio of the wall times.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from generate import make_base

_CHUNK_BYTES = 1 << 20

_ELEMENTS = {
    "base": "kind: import\nsources:\n- kind: local\n  path: files/base\n",
    "big": "kind: import\nsources:\n- kind: tar\n  url: originals:big.tar\n  ref: {ref}\n  base-dir: ''\n",
    "copy": "kind: manual\nbuild-depends: [base.bst, big.bst]\nconfig:\n  install-commands:\n"
    "  - mkdir -p %{{install-root}}; cat /blob > %{{install-root}}/copy; echo >> %{{install-root}}/copy\n",
    "system": "kind: compose\nbuild-depends: [copy.bst, big.bst]\n",
    "user": "kind: manual\nbuild-depends: [base.bst, system.bst]\nconfig:\n  install-commands:\n"
    "  - mkdir -p %{{install-root}}; echo > %{{install-root}}/small\n",
}
_CHECKOUT = ("artifact", "checkout", "--deps", "none")
_STEPS = {
    "fetch": ("source", "fetch", "big.bst"),
    "import": ("build", "big.bst"),
    "copy": ("build", "copy.bst"),
    "compose": ("build", "system.bst"),
    "stage": ("build", "user.bst"),
    "no-op": ("build", "user.bst"),
    "check out": (*_CHECKOUT, "--directory", "{out}", "system.bst"),
    "links": (*_CHECKOUT, "--hardlinks", "--directory", "{out}", "system.bst"),
    "tar": (*_CHECKOUT, "--tar", "{out}", "copy.bst"),
    "sources": ("source", "checkout", "--directory", "{out}", "big.bst"),
}

Cost = tuple[float, float]  # wall and processor time in seconds


def write_project(directory: Path, mib: int) -> None:
    """A project in DIRECTORY/project, with an original of MIB mebibytes."""
    project, originals = directory / "project", directory / "originals"
    (project / "elements").mkdir(parents=True)
    originals.mkdir()
    make_base(project / "files" / "base")
    (project / "project.conf").write_text(
        f"name: large\nmin-version: 2.0\nelement-path: elements\naliases:\n  originals: file://{originals}/\n"
    )
    tarball = originals / "big.tar"
    with tarfile.open(tarball, "w") as tar, open("/dev/urandom", "rb") as content:
        info = tarfile.TarInfo("blob")
        info.size = mib << 20
        tar.addfile(info, content)
    checksum = hashlib.sha256()
    with tarball.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checksum.update(chunk)
    for name, text in _ELEMENTS.items():
        (project / "elements" / f"{name}.bst").write_text(text.format(ref=checksum.hexdigest()))


def run_steps(directory: Path, program: str) -> dict[str, Cost]:
    """Runs all steps with a new cache."""
    home, out = directory / "home", directory / "out"
    (home / "config").mkdir(parents=True)
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }
    costs: dict[str, Cost] = {}
    for step, arguments in _STEPS.items():
        command = [program, "--no-colors", *(part.format(out=out) for part in arguments)]
        with (home / "output").open("wb") as output:
            started_s = time.monotonic()
            process = subprocess.Popen(
                command, cwd=directory / "project", env=environment, stdout=output, stderr=output
            )
            _, status, usage = os.wait4(process.pid, 0)
            costs[step] = (time.monotonic() - started_s, usage.ru_utime + usage.ru_stime)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            print((home / "output").read_text()[-3000:])
            sys.exit(f"{' '.join(command)}: status {process.returncode}")
        if out.is_dir():
            shutil.rmtree(out)
        out.unlink(missing_ok=True)
    shutil.rmtree(home)
    return costs


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("programs", nargs=2, metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--mib", type=int, default=1024)
    arguments = parser.parse_args()
    write_project(arguments.directory, arguments.mib)
    found: dict[str, list[dict[str, Cost]]] = {program: [] for program in arguments.programs}
    for _ in range(arguments.rounds):
        for program, costs in found.items():
            costs.append(run_steps(arguments.directory, program))
    for step in _STEPS:
        best = [min(costs[step] for costs in rounds) for rounds in found.values()]
        columns = "  ".join(f"{wall_s:7.2f} s {cpu_s:7.2f} s CPU" for wall_s, cpu_s in best)
        print(f"{step:10} {columns}  {best[-1][0] / best[0][0]:5.2f}")
    shutil.rmtree(arguments.directory)


if __name__ == "__main__":
    main()
