#!/usr/bin/env python3
"""Exchanges artifacts and sources between two bst programs, through cache servers, and compares them.

    exchange.py LEFT RIGHT [--scratch FOLDER] [--casd PROGRAM] [--buildgrid PROGRAM] [--only SERVER]

LEFT and RIGHT are command lines of two `bst`.  For each server, one program builds a small project and
pushes; the other one, with empty caches, pulls everything, builds on it, and checks out.  Then the other
way round.  The servers are `bst-artifact-server` of this repository; with --casd a buildbox-casd with a
storage of its own; with --buildgrid a BuildGrid (`bgd`) for contents, beside `bst-artifact-server` for
names, which BuildGrid does not keep.  All run on the loopback device, and are ended in the end.

Prints a table, and exits with 1 if anything failed.
"""

import argparse
import filecmp
import hashlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY))

from tests.testutils.artifactserver import artifact_server  # noqa: E402 - the path has to be there
from tests.testutils.hostbase import SHELL_TOOLS, make_host_base  # noqa: E402

STARTED_WITHIN_S = 60.0
ENDED_WITHIN_S = 300.0

ELEMENTS = {
    "base.bst": "kind: import\nsources:\n- kind: local\n  path: files/base\n",
    "lib.bst": "kind: import\nsources:\n- kind: local\n  path: files/lib\n",
    "app.bst": (
        "kind: manual\nbuild-depends:\n- base.bst\ndepends:\n- lib.bst\n"
        "sources:\n- kind: local\n  path: files/app\n"
        "config:\n  build-commands:\n  - cat input > made\n"
        "  install-commands:\n"
        "  - mkdir -p %{install-root}/usr/share/empty\n"
        "  - cp made /lib-data/file-7 %{install-root}/usr/share/\n"
        "  - chmod 755 %{install-root}/usr/share/made\n"
        "  - ln -s made %{install-root}/usr/share/link\n"
    ),
    "broken.bst": (
        "kind: manual\nbuild-depends:\n- base.bst\n"
        "config:\n  build-commands:\n  - echo partly > partly\n  - echo this fails\n  - 'false'\n"
    ),
    "top.bst": (
        "kind: manual\nbuild-depends:\n- base.bst\n- app.bst\n"
        "config:\n  install-commands:\n  - mkdir %{install-root}/top\n"
        "  - cp /usr/share/* %{install-root}/top || true\n  - test -f %{install-root}/top/made\n"
    ),
    "download.bst": "kind: import\nsources:\n- kind: remote\n  url: upstream:file.txt\n  ref: {ref}\n",
}


@dataclass(frozen=True, slots=True)
class Remote:
    """Where contents and names are kept."""

    name: str
    storage: str
    index: str


@dataclass(frozen=True, slots=True)
class Program:
    """One bst with caches of its own."""

    name: str
    command: Sequence[str]
    directory: Path
    project: Path

    def configure(self, remote: Remote) -> None:
        """Lets it push to and pull from REMOTE."""
        if remote.storage == remote.index:
            servers = [f"{{url: '{remote.storage}', push: true}}"]
        else:
            servers = [
                f"{{url: '{remote.index}', type: index, push: true}}",
                f"{{url: '{remote.storage}', type: storage, push: true}}",
            ]
        lines = "".join(f"  - {server}\n" for server in servers)
        config = self.directory / "config" / "buildstream.conf"
        config.parent.mkdir(parents=True)
        config.write_text(f"artifacts:\n  servers:\n{lines}source-caches:\n  servers:\n{lines}")

    def run(self, *arguments: str, expect: int | None = 0) -> str:
        """Runs it in the project and gives all that it said."""
        environment = {
            **os.environ,
            "HOME": str(self.directory),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
        }
        command = [*self.command, "--no-colors", "--no-interactive", *arguments]
        run = subprocess.run(
            command,
            cwd=self.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ENDED_WITHIN_S,
            check=False,
        )
        text = run.stdout + run.stderr
        with (self.directory / "log").open("a") as log:
            log.write(f"$ {' '.join(command)}\n{text}\n-> {run.returncode}\n")
        if expect is not None and run.returncode != expect:
            raise StepFailedError(f"{' '.join(arguments)} ended with {run.returncode}; see {log.name}")
        return text

    def states(self, *targets: str) -> dict[str, str]:
        """States of elements by name."""
        text = self.run("show", "--deps", "none", "--format", "%{name} %{state}", *targets)
        lines = (line.split() for line in text.splitlines())
        return {words[0]: " ".join(words[1:]) for words in lines if words and words[0].endswith(".bst")}


Serve = Callable[[Path], AbstractContextManager[Remote]]  # given a directory for what the server keeps


class StepFailedError(Exception):
    """What a step should show is not so."""


