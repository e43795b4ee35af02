"""A bst program with caches of its own, and what can be seen of what it does to sources."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# the caches whose records are compared, below the cache directory
_RECORDS = ("elementsources", "source_protos")
_QUEUE = re.compile(r"(\w+) Queue: +processed (\d+), skipped (\d+), failed (\d+)")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one command did."""

    status: int
    queues: tuple[str, ...]
    asked: tuple[str, ...]  # of the server, in order
    records: Mapping[str, str]  # files of the source caches, by path: digests of their content
    originals: Mapping[str, str]  # files that were downloaded, likewise
    project: Mapping[str, str]  # files of the project, likewise


class Program:
    """One of the programs.

    Args:
        command: The program and perhaps arguments.
        home: A directory for its caches and configuration, made if it is not there.
        project: The project it is run in.
    """

    def __init__(self, command: str, home: Path, project: Path) -> None:
        self.command = shlex.split(command)
        self.home = home
        self.project = project
        (home / "config").mkdir(parents=True, exist_ok=True)

    @property
    def cache(self) -> Path:
        """The cache directory."""
        return self.home / "cache" / "buildstream"

    def configure(self, text: str) -> None:
        """Writes the user configuration."""
        (self.home / "config" / "buildstream.conf").write_text(text)

    def forget(self, *names: str) -> None:
        """Removes folders of the cache."""
        for name in names:
            shutil.rmtree(self.cache / name, ignore_errors=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it."""
        return subprocess.run(
            [*self.command, "--no-colors", "--no-interactive", *arguments],
            cwd=self.project,
            env={
                **os.environ,
                "HOME": str(self.home),
                "XDG_CACHE_HOME": str(self.home / "cache"),
                "XDG_CONFIG_HOME": str(self.home / "config"),
                "no_proxy": "*",
            },
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def see(self, result: subprocess.CompletedProcess[str], asked: list[str]) -> Seen:
        """What RESULT says and what is there now."""
        records: dict[str, str] = {}
        for name in _RECORDS:
            records |= _contents(self.cache, self.cache / name)
        return Seen(
            result.returncode,
            tuple(" ".join(found) for found in _QUEUE.findall(result.stderr)),
            tuple(asked),
            records,
            _contents(self.cache / "sources", self.cache / "sources"),
            _contents(self.project, self.project),
        )


def _contents(top: Path, directory: Path) -> dict[str, str]:
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(top).as_posix()
        if name.startswith((".bst", "plugins/__pycache__")) or path.name.startswith((".lock", "lock")):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[f"{name}/"] = ""
        else:
            mark = "*" if path.stat().st_mode & 0o100 else ""
            found[name + mark] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return found
