"""Builds on a cluster of which every action is recorded: projects, how they are built, and how actions are told.

The base of all of them is made of placeholders, so that input roots are the same everywhere; the server shows
actions real programs in their place.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from tests.testutils.executionserver import ExecutionServer
from tests.testutils.hostbase import make_host_base
from tests.vectors.artifacts.make_project import BASE_COMMANDS, write_project

HERE = Path(__file__).resolve().parent

_TOOLS = (*BASE_COMMANDS, "[", "touch")
# where programs and what they need are on the machine of the server, links followed; elements stage nothing there
_PLACES = ("bin", "lib", "lib64")
_WORKSPACE_TIME_NS = 1425445567_123456000


@dataclass(frozen=True)
class Question:
    """A project and how it is built.

    Attributes:
        name: Of the answer.
        write: Makes the project in a directory.
        targets: What is built.
        options: Options of the program.
        workspace: The element that is built from a workspace.
        fails: Whether the build does.
    """

    name: str
    write: Callable[[Path], None]
    targets: tuple[str, ...] = ("all.bst",)
    options: tuple[str, ...] = ()
    workspace: str | None = None
    fails: bool = False

    @property
    def answer(self) -> Path:
        """The file of the answer: by element, what `told` gives for each of its actions."""
        return HERE / f"expected-{self.name}.json"


def write_artifacts(directory: Path) -> None:
    """The project of the artifact vectors."""
    write_project(directory)
    _write_base(directory / "files" / "base")


def write_execution(directory: Path) -> None:
    """The project of this folder."""
    shutil.copytree(HERE / "project", directory, dirs_exist_ok=True)
    _write_base(directory / "files" / "base")
    _write_base(directory / "sub" / "base")


def make_tools(directory: Path) -> dict[str, Path]:
    """Fills DIRECTORY with what the actions need; gives what is shown in place of parts of the base."""
    make_host_base(str(directory), _TOOLS)
    tools = {}
    for name in _PLACES:
        for path in (directory / "usr" / name, directory / name):
            if path.is_dir():
                tools[name] = path.resolve()
    return tools


def _write_base(base: Path) -> None:
    for name in _PLACES:
        (base / name).mkdir(parents=True)
        (base / name / "placeholder").write_text(f"the {name} of the machine that runs actions\n")
    shell = base / "bin" / "sh"
    shell.write_text("the shell of the machine that runs actions\n")
    shell.chmod(0o755)


QUESTIONS = (
    Question("artifacts", write_artifacts),
    Question("execution", write_execution),
    Question("failing", write_execution, ("failing.bst",), fails=True),
    Question(
        "buildtrees",
        write_execution,
        ("environment.bst", "script.bst"),
        ("--cache-buildtrees", "always"),
    ),
    Question("workspace", write_execution, ("workspaced.bst",), workspace="workspaced.bst"),
)


def settle_workspace(directory: Path) -> None:
    """Makes a workspace the same everywhere: its times, and without the file that names its project."""
    (directory / ".bstproject.yaml").unlink()
    for path in [directory, *directory.rglob("*")]:
        os.utime(path, ns=(_WORKSPACE_TIME_NS, _WORKSPACE_TIME_NS), follow_symlinks=False)


def told(server: ExecutionServer, requests: Iterable[Any]) -> list[dict[str, Any]]:
    """The actions that REQUESTS are about: digests of an action and its input root, and its Command in JSON."""
    answers = []
    for request in requests:
        action = server.action(request.action_digest)
        command = json_format.MessageToDict(server.command(action), preserving_proto_field_name=True)
        answers.append(
            {
                "action": digest_text(request.action_digest),
                "input_root": digest_text(action.input_root_digest),
                "command": command,
            }
        )
    return answers


def digest_text(digest: Any) -> str:
    """HASH/SIZE."""
    return f"{digest.hash}/{digest.size_bytes}"