def main() -> int:
    """Runs everything; gives the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("left", metavar="LEFT", type=shlex.split)
    parser.add_argument("right", metavar="RIGHT", type=shlex.split)
    parser.add_argument("--scratch", metavar="FOLDER")
    parser.add_argument("--casd", metavar="PROGRAM")
    parser.add_argument("--buildgrid", metavar="PROGRAM")
    parser.add_argument("--only", metavar="SERVER", action="append")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="exchange-", dir=options.scratch))
    servers: dict[str, Serve] = {"bst-artifact-server": own_server}
    if options.casd:
        servers["buildbox-casd"] = lambda directory: casd(directory, options.casd)
    if options.buildgrid:
        servers["BuildGrid"] = lambda directory: buildgrid(directory, options.buildgrid)
    failed = 0
    print(f"Logs are in {scratch}")
    try:
        for name, serve in servers.items():
            if options.only and name not in options.only:
                continue
            for direction, pusher, puller in (
                ("left to right", options.left, options.right),
                ("right to left", options.right, options.left),
            ):
                directory = scratch / f"{name}-{direction.replace(' ', '-')}"
                directory.mkdir()
                failed += exchange(directory, serve, pusher, puller, f"{name}, {direction}")
    finally:
        end_daemons(scratch)
    return 1 if failed else 0


def exchange(
    directory: Path,
    serve: Serve,
    pusher_command: Sequence[str],
    puller_command: Sequence[str],
    title: str,
) -> int:
    """One direction over one server; gives the number of steps that failed."""
    project = make_project(directory)
    pusher = Program("pusher", pusher_command, directory / "pusher", project)
    puller = Program("puller", puller_command, directory / "puller", project)
    builder = Program("builder", puller_command, directory / "builder", project)
    failed = 0
    with serve(directory / "server") as remote:
        for program in (pusher, puller, builder):
            program.directory.mkdir()
            program.configure(remote)
        steps: list[tuple[str, Callable[[], None]]] = [
            ("build and push", lambda: build_and_push(pusher)),
            ("pull artifacts", lambda: pull(puller)),
            ("same bytes", lambda: same_bytes(pusher, puller, directory)),
            ("build tree", lambda: build_tree(puller)),
            ("failed build", lambda: failed_build(puller)),
            ("build on it", lambda: build_on(builder)),
            ("sources", lambda: sources(builder, project)),
            ("push again", lambda: push_again(pusher)),
        ]
        for name, step in steps:
            started = time.monotonic()
            try:
                step()
            except (StepFailedError, subprocess.TimeoutExpired) as error:
                outcome = f"FAILED: {error}"
                failed += 1
            else:
                outcome = "ok"
            print(f"{title:45} {name:18} {time.monotonic() - started:6.1f} s  {outcome}", flush=True)
    return failed


# --- Steps


def build_and_push(program: Program) -> None:
    """A build pushes artifacts and sources by itself, that of a failing element too."""
    program.run("--cache-buildtrees", "always", "build", "app.bst", "download.bst")
    program.run("--cache-buildtrees", "always", "build", "broken.bst", expect=None)
    program.run("source", "push", "--deps", "all", "app.bst", "download.bst")


def pull(program: Program) -> None:
    """Everything can be pulled by name, and is cached then."""
    program.run("artifact", "pull", "--deps", "all", "app.bst")
    expect_states(program, {"base.bst": "cached", "lib.bst": "cached", "app.bst": "cached"})


def same_bytes(left: Program, right: Program, directory: Path) -> None:
    """What was pulled is what was built."""
    checkouts = []
    for program in (left, right):
        target = directory / f"checkout-{program.name}"
        program.run("artifact", "checkout", "--no-integrate", "--directory", str(target), "app.bst")
        checkouts.append(target)
    differences = list(differing(*checkouts))
    if differences:
        raise StepFailedError(f"different: {', '.join(differences[:5])}")


def build_tree(program: Program) -> None:
    """The build tree comes when it is asked for."""
    program.run("artifact", "delete", "app.bst")
    program.run("--pull-buildtrees", "artifact", "pull", "app.bst")
    text = program.run("shell", "--build", "--use-buildtree", "app.bst", "--", "cat", "made")
    if "the input of app" not in text:
        raise StepFailedError("the build tree has not what was made in it")


def failed_build(program: Program) -> None:
    """The failure is known without building, with its log."""
    program.run("artifact", "pull", "broken.bst")
    expect_states(program, {"broken.bst": "failed"})
    if "this fails" not in program.run("artifact", "log", "broken.bst"):
        raise StepFailedError("the log of the failed build did not come")


def build_on(program: Program) -> None:
    """A build takes what is there and builds only the rest."""
    text = program.run("build", "top.bst")
    built = [line for line in text.splitlines() if "[  build:" in line or "[build:" in line]
    others = [line for line in built if "top.bst" not in line]
    if others:
        raise StepFailedError(f"built what could be pulled: {others[0][:120]}")
    expect_states(program, {"top.bst": "cached", "app.bst": "cached"})


def sources(program: Program, project: Path) -> None:
    """Sources come from the cache when their origin is gone."""
    origin = project / "upstream"
    origin.rename(project / "gone")
    try:
        program.run("source", "fetch", "download.bst")
        program.run("build", "download.bst")
    finally:
        (project / "gone").rename(origin)


def push_again(program: Program) -> None:
    """Pushing what is there does no harm."""
    program.run("artifact", "push", "--deps", "all", "app.bst")


def expect_states(program: Program, expected: dict[str, str]) -> None:
    """Raises StepFailedError unless elements have these states."""
    found = program.states(*expected)
    for name, state in expected.items():
        if found.get(name) != state:
            raise StepFailedError(f"{name} is {found.get(name)}, not {state}")


def differing(left: Path, right: Path) -> Iterator[str]:
    """Paths that are not the same in two directories: type, target, bytes, execute bit."""
    names = {path.relative_to(top) for top in (left, right) for path in top.rglob("*")}
    for name in sorted(names):
        first, second = left / name, right / name
        if first.is_symlink() or second.is_symlink():
            same = first.is_symlink() and second.is_symlink() and first.readlink() == second.readlink()
        elif first.is_dir() or second.is_dir():
            same = first.is_dir() and second.is_dir()
        else:
            same = (
                first.is_file()
                and second.is_file()
                and filecmp.cmp(first, second, shallow=False)
                and (first.stat().st_mode & 0o100) == (second.stat().st_mode & 0o100)
            )
        if not same:
            yield str(name)


# --- The project


def make_project(directory: Path) -> Path:
    """A project with what matters: many files, a large one, links, an empty directory, a failure."""
    project = directory / "project"
    (project / "elements").mkdir(parents=True)
    upstream = project / "upstream"
    upstream.mkdir()
    (upstream / "file.txt").write_text("downloaded\n")
    (project / "project.conf").write_text(
        "name: exchange\nmin-version: 2.0\nelement-path: elements\n"
        f"aliases:\n  upstream: file://{upstream}/\n"
    )
    ref = hashlib.sha256(b"downloaded\n").hexdigest()
    for name, text in ELEMENTS.items():
        (project / "elements" / name).write_text(text.replace("{ref}", ref))
    make_host_base(str(project / "files" / "base"), SHELL_TOOLS)
    data = project / "files" / "lib" / "lib-data"
    data.mkdir(parents=True)
    for number in range(500):
        (data / f"file-{number}").write_text(f"content {number}\n" * 10)
    (data / "large").write_bytes(bytes(range(256)) * (9 << 12))
    (project / "files" / "app").mkdir()
    (project / "files" / "app" / "input").write_text("the input of app\n")
    return project


# --- Servers


@contextmanager
def own_server(directory: Path) -> Iterator[Remote]:
    """The server of this repository."""
    with artifact_server(directory) as server:
        url = f"http://{server.addresses[0]}"
        yield Remote("bst-artifact-server", url, url)


@contextmanager
def casd(directory: Path, program: str) -> Iterator[Remote]:
    """A buildbox-casd with a storage of its own."""
    port = free_port()
    with child([program, f"--bind=127.0.0.1:{port}", str(directory)], directory.with_suffix(".log"), port):
        url = f"http://127.0.0.1:{port}"
        yield Remote("buildbox-casd", url, url)


@contextmanager
def buildgrid(directory: Path, program: str) -> Iterator[Remote]:
    """A BuildGrid for contents, and the server of this repository for names."""
    port = free_port()
    directory.mkdir()
    config = directory / "buildgrid.yml"
    config.write_text(BUILDGRID.format(port=port, directory=directory / "contents"))
    with ExitStack() as stack:
        stack.enter_context(
            child([program, "server", "start", str(config)], directory.with_suffix(".log"), port)
        )
        index = stack.enter_context(
            artifact_server(directory / "index", "--index-only", "--bind-push", "127.0.0.1:0")
        )
        yield Remote("BuildGrid", f"http://127.0.0.1:{port}", f"http://{index.addresses[0]}")


BUILDGRID = """\
server:
  - !channel
    address: 127.0.0.1:{port}
    insecure-mode: true

instances:
  - name: ''
    storages:
      - !disk-storage &contents
        path: {directory}
    caches:
      - !lru-action-cache &results
        storage: *contents
        max-cached-refs: 256
        allow-updates: true
    services:
      - !cas
        storage: *contents
      - !bytestream
        storage: *contents
      - !action-cache
        cache: *results

thread-pool-size: 50
"""


@contextmanager
def child(command: Sequence[str], log: Path, port: int) -> Iterator[None]:
    """A server that runs during the body and listens on PORT."""
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_for_port(port, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns once somebody listens on PORT."""
    deadline = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"The server did not start:\n{log.read_text()[-2000:]}")


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def end_daemons(scratch: Path) -> None:
    """Ends what the programs have left running, which has a path of SCRATCH among its arguments."""
    mark = os.fsencode(scratch)
    for directory in Path("/proc").iterdir():
        if not directory.name.isdecimal() or int(directory.name) == os.getpid():
            continue
        try:
            if mark in (directory / "cmdline").read_bytes():
                os.kill(int(directory.name), signal.SIGTERM)
        except OSError:
            continue


if __name__ == "__main__":
    sys.exit(main())
