"""Compares two programs that exchange artifacts with the same cache server.

    remotes.py SERVER_COMMAND DIRECTORY PROGRAM... [--elements N] [--files N] [--missing N] [--large MIB]

SERVER_COMMAND starts a cache server; {port} and {storage} in it are replaced.
DIRECTORY must not exist.  Each PROGRAM is a `bst`; the first one fills the
server.  Every measurement is made with each of them in turn, twice, with a
fresh local cache (to pull) or a fresh server (to push), and the faster of the
two runs is shown: seconds, seconds of CPU time of the program and of the
children that it has waited for, and the peak of its memory.
"""

import argparse
import hashlib
import io
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ROUNDS = 2
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float
    memory_mib: float


class Bench:
    """One directory with a project, servers and local caches.

    Args:
        directory: Is created.
        server_command: See the module.
    """

    def __init__(self, directory: Path, server_command: str) -> None:
        self.directory = directory
        self._server_command = server_command
        self._servers = 0
        directory.mkdir(parents=True)

    def write_project(self, name: str, elements: int, files: int, size_bytes: int) -> None:
        """ELEMENTS elements that import a tarball of FILES files each, and all.bst that needs them all."""
        project = self.directory / name
        (project / "elements").mkdir(parents=True)
        originals = self.directory / f"{name}-originals"
        originals.mkdir()
        (project / "project.conf").write_text(
            f"name: {name}\nmin-version: 2.0\nelement-path: elements\n"
            f"aliases:\n  originals: file://{originals}/\n"
        )
        generator = random.Random(1)
        for number in range(elements):
            ref = _write_tarball(originals / f"{number}.tar", files, size_bytes, generator)
            (project / "elements" / f"e{number}.bst").write_text(
                f"kind: import\nsources:\n- kind: tar\n  url: originals:{number}.tar\n"
                f"  ref: {ref}\n  base-dir: ''\n"
            )
        names = "".join(f"- e{number}.bst\n" for number in range(elements))
        (project / "elements" / "all.bst").write_text(f"kind: stack\ndepends:\n{names}")

    @contextmanager
    def server(self) -> Iterator[str]:
        """A new, empty server; gives its URL."""
        self._servers += 1
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        storage = self.directory / f"server-{self._servers}"
        command = shlex.split(self._server_command.format(port=port, storage=storage))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            shutil.rmtree(storage, ignore_errors=True)

    def run(self, program: str, cache: str, project: str, *arguments: str, status: int = 0) -> Cost:
        """Runs PROGRAM with the local cache CACHE."""
        home = self.directory / cache
        (home / "config").mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
        }
        with (home / "output").open("wb") as output:
            started_s = time.monotonic()
            process = subprocess.Popen(
                [program, "--no-colors", *arguments],
                cwd=self.directory / project,
                env=environment,
                stdout=output,
                stderr=output,
            )
            _, wait_status, usage = os.wait4(process.pid, 0)
            wall_s = time.monotonic() - started_s
        code = os.waitstatus_to_exitcode(wait_status)
        process.returncode = code
        if code != status:
            print((home / "output").read_text()[-3000:])
            sys.exit(f"{program} {' '.join(arguments)}: status {code}")
        return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)

    def forget(self, cache: str) -> None:
        """Deletes a local cache."""
        shutil.rmtree(self.directory / cache, ignore_errors=True)


def exchange(bench: Bench, programs: Sequence[str], project: str) -> None:
    """Measures pulling all of PROJECT, and pushing it."""
    pulls: dict[str, list[Cost]] = {program: [] for program in programs}
    pushes: dict[str, list[Cost]] = {program: [] for program in programs}
    target = ("--deps", "all", "all.bst")
    with bench.server() as url:
        remote = ("--artifact-remote", url)
        bench.run(programs[0], "seed", project, "build", "all.bst")
        bench.run(programs[0], "seed", project, "artifact", "push", *remote, *target)
        bench.forget("seed")
        for _ in range(_ROUNDS):
            for program in programs:
                cache = f"of-{programs.index(program)}"
                bench.forget(cache)
                pulls[program].append(
                    bench.run(program, cache, project, "artifact", "pull", *remote, *target)
                )
    for _ in range(_ROUNDS):
        for program in programs:
            with bench.server() as url:
                remote = ("--artifact-remote", url)
                cache = f"of-{programs.index(program)}"
                pushes[program].append(
                    bench.run(program, cache, project, "artifact", "push", *remote, *target)
                )
    for program in programs:
        bench.forget(f"of-{programs.index(program)}")
    report(f"{project}: pull", pulls)
    report(f"{project}: push", pushes)


def ask_in_vain(bench: Bench, programs: Sequence[str], elements: int) -> None:
    """Measures asking for what the server does not have, against listing the same elements."""
    bench.write_project("missing", elements, 1, 10)
    pulls: dict[str, list[Cost]] = {program: [] for program in programs}
    shows: dict[str, list[Cost]] = {program: [] for program in programs}
    with bench.server() as url:
        for _ in range(_ROUNDS):
            for program in programs:
                cache = f"of-{programs.index(program)}"
                shows[program].append(bench.run(program, cache, "missing", "show", "all.bst"))
                arguments = ("artifact", "pull", "--artifact-remote", url, "--deps", "all", "all.bst")
                pulls[program].append(bench.run(program, cache, "missing", *arguments))
                bench.forget(cache)
    report("missing: show", shows)
    report("missing: pull", pulls)


def report(what: str, costs: dict[str, list[Cost]]) -> None:
    """Prints the fastest runs, each with its share of the last program's."""
    best = {program: min(found, key=lambda cost: cost.wall_s) for program, found in costs.items()}
    reference = list(best.values())[-1]
    for program, cost in best.items():
        print(
            f"{what:14} {cost.wall_s:7.2f} s  {cost.cpu_s:7.2f} s CPU  {cost.memory_mib:6.0f} MiB  "
            f"{cost.wall_s / reference.wall_s:5.2f}  {program}",
            flush=True,
        )


def _write_tarball(path: Path, files: int, size_bytes: int, generator: random.Random) -> str:
    with tarfile.open(path, "w") as tar:
        for number in range(files):
            info = tarfile.TarInfo(f"d{number % 10}/f{number}")
            info.size, info.mode = size_bytes, 0o644
            tar.addfile(info, _content(size_bytes, generator))
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            checksum.update(chunk)
    return checksum.hexdigest()


def _content(size_bytes: int, generator: random.Random) -> io.BufferedIOBase:
    if size_bytes <= _CHUNK_BYTES:
        return io.BytesIO(generator.randbytes(size_bytes))
    return open("/dev/urandom", "rb")


def _wait_for_port(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the server does not start")


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("server_command")
    parser.add_argument("directory", type=Path)
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--elements", type=int, default=0)
    parser.add_argument("--files", type=int, default=250)
    parser.add_argument("--missing", type=int, default=0)
    parser.add_argument("--large", type=int, default=0)
    arguments = parser.parse_args()
    bench = Bench(arguments.directory, arguments.server_command)
    if arguments.elements:
        bench.write_project("small", arguments.elements, arguments.files, 1000)
        exchange(bench, arguments.programs, "small")
    if arguments.missing:
        ask_in_vain(bench, arguments.programs, arguments.missing)
    if arguments.large:
        bench.write_project("large", 1, 1, arguments.large << 20)
        exchange(bench, arguments.programs, "large")


if __name__ == "__main__":
    main()
