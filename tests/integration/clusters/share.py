#!/usr/bin/env python3
"""Builds on one cluster with two bst programs, and says whether they share its action cache.

    share.py FIRST SECOND BUSYBOX [--url URL]

FIRST and SECOND are command lines of two `bst`, BUSYBOX is a statically linked one.  FIRST builds the project
of the artifact vectors on the cluster; SECOND builds it with empty caches, and has to find each result of
FIRST in the action cache; then the other way round, on a base of other bytes.  All artifacts have to have the
recorded digests.  The cluster is the execution server of the tests, or that at URL, such as that of

    buildbox-casd --bind 127.0.0.1:50051 --buildbox-run buildbox-run FOLDER

Prints what it finds, and exits with 1 if anything is otherwise.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY))

from tests.testutils.executionserver import ExecutionServer, running_executions  # noqa: E402 - needs the path
from tests.vectors.artifacts.make_project import write_busybox_base, write_project  # noqa: E402

EXPECTED = REPOSITORY / "tests" / "vectors" / "artifacts" / "expected.json"
TARGET = "all.bst"


def build(bst: Sequence[str], project: Path, directory: Path, url: str) -> tuple[str, dict[str, str]]:
    """What BST says while it builds PROJECT with caches in DIRECTORY, and the digests of its artifacts."""
    services = ("execution-service", "storage-service", "action-cache-service")
    configuration = directory / "user.conf"
    directory.mkdir()
    lines = "".join(f'  {name}: {{url: "{url}"}}\n' for name in services)
    configuration.write_text(f"cachedir: {directory}/cache\nremote-execution:\n{lines}", encoding="utf-8")
    command = [*bst, "--no-interactive", "--no-colors", "--config", str(configuration)]
    environment = {**os.environ, "HOME": str(directory), "XDG_CACHE_HOME": str(directory / "xdg")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [*command, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode:
            sys.exit(f"{shlex.join(bst)} {' '.join(arguments)} failed:\n{result.stderr}")
        return result

    text = run("build", TARGET).stderr
    shown = run("show", "--deps", "all", "--format", "%{name}|%{artifact-cas-digest}", TARGET).stdout
    return text, dict(line.split("|") for line in shown.splitlines() if "|" in line)


def share(first: Sequence[str], second: Sequence[str], project: Path, scratch: Path, url: str) -> bool:
    """Builds with FIRST, then with SECOND; whether everything is as it should be."""
    recorded = json.loads(EXPECTED.read_text(encoding="utf-8"))
    expected = {name: record["digest"] for name, record in recorded.items()}
    is_right = True
    results = 0
    for role, bst in (("first", first), ("second", second)):
        start = time.monotonic()
        text, digests = build(bst, project, scratch / role, url)
        duration_s = time.monotonic() - start
        known = text.count("Action result found in action cache")
        # of actions that integrate, nothing is told but that they are known
        run = text.count("SUCCESS Waiting for the remote build to complete")
        wrong = sorted(name for name, digest in expected.items() if digests.get(name) != digest)
        print(
            f"{role:6}  {shlex.join(bst)}: {run} run, {known} known, {len(wrong)} wrong, {duration_s:.1f} s"
        )
        for name in wrong:
            print(f"        {name} is {digests.get(name)}, not {expected[name]}")
        is_right &= not wrong
        if role == "first":
            is_right &= run > 0
            results = run
        else:
            is_right &= run == 0 and known >= results
    return is_right


def program(text: str) -> list[str]:
    """The words of a command line, its program by a path that is good everywhere."""
    name, *arguments = shlex.split(text)
    return [os.path.abspath(shutil.which(name) or name), *arguments]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("first", metavar="FIRST", type=program)
    parser.add_argument("second", metavar="SECOND", type=program)
    parser.add_argument("busybox", metavar="BUSYBOX", type=Path)
    parser.add_argument("--url", metavar="URL", help="of a cluster; by default one of the tests is started")
    arguments = parser.parse_args()
    is_right = True
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = arguments.url
        if url is None:
            (scratch / "workers").mkdir()
            server = ExecutionServer(scratch / "workers")
            url = f"http://{stack.enter_context(running_executions(server))}"
        pairs = ((arguments.first, arguments.second), (arguments.second, arguments.first))
        for number, (first, second) in enumerate(pairs):
            round_scratch = scratch / str(number)
            round_scratch.mkdir()
            project = round_scratch / "project"
            write_project(project)
            write_busybox_base(arguments.busybox, project / "files" / "base")
            # of this round alone: no earlier one knows its actions
            (project / "files" / "base" / "round").write_text(f"{time.time_ns()}\n", encoding="utf-8")
            is_right &= share(first, second, project, round_scratch, url)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
