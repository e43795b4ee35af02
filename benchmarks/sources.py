"""Compares programs that fetch sources and make trees of the store of them.

    sources.py DIRECTORY PROGRAM... [--tarballs N] [--members N] [--rounds N] [--only small|large]

DIRECTORY must not exist.  Each PROGRAM is a `bst`.  Two measurements, each with a fresh cache and every
program in turn, A B A B: `source fetch` of N small compressed tarballs, an element each, from a web server on
the loopback device; and of one plain tarball with N members.  Shown are seconds and seconds of CPU time of
the program with the children it has waited for, the least and the median, and what of the first program's
the others need.
"""

import argparse
import hashlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVER = """\
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=sys.argv[1]))
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float


def write_small(directory: Path, tarballs: int, url: str) -> None:
    """A project whose all.bst needs TARBALLS elements, each of one tarball with 20 files."""
    elements = _project(directory / "small", url)
    for number in range(tarballs):
        files = {f"p-{number}/d{i % 4}/f{i}": f"{number} {i}\n".encode() * 200 for i in range(20)}
        _element(elements, directory, f"small-{number}.tar.gz", files)
    names = "".join(f"- small-{number}.bst\n" for number in range(tarballs))
    (elements / "all.bst").write_text(f"kind: stack\ndepends:\n{names}")


def write_large(directory: Path, members: int) -> None:
    """A project whose all.bst is a tarball with MEMBERS small files."""
    elements = _project(directory / "large", f"file://{directory}/originals/")
    files = {f"p/{i // 1000}/{i // 50 % 20}/f{i}": f"{i}\n".encode() * 40 for i in range(members)}
    _element(elements, directory, "large.tar", files)
    (elements / "large.bst").rename(elements / "all.bst")


def _project(project: Path, url: str) -> Path:
    elements = project / "elements"
    elements.mkdir(parents=True)
    (project / "project.conf").write_text(
        f"name: bench\nmin-version: 2.0\nelement-path: elements\naliases:\n  up: {url}\n"
    )
    return elements


def _element(elements: Path, directory: Path, name: str, files: dict[str, bytes]) -> None:
    path = directory / "originals" / name
    with tarfile.open(path, "w:gz" if name.endswith(".gz") else "w") as archive:
        for member, content in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    ref = hashlib.sha256(path.read_bytes()).hexdigest()
    (elements / f"{name.partition('.')[0]}.bst").write_text(
        f"kind: import\nsources:\n- kind: tar\n  url: up:{name}\n  ref: {ref}\n"
    )


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The address of a web server for DIRECTORY, a process of its own."""
    command = [sys.executable, "-c", _SERVER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/"
        finally:
            server.terminate()


def fetch(program: str, project: Path, home: Path) -> Cost:
    """Fetches all.bst of PROJECT into a fresh cache."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }
    home.mkdir()
    before, started_s = os.times(), time.monotonic()
    command = [program, "--no-colors", "source", "fetch", "--deps", "all", "all.bst"]
    result = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    wall_s, after = time.monotonic() - started_s, os.times()
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {result.returncode}\n{result.stderr[-3000:]}")
    shutil.rmtree(home)
    spent = (after.children_user - before.children_user, after.children_system - before.children_system)
    return Cost(wall_s, sum(spent))


def compare(title: str, project: Path, programs: Sequence[str], rounds: int) -> None:
    """Prints what each program needs."""
    costs: dict[str, list[Cost]] = {program: [] for program in programs}
    for number in range(rounds):
        for index, program in enumerate(programs):
            costs[program].append(fetch(program, project, project.parent / f"home-{number}-{index}"))
    print(title)
    first = costs[programs[0]]
    for program, own in costs.items():
        print(f"    {program}")
        for what in ("wall_s", "cpu_s"):
            values, base = ([getattr(cost, what) for cost in each] for each in (own, first))
            median, low = statistics.median(values), min(values)
            ratios = f"{low / min(base):.2f} and {median / statistics.median(base):.2f} of the first"
            print(f"        {what}: least {low:.2f}, median {median:.2f}; {ratios}")


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--tarballs", type=int, default=200)
    parser.add_argument("--members", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["small", "large"])
    options = parser.parse_args()
    directory: Path = options.directory.absolute()
    (directory / "originals").mkdir(parents=True)
    if options.only != "large":
        with served(directory / "originals") as url:
            write_small(directory, options.tarballs, url)
            title = f"{options.tarballs} small tarballs"
            compare(title, directory / "small", options.programs, options.rounds)
    if options.only != "small":
        write_large(directory, options.members)
        title = f"a tarball with {options.members} files"
        compare(title, directory / "large", options.programs, options.rounds)


if __name__ == "__main__":
    main()
