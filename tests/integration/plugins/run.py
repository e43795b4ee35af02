#!/usr/bin/env python3
"""Runs the plugins of buildstream-plugins and buildstream-plugins-community with two bst programs.

    run.py REFERENCE CANDIDATE [--case NAME]... [--scratch FOLDER] [--verbose]

Both packages must be installed, unmodified, beside both programs.  Every element of `kinds.py` is loaded,
tracked if it is about a source, and built by each of them over caches of its own.  The table tells whether
it loads, whether the cache keys are equal, what was done, and whether the artifacts have the same bytes.
What fails has to fail with the same kind of error in both.

Exit status: 0 if nothing differs, else 1.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))  # for the base of the sandboxes

from tests.integration.plugins.inputs import make_inputs, make_other_repositories
from tests.integration.plugins.kinds import ELEMENTS, PLUGINS, SOURCES, Case
from tests.integration.plugins.standins import intercepted_hosts, served_files, served_repositories
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base

# in the sandbox, under the names of what builds things
_STAND_INS = re.findall(
    r"\S+",
    """
    autoreconf automake aclocal autoconf libtoolize cmake make ninja meson pip pip3 python python3
    perl cargo qmake bazel dpkg-buildpackage strip dpkg-parsechangelog flatpak ostree dpkg-deb
    syslinux parted genimage mkfs.msdos mcopy dd truncate mkdosfs mke2fs mkfs.ext4 sfdisk fdisk
    genext2fs du qemu-img extlinux mkswap mkfs mkfs.vfat mkfs.ext2 tune2fs e2fsck mmd
    """,
)
# what is called is written down with where and in which environment; "make install" and the like make a file
_STAND_IN = """\
#!/usr/bin/sh
{
  echo "$(basename "$0") $*"; pwd; env | grep -v '^_=' | sort
} >> /buildstream-install/calls
case "$(basename "$0")" in
cargo) mkdir -p /buildstream-install/usr; echo > /buildstream-install/usr/.crates.toml ;;
esac
"""
# which plugins name themselves
_HOSTS = ("pypi.org", "files.pythonhosted.org")
_FAILURE = re.compile(r"FAILURE|ERROR|BUG")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program made of one element."""

    key: str  # "" if it does not load
    state: str
    digest: str  # of the artifact, "" if there is none
    done: str  # the last of: loaded, tracked, built; or "crashed"
    refs: str  # the element after tracking
    error: str  # the last line of failure


