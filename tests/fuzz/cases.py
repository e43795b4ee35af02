"""What the program is run on: the files of a project and a command line, and where valid ones come from."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from tests.testutils.space import TestSpace
from tests.vectors.recording import VECTORS, copy_project

CONFIGURATION = "@buildstream.conf"
"""The name that stands for the user configuration among the files of a case."""

CORPUS = Path(__file__).parent / "corpus"

# folders of vectors -> what is asked for in their projects
_VECTORS = {
    "kitchen-sink": ("all.bst", "-o debug True show all.bst", "-o flavour sweet show --deps run all.bst"),
    "keys/junction": ("app.bst", "sub.bst:elements/tool.bst"),
    "keys/conditions-in-includes": ("of-element.bst", "of-project.bst nested.bst"),
    "keys/list-directives": ("",),
    "keys/accepted-oddities": ("",),
    "keys/element-kinds": ("",),
}

_STATE_FILES = {
    "project.conf": """\
        name: stated
        min-version: 2.0
        element-path: elements
        ref-storage: project.refs
        options:
          independent:
            type: bool
            description: An option
            default: False
        aliases:
          upstream: https://upstream.example.com/
        artifacts:
        - url: http://127.0.0.1:9
          push: True
        """,
    "project.refs": """\
        projects:
          stated:
            top.bst:
            - ref: aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999
            lib.bst:
            - {}
            - ref: 0000bbbbccccddddeeeeffff0000111122223333444455556666777788889999
        """,
    "junction.refs": "projects:\n  stated:\n    sub.bst:\n    - ref: 1\n",
    "elements/top.bst": """\
        kind: manual
        sources:
        - kind: tar
          url: upstream:top.tar.gz
        depends:
        - lib.bst
        """,
    "elements/lib.bst": """\
        kind: import
        sources:
        - kind: local
          path: files
        - kind: remote
          url: upstream:lib
        """,
    "files/content": "content\n",
    ".bst2/workspaces.yml": """\
        format-version: 4
        workspaces:
          lib.bst:
            path: work
        """,
    "work/file": "worked on\n",
    CONFIGURATION: """\
        cachedir: ${XDG_CACHE_HOME}/elsewhere
        scheduler:
          fetchers: 3
          network-retries: 1
          on-error: continue
        cache:
          quota: 10G
          pull-buildtrees: False
        artifacts:
          override-project-caches: False
          servers:
          - url: http://127.0.0.1:9
            auth: {access-token: token}
            connection-config: {keepalive-time: 60}
        logging:
          message-format: '[%{elapsed}][%{key}] %{action} %{message}'
          error-lines: 20
        projects:
          stated:
            strict: False
            default-mirror: nowhere
            options: {independent: True}
            mirrors:
            - name: nowhere
              aliases: {upstream: [https://nowhere.example.com/]}
        """,
}


@dataclass(slots=True)
class Case:
    """A project and one run of the program in it."""

    files: dict[str, bytes]
    arguments: list[str]
    links: dict[str, str] = field(default_factory=dict)  # path -> target
    fifos: list[str] = field(default_factory=list)

    def copy(self) -> Case:
        """A case that can be changed without changing this one."""
        return Case(dict(self.files), list(self.arguments), dict(self.links), list(self.fifos))

    def lay_out(self, space: TestSpace) -> None:
        """Writes everything into an empty space; what has no place there is left out."""
        for name, content in self.files.items():
            path = space.directory / "config" / name[1:] if name == CONFIGURATION else None
            _write(path or space.project_directory / name, content)
        for name, target in self.links.items():
            path = space.project_directory / name
            if path.parent.is_dir() and not os.path.lexists(path):
                path.symlink_to(target)
        for name in self.fifos:
            path = space.project_directory / name
            if path.parent.is_dir() and not os.path.lexists(path):
                os.mkfifo(path)

    def to_json(self) -> str:
        """As it is kept in the corpus."""
        files = {name: _text_or_base64(content) for name, content in sorted(self.files.items())}
        content = {
            "arguments": self.arguments,
            "files": files,
            "links": self.links,
            "fifos": self.fifos,
        }
        return json.dumps(content, indent=1, ensure_ascii=True) + "\n"

    @staticmethod
    def from_json(text: str) -> Case:
        """Reads what :meth:`to_json` gave."""
        content = json.loads(text)
        files = {name: _bytes_from(value) for name, value in content["files"].items()}
        return Case(files, content["arguments"], content["links"], content["fifos"])

    @property
    def identifier(self) -> str:
        """A short name that tells cases apart."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]


def load_seeds() -> list[Case]:
    """Valid cases to begin with."""
    return [*_vector_seeds(), _state_seed()]


def load_corpus(directory: Path = CORPUS) -> dict[str, Case]:
    """The kept cases, by name."""
    return {
        path.stem: Case.from_json(path.read_text(encoding="utf-8"))
        for path in sorted(directory.glob("*.json"))
    }


def _vector_seeds() -> Iterator[Case]:
    for folder, questions in _VECTORS.items():
        with tempfile.TemporaryDirectory() as scratch:
            copy_project(VECTORS / folder, Path(scratch))
            paths = [path for path in sorted(Path(scratch).rglob("*")) if path.is_file()]
            files = {str(path.relative_to(scratch)): path.read_bytes() for path in paths}
        for question in questions:
            words = question.split()
            yield Case(files, words if "show" in words else ["show", *words])


def _state_seed() -> Case:
    files = {name: dedent(text).encode() for name, text in _STATE_FILES.items()}
    return Case(files, ["show", "top.bst"])


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except (OSError, ValueError):
        return  # a name that is too long, has a NUL, or is a directory's: there is no such file


def _text_or_base64(content: bytes) -> str | list[str]:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return [base64.b64encode(content).decode("ascii")]


def _bytes_from(value: str | list[str]) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value[0])
