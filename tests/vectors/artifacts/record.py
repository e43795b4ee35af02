#!/usr/bin/env python3
"""Records anew the keys and digests that a bst program gives the elements of the artifact vectors.

    record.py BST BUSYBOX

Meant for BuildStream 2.8: expected.json is what every later run is measured against.  The project is
built over two bases that differ, and only what is the same over both is recorded: an element whose
artifact holds a part of the base is left out, and one of which only the key depends on it has no key.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.vectors.artifacts.make_project import HERE, write_busybox_base, write_project

SHOW = ("show", "--deps", "all", "--format", "%{name}|%{full-key}|%{artifact-cas-digest}", "all.bst")

# places that a base made of a distribution's files has, and the one made of a busybox has not
OTHER_BASE_FILES = (
    "etc/profile",
    "lib64/libother.so",
    "usr/bin/other",
    "usr/lib/libother.so",
    "usr/sbin/other",
)


def build(bst: str, busybox: Path, scratch: Path, *, other_base: bool) -> dict[str, dict[str, str]]:
    """Gives the key and the digest of each element, built over one of the two bases."""
    project = scratch / "project"
    write_project(project)
    base = project / "files" / "base"
    write_busybox_base(busybox, base)
    for name in OTHER_BASE_FILES if other_base else ():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("of the other base\n", encoding="utf-8")
    environment = dict(
        os.environ, XDG_CACHE_HOME=str(scratch / "cache"), XDG_CONFIG_HOME=str(scratch / "config")
    )
    output = ""
    for arguments in (("build", "all.bst"), SHOW):
        command = [bst, "--no-interactive", "--no-colors", *arguments]
        result = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            sys.exit(result.stderr)
        output = result.stdout
    records = (line.split("|") for line in output.splitlines())
    return {name: {"key": key, "digest": digest} for name, key, digest in records}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bst", metavar="BST")
    parser.add_argument("busybox", type=Path, metavar="BUSYBOX", help="a statically linked busybox")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one = build(arguments.bst, arguments.busybox, Path(first), other_base=False)
        other = build(arguments.bst, arguments.busybox, Path(second), other_base=True)
    expected = {
        name: {what: value for what, value in sorted(record.items()) if other[name][what] == value}
        for name, record in sorted(one.items())
        if other[name]["digest"] == record["digest"]
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
