"""An engine for plugin objects that are tested on their own: keeps what they tell it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from buildstream._load.projectpath import check_project_path
from buildstream._model.digest import Digest
from buildstream._model.message import MessageType
from buildstream._requests import HostCommand
from buildstream.node import MappingNode, ProvenanceInformation, ScalarNode


@dataclass
class FakeProject:
    """The project that owns the plugins under test."""

    directory: str = "/nowhere"
    name: str = "test"
    element_path: str = "/nowhere"
    fatal_warnings: list[str] = field(default_factory=list)
    source_provenance_attributes: MappingNode = field(
        default_factory=lambda: MappingNode.from_dict({"homepage": "", "issue-tracker": ""})
    )


class FakeHost:
    """Serves every type of plugin; what is sent and run can be read from its attributes."""

    full_name = "element.bst"
    element_name = "element.bst"
    has_workspace = False
    source_provenance: MappingNode | None = None

    def __init__(self, project: FakeProject | None = None, mirror_directory: str = "/nowhere") -> None:
        self.project = project or FakeProject()
        self.mirror_directory = mirror_directory
        self.provenance: ProvenanceInformation = MappingNode.from_dict({}).get_provenance()
        self.environment: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.messages: list[tuple[MessageType, str, str | None]] = []
        self.build: list[Any] = []
        self.runtime: list[Any] = []
        self.aliases: dict[str, str] = {}
        self.digest = Digest("d" * 64, 7)
        self.captured: list[tuple[str, bool]] = []
        self.stored: list[tuple[Digest, str, bool]] = []

    def send(self, kind: MessageType, brief: str, detail: str | None = None) -> None:
        self.messages.append((kind, brief, detail))

    @contextmanager
    def activity(
        self, name: str, *, detail: str | None = None, silent_nested: bool = False
    ) -> Iterator[None]:
        self.messages.append((MessageType.START, name, detail))
        yield

    def check_project_path(self, node: ScalarNode, *, check_is_file: bool, check_is_dir: bool) -> str:
        return check_project_path(
            self.project.directory, node, check_is_file=check_is_file, check_is_dir=check_is_dir
        )

    def run_host_command(self, command: HostCommand) -> tuple[int, str]:
        result = subprocess.run(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=command.stdin,
            stdout=subprocess.PIPE if command.capture else command.stdout,
            stderr=command.stderr,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout or ""

    def variable(self, name: str) -> str | None:
        return self.variables.get(name)

    def sources(self) -> Iterator[Any]:
        return iter(())

    def build_dependency_types(self) -> tuple[list[Any], list[Any]]:
        return self.build, self.runtime

    def mark_download_url(self, url: str, *, primary: bool) -> None:
        pass

    def translate_url(
        self, url: str, *, suffix: str | None, extra_data: dict[str, Any] | None, **other: Any
    ) -> str:
        alias, _colon, rest = (url + (suffix or "")).partition(":")
        return self.aliases[alias] + rest if alias in self.aliases else url

    def store_local(self, digest: Digest, *, path: str, mtimes: bool) -> None:
        self.stored.append((digest, path, mtimes))

    def digest_local(self, path: str, *, mtimes: bool) -> Digest:
        self.captured.append((path, mtimes))
        return self.digest
