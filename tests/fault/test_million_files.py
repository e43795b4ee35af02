"""One artifact with a million files, a hundred thousand of them in one directory.

Where temporary files are in memory, the long test takes all inodes that there are by default, for each link
is one: `--basetemp` names a directory on a disk.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testutils.space import TestSpace

# each file has a content of its own, so that nothing is shared
_MAKE_FILES = """
kind: manual
build-depends: [base.bst]
config:
  install-commands:
  - |
    mkdir %{{install-root}}/flat; cd %{{install-root}}/flat
    i=0; while [ $i -lt {flat} ]; do echo flat $i > $i; i=$((i+1)); done
  - |
    cd %{{install-root}}; d=0
    while [ $d -lt {directories} ]; do
      mkdir d$d; f=0
      while [ $f -lt 1000 ]; do echo $d $f > d$d/$f; f=$((f+1)); done
      d=$((d+1))
    done
"""
_COUNT_FILES = """
kind: manual
build-depends: [base.bst, many.bst]
config:
  install-commands:
  - find /flat /d[0-9]* -type f | wc -l > %{install-root}/count
  - cat /flat/7 /d0/999 > %{install-root}/two
"""
_MIB_PER_THOUSAND_FILES = 1.5
_MIB_AT_FIRST = 150


@pytest.mark.parametrize(
    ("flat", "directories"),
    [(2_000, 3), pytest.param(100_000, 900, marks=pytest.mark.slow)],
    ids=["5 thousand", "1 million"],
)
def test_artifact_of_many_files(space: TestSpace, flat: int, directories: int) -> None:
    """Built, used, listed, checked, checked out in each way and deleted, in memory that is bounded."""
    count = flat + 1000 * directories
    space.project()
    space.shell_base()
    space.element("many.bst", _MAKE_FILES.format(flat=flat, directories=directories))
    space.element("user.bst", _COUNT_FILES)
    most_mib = _MIB_AT_FIRST + _MIB_PER_THOUSAND_FILES * count / 1000
    for arguments in (
        ("build", "many.bst"),
        ("build", "user.bst"),
        ("show", "user.bst"),
        ("cache", "check"),
        ("cache", "info"),
        ("artifact", "list-contents", "many.bst"),
        ("artifact", "checkout", "user.bst", "--deps", "none", "--directory", "user"),
        ("artifact", "checkout", "many.bst", "--deps", "none", "--tar", "many.tar"),
    ):
        peak_mib = _run(space, *arguments)
        assert peak_mib < most_mib, arguments
    assert space.read("user/count").strip() == str(count)
    assert space.read("user/two") == "flat 7\n0 999\n"
    archive = space.project_directory / "many.tar"
    assert archive.stat().st_size > 1024 * count
    archive.unlink()
    _run(space, "artifact", "delete", "user.bst")
    _run(space, "artifact", "checkout", "many.bst", "--deps", "none", "--hardlinks", "--directory", "links")
    links = space.project_directory / "links"
    assert sum(len(files) for _, _, files in os.walk(links)) == count
    assert (links / "flat" / str(flat - 1)).read_text() == f"flat {flat - 1}\n"
    _run(space, "artifact", "delete", "many.bst")
    _run(space, "cache", "clean", "--size", "0")


def _run(space: TestSpace, *arguments: str) -> float:
    """Runs bst with its output to a file; gives the peak memory of it and its children in MiB."""
    output = Path(space.directory, "output")
    script = (
        "import resource, subprocess, sys\n"
        "status = subprocess.run(sys.argv[1:]).returncode\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    with output.open("wb") as file:
        run = subprocess.run(
            [sys.executable, "-c", script, sys.executable, "-m", "buildstream", "--no-verbose", *arguments],
            cwd=space.project_directory,
            env=space.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 0, f"{arguments}\n{run.stderr[-4000:]}"
    return int(run.stderr.split()[-1]) / 1024
