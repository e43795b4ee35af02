"""A directory of its own for each test that runs the real program."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]
_SEPARATOR = "||"


@dataclass(frozen=True, slots=True)
class RecordedError:
    """What an error tells to machines."""

    domain: str | None  # name of an ErrorDomain
    reason: str | None  # name of a LoadErrorReason, or the text


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the program left."""

    stdout: str
    stderr: str
    code: int
    error: RecordedError | None  # that ended the command
    task_error: RecordedError | None  # of the last job that failed


class TestSpace:
    """A project directory, with caches and configuration that nobody else uses.

    Args:
        directory: An empty directory.
        shell_base: Gives a directory with a shell and the usual programs of the host.
    """

    __test__ = False  # not a class of tests, whatever its name begins with

    def __init__(self, directory: Path, shell_base: Callable[[], Path]) -> None:
        self.directory = directory
        self.project_directory = directory / "project"
        self.cache_directory = directory / "cache" / "buildstream"
        self._shell_base = shell_base
        self._error_file = directory / "errors.json"
        self.project_directory.mkdir()
        (directory / "home").mkdir()

    def write(self, path: str, text: str, *, executable: bool = False) -> Path:
        """Writes a file of the project; gives its absolute path."""
        target = self.project_directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if executable:
            target.chmod(0o755)
        return target

    def read(self, path: str) -> str:
        """The text of a file of the project."""
        return (self.project_directory / path).read_text(encoding="utf-8")

    def project(self, **keys: object) -> None:
        """Writes project.conf: name "test", elements in elements/, and KEYS (underscores become dashes)."""
        values: dict[str, object] = {"name": "test", "min-version": "2.0", "element-path": "elements"}
        values.update({key.replace("_", "-"): value for key, value in keys.items()})
        # JSON is YAML
        self.write("project.conf", "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items()))
        (self.project_directory / "elements").mkdir(exist_ok=True)

    def element(self, name: str, yaml: str) -> None:
        """Writes elements/NAME."""
        self.write(f"elements/{name}", yaml)

    def shell_base(self, name: str = "base.bst") -> None:
        """Adds the element NAME that imports a shell and the usual programs of the host."""
        files = self.project_directory / "files" / "base"
        shutil.copytree(self._shell_base(), files, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
        self.element(name, "kind: import\nsources:\n- kind: local\n  path: files/base\n")

    def configure(self, yaml: str) -> None:
        """Writes the user configuration."""
        target = self.directory / "config" / "buildstream.conf"
        target.parent.mkdir(exist_ok=True)
        target.write_text(yaml, encoding="utf-8")

    def bst(
        self,
        *arguments: str,
        expect: int = 0,
        cwd: Path | None = None,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Runs the program in the project directory, or in CWD; fails unless it exits with EXPECT."""
        self._error_file.unlink(missing_ok=True)
        run = subprocess.run(
            [sys.executable, "-m", "buildstream", *arguments],
            cwd=cwd or self.project_directory,
            env=self.environment() | dict(environment or {}),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        assert run.returncode == expect, (
            f"bst {' '.join(arguments)}: status {run.returncode}, expected {expect}\n"
            f"{run.stdout}\n{run.stderr}"
        )
        error, task_error = self.recorded_errors()
        return Result(run.stdout, run.stderr, run.returncode, error, task_error)

    def environment(self) -> dict[str, str]:
        """The environment variables that the program is run with."""
        return {
            **os.environ,
            "HOME": str(self.directory / "home"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_DATA_HOME": str(self.directory / "data"),
            "PYTHONPATH": str(_REPOSITORY),
            "BST_TEST_SUITE": "1",
            "BST_TEST_ERROR_FILE": str(self._error_file),
        }

    def states(self, *targets: str) -> dict[str, str]:
        """State by full name, of TARGETS and all that they need."""
        return self.show("%{state}", *targets)

    def keys(self, *targets: str) -> dict[str, str]:
        """Full cache key by full name, of TARGETS and all that they need."""
        return self.show("%{full-key}", *targets)

    def show(self, symbol: str, *targets: str) -> dict[str, str]:
        """What `bst show` gives for a one-line SYMBOL, by full name and in staging order."""
        result = self.bst("show", "--format", f"%{{name}}{_SEPARATOR}{symbol}", *targets)
        pairs = (line.split(_SEPARATOR, 1) for line in result.stdout.splitlines() if line)
        return {name: value.strip() for name, value in pairs}

    def tree(self, path: str) -> list[str]:
        """All below a directory of the project, sorted: `folder/`, `file`, `program*`, `link -> target`."""
        top = self.project_directory / path
        return [_entry(top, found) for found in sorted(top.rglob("*"))]

    def recorded_errors(self) -> tuple[RecordedError | None, RecordedError | None]:
        """What ended the last command that failed, and the last job of it that did."""
        if not self._error_file.exists():
            return None, None
        content = json.loads(self._error_file.read_text(encoding="utf-8"))
        main, task = content["main"], content["task"]
        return RecordedError(**main) if main else None, RecordedError(**task) if task else None


def _entry(top: Path, path: Path) -> str:
    name = path.relative_to(top).as_posix()
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"{name} -> {path.readlink()}"
    if stat.S_ISDIR(mode):
        return f"{name}/"
    return f"{name}*" if mode & stat.S_IXUSR else name