class Program:
    """One of the programs, with a copy of the project and caches of its own."""

    def __init__(self, command: str, project: Path, home: Path, surroundings: Mapping[str, str]) -> None:
        self.command = shlex.split(command)
        self.project = project
        self._environment = {
            **os.environ,
            **surroundings,
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "PYTHONHASHSEED": "0",  # some plugins write sets into refs
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "always",
        }
        home.mkdir(parents=True)

    def bst(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it."""
        return subprocess.run(
            [*self.command, "--no-colors", "--network-retries", "0", *arguments],
            cwd=self.project,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def try_case(self, case: Case) -> Outcome:
        """Loads, tracks and builds one element."""
        element = f"{case.name}.bst"
        done, run = "", self._show(element)
        if run.returncode == 0:
            done = "loaded"
            if case.is_source and "no reference" in run.stdout:
                run = self.bst("source", "track", element)
                done = "tracked" if run.returncode == 0 else done
            if run.returncode == 0:
                run = self.bst("build", element)
                done = "built" if run.returncode == 0 else done
        error = "" if done == "built" else _last_failure(run.stderr)
        if "Traceback (most recent call last)" in run.stderr:
            done = f"{done}, crashed"
        shown = self._show(element)
        key, state = shown.stdout.strip().split("|") if shown.returncode == 0 else ("", "")
        # of an element that is not cached, some programs can't tell the digest
        digest = self._show(element, "%{artifact-cas-digest}").stdout.strip() if state == "cached" else ""
        return Outcome(key, state, digest, done, (self.project / "elements" / element).read_text(), error)

    def files(self, element: str) -> dict[str, bytes | str]:
        """What is in the artifact, but for the inside of repositories, which holds the time of the clone."""
        top = self.project / "checkout" / element
        self.bst("artifact", "checkout", "--no-integrate", "--deps", "none", "--directory", str(top), element)
        return {
            path.relative_to(top).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
            for path in sorted(top.rglob("*"))
            if ".git" not in path.parts and (path.is_symlink() or path.is_file())
        }

    def _show(self, element: str, symbols: str = "%{full-key}|%{state}") -> subprocess.CompletedProcess[str]:
        return self.bst("show", "--deps", "none", "--format", symbols, element)


def _last_failure(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    failures = [line for line in lines if _FAILURE.search(line)]
    return (failures or lines or [""])[-1]


def make_project(directory: Path, inputs: Path, served: str, web: str) -> None:
    """The project with all elements, in DIRECTORY."""
    elements, files = directory / "elements", directory / "files"
    elements.mkdir(parents=True)
    (directory / "project.conf").write_text(
        "name: kinds\nmin-version: 2.0\nelement-path: elements\n"
        f"aliases: {{up: 'file://{inputs}/', served: '{served}', web: '{web}/'}}\n{PLUGINS}"
    )
    for case in (*ELEMENTS, *SOURCES):
        (elements / f"{case.name}.bst").write_text(case.yaml.replace("@WEB@", web))
    for name, content in {
        "code/configure": _STAND_IN,
        "code/Build": _STAND_IN,
        "code/debian/rules": _STAND_IN,
        "code/debian/x/usr/share/x": "x\n",
        "code/debian/x/DEBIAN/control": "Package: x\n",
        "code/Makefile": "all:\n",
        "code/main.c": "int main(void)\n{\n    return 0;\n}\n",
        "code/debian/control": "Source: x\n\nPackage: x\nArchitecture: any\n",
        "code/debian/changelog": "x (1.0) unstable; urgency=low\n",
        "code/Cargo.lock": '[[package]]\nname = "tiny"\nversion = "0.1.0"\n'
        'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "TINY"\n',
        "crate/Cargo.toml": '[package]\nname = "x"\nversion = "1.0.0"\nedition = "2021"\n',
        "crate/src/lib.rs": "",
        "one/boot/vmlinuz": "kernel\n",
        "one/etc/hosts": "\n",
        "one/usr/bin/one": "one\n",
        "one/usr/include/one.h": "one\n",
        "one.patch": _patch("a/main.c", "b/main.c", 1),
        "zero.patch": _patch("main.c", "main.c", 2),
        "queue/0001.patch": "From: x <x@example.com>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
        f"Subject: x\n\n---\n{_patch('a/main.c', 'b/main.c', 3)}",
        "quilted/main.c": "int main(void)\n{\n    return 0;\n}\n",
        "quilted/patches/series": "one.patch\n",
        "quilted/patches/one.patch": _patch("a/main.c", "b/main.c", 4),
    }.items():
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("TINY", _checksum(inputs / "crates/tiny/tiny-0.1.0.crate")))
    for name in ("configure", "Build", "debian/rules"):
        (files / "code" / name).chmod(0o755)
    make_host_base(str(files / "tools"), (*SHELL_TOOLS, "basename"))
    if not (files / "tools/bin").exists():
        (files / "tools/bin").symlink_to("usr/bin")
    for name in _STAND_INS:
        path = files / "tools/usr/bin" / name
        path.write_text(_STAND_IN)
        path.chmod(0o755)
    (elements / "tools.bst").write_text("kind: import\nsources: [{kind: local, path: files/tools}]\n")
    (elements / "one.bst").write_text(
        "kind: import\nsources: [{kind: local, path: files/one}]\n"
        "public: {bst: {integration-commands: ['echo integrated']}}\n"
    )


def _patch(old: str, new: str, status: int) -> str:
    """A patch of main.c with context, that makes it return STATUS."""
    context = " int main(void)\n {\n"
    return f"--- {old}\n+++ {new}\n@@ -1,4 +1,4 @@\n{context}-    return 0;\n+    return {status};\n }}\n"


def _checksum(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def compare(cases: Sequence[Case], reference: Program, candidate: Program, *, verbose: bool) -> bool:
    """Prints the table; tells whether nothing differs."""
    is_equal = True
    print(f"{'kind':20} {'loads':6} {'key':6} {'done':18} {'bytes':8} note")
    for case in cases:
        left, right = reference.try_case(case), candidate.try_case(case)
        has_missing_tool = case.host_tool is not None and shutil.which(case.host_tool) is None
        same_key = left.key == right.key
        same_done = left.done == right.done or (("crashed" in left.done) and "crashed" not in right.done)
        same_bytes = left.digest == right.digest
        if left.digest and right.digest and not same_bytes:
            element = f"{case.name}.bst"
            files = reference.files(element)
            is_git = any(".git" in path.parts for path in (reference.project / "checkout").rglob("*"))
            same_bytes = is_git and bool(files) and files == candidate.files(element)
        same = same_key and same_done and same_bytes and left.refs == right.refs
        is_equal = is_equal and same
        loads = f"{'yes' if left.key else 'no'}" + ("" if bool(left.key) == bool(right.key) else " DIFFERS")
        digest = "-" if not left.digest + right.digest else "equal" if same_bytes else "DIFFER"
        if same_bytes and left.digest != right.digest:
            digest = "but .git"
        done = right.done if same_done else f"{left.done} / {right.done}"
        refs = "" if left.refs == right.refs else " refs DIFFER"
        note = f"{case.note}{refs}" + (f"; no {case.host_tool} here" if has_missing_tool else "")
        key = "-" if "?" in left.key + right.key or not left.key else "equal" if same_key else "DIFFER"
        print(f"{case.name:20} {loads:6} {key:6} {done:18} {digest:8} {note}", flush=True)
        if verbose and (left.error or right.error):
            print(f"    reference: {left.error}\n    candidate: {right.error}")
        if verbose and left.digest != right.digest:
            print(f"    {left.state} {left.digest} / {right.state} {right.digest}")
    return is_equal


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference")
    parser.add_argument("candidate")
    parser.add_argument("--case", action="append")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.scratch)))
        inputs = scratch / "inputs"
        make_inputs(inputs)
        make_other_repositories(inputs)
        served = stack.enter_context(served_repositories(inputs))
        web = stack.enter_context(served_files(inputs, scratch / "requests"))
        internet = intercepted_hosts(inputs / "internet", _HOSTS, scratch / "proxy")
        surroundings = stack.enter_context(internet)
        make_project(scratch / "project", inputs, served, web)
        programs = []
        for name, command in (("reference", options.reference), ("candidate", options.candidate)):
            shutil.copytree(scratch / "project", scratch / name, symlinks=True)
            programs.append(Program(command, scratch / name, scratch / f"home-{name}", surroundings))
        cases = [case for case in (*ELEMENTS, *SOURCES) if not options.case or case.name in options.case]
        return 0 if compare(cases, *programs, verbose=options.verbose) else 1


if __name__ == "__main__":
    sys.exit(main())
