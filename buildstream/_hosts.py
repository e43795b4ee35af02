"""What the thin plugin classes ask of the engine.

A plugin object holds no engine state: it has one private attribute `_host`,
an object of the engine with these methods.  The engine implements them; the
public classes in plugin.py, element.py, source.py and sourcemirror.py only
translate their documented interface into these calls.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ._model.digest import Digest
    from ._model.message import MessageType
    from ._requests import HostCommand, SplitSelection, StagingOptions
    from .element import Element
    from .node import MappingNode, ProvenanceInformation, ScalarNode
    from .sandbox import Sandbox
    from .source import AliasSubstitution, Source
    from .storage import Directory
    from .utils import FileListResult


class ProjectFacts(Protocol):
    """What a plugin may know of the project that owns it."""

    name: str
    directory: str  # absolute, symbolic links resolved
    element_path: str  # absolute
    fatal_warnings: list[str]  # sorted, duplicates kept

    @property
    def source_provenance_attributes(self) -> "MappingNode":
        """Which keys the provenance of a source may hold."""


class PluginHost(Protocol):
    """Services for every plugin."""

    @property
    def project(self) -> ProjectFacts:
        """The project that owns the plugin."""

    full_name: str  # of the element, or of the element that owns the source
    provenance: "ProvenanceInformation"  # of the YAML node that declared the plugin

    def send(self, kind: "MessageType", brief: str, detail: str | None = None) -> None:
        """Emits a message about this plugin's element."""

    def activity(
        self, name: str, *, detail: str | None = None, silent_nested: bool = False
    ) -> AbstractContextManager[None]:
        """START now; SUCCESS at the end with the time taken, FAIL if a BstError passes."""

    def run_host_command(self, command: "HostCommand") -> tuple[int, str]:
        """Runs a host command in a new session with umask 022, stopped and killed with the job.

        First writes `Running host command {directory}: {command line}` to the task log.
        Gives the exit status, and what it wrote to stdout if that was wanted, else "".
        """

    def check_project_path(self, node: "ScalarNode", *, check_is_file: bool, check_is_dir: bool) -> str:
        """The validated project-relative path in NODE; plugin-api 6.4, see _load/projectpath.py."""


class ElementHost(PluginHost, Protocol):
    """Services for element plugins."""

    environment: dict[str, str]  # live: build elements add digest variables to it

    @property
    def has_workspace(self) -> bool:
        """Whether the element has an open workspace."""

    @property
    def keyed_environment(self) -> dict[str, str]:
        """The variables of the environment that enter the cache key."""

    def variable(self, name: str) -> str | None:
        """The expanded value, None if there is no such variable."""

    def sources(self) -> Iterator["Source"]: ...

    def dependencies(self, selection: "Sequence[Element] | None", *, recurse: bool) -> Iterator["Element"]:
        """Proxies, as plugin-api 8.6 tells; the same object every time for one element."""

    def search(self, name: str) -> "Element | None": ...

    def build_dependency_types(self) -> tuple[list["Element"], list["Element"]]:
        """(direct build dependencies, direct runtime dependencies), real elements in sorted order."""

    def artifact_name(self, key: str | None) -> str: ...

    def public_data(self, domain: str) -> "MappingNode | None":
        """A clone of the run-time public data of this element."""

    def set_public_data(self, domain: str, data: "MappingNode") -> None: ...

    def stage_artifact(
        self, sandbox: "Sandbox", owner: "Element", options: "StagingOptions"
    ) -> "FileListResult":
        """Stages this element's files for OWNER, in an overlap session of its own."""

    def stage_dependency_artifacts(
        self,
        sandbox: "Sandbox",
        selection: "Sequence[Element] | None",
        options: "StagingOptions",
    ) -> None: ...

    def compute_manifest(self, files: "SplitSelection") -> Iterator[str]: ...

    def integrate(self, sandbox: "Sandbox") -> None: ...

    def stage_sources(self, sandbox: "Sandbox", directory: str) -> None: ...

    def run_cleanup_commands(self, sandbox: "Sandbox") -> None: ...

    def subsandbox(self, sandbox: "Sandbox") -> AbstractContextManager["Sandbox"]: ...

    def tree_digest(self, directory: "Directory") -> "Digest":
        """The digest of the Remote Execution API for the tree DIRECTORY."""


class SourceHost(PluginHost, Protocol):
    """Services for source plugins."""

    element_name: str
    source_provenance: "MappingNode | None"  # the top-level `provenance` of the declaration

    @property
    def mirror_directory(self) -> str:
        """`{sourcedir}/{kind}`, created on first use."""

    def mark_download_url(self, url: str, *, primary: bool) -> None:
        """Records and checks URL: alias known, policy leaves a URI, one primary alias (plugin-api 11.5)."""

    def translate_url(
        self,
        url: str,
        *,
        alias_override: "AliasSubstitution | None",
        primary: bool,
        suffix: str | None,
        extra_data: dict[str, Any] | None,
    ) -> str: ...

    def digest_local(self, path: str, *, mtimes: bool) -> "Digest":
        """The digest of a host directory, or of a directory that holds just the host file PATH."""

    def store_local(self, digest: "Digest", *, path: str, mtimes: bool) -> None:
        """Stores the tree that `digest_local` gave for PATH, unless the store has it.

        Raises:
            SourceError: There is something else at PATH now.
        """

    def import_captured(
        self, directory: "Directory", digest: "Digest", *, path: str, mtimes: bool
    ) -> "FileListResult":
        """Imports the tree that `digest_local` gave for PATH into DIRECTORY, as `import_files` does.

        Raises:
            SourceError: It is not in the store yet, or not any more, and there is something else at PATH now.
        """


class MirrorHost(PluginHost, Protocol):
    """Services for source mirror plugins."""

    name: str
