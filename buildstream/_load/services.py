"""What plugin objects need of the layers above loading, given to the loader as an argument."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from .._model.digest import Digest
from .._model.message import MessageType
from .._requests import HostCommand, SplitSelection, StagingOptions

if TYPE_CHECKING:
    from ..node import MappingNode
    from ..sandbox import Sandbox
    from ..storage import Directory
    from ..utils import FileListResult
    from .resolved import ResolvedElement


class Services(Protocol):
    """Effects of plugins; ELEMENT is whom the call is about, None while it is being constructed."""

    def send(
        self,
        element: "ResolvedElement | None",
        full_name: str,
        kind: MessageType,
        brief: str,
        detail: str | None,
    ) -> None:
        """Emits a message."""

    def activity(
        self,
        element: "ResolvedElement | None",
        full_name: str,
        name: str,
        *,
        detail: str | None,
        silent_nested: bool,
    ) -> AbstractContextManager[None]:
        """START, then SUCCESS, or FAIL if a BstError passes."""

    def run_host_command(self, command: HostCommand) -> tuple[int, str]:
        """Runs a host command for a plugin: exit status, and stdout if that is wanted."""

    def digest_local(self, path: str, *, mtimes: bool) -> Digest:
        """The digest of a host directory, or of a directory that holds just the host file PATH."""

    def store_local(self, digest: Digest, *, path: str, mtimes: bool) -> None:
        """Stores the tree that `digest_local` gave for PATH, unless the store has it."""

    def import_captured(
        self, directory: "Directory", digest: Digest, *, path: str, mtimes: bool
    ) -> "FileListResult":
        """Imports what was captured of PATH into a directory that a source stages into."""

    def tree_digest(self, directory: "Directory") -> Digest:
        """The digest of a virtual directory."""

    def has_workspace(self, element: "ResolvedElement") -> bool:
        """Whether the element has an open workspace."""

    def artifact_key(self, element: "ResolvedElement") -> str | None:
        """The strong key of the element, None if it has none yet."""

    def public_data(self, element: "ResolvedElement", domain: str) -> "MappingNode | None":
        """A clone of run-time public data."""

    def set_public_data(self, element: "ResolvedElement", domain: str, data: "MappingNode") -> None:
        """Changes run-time public data while the element is being built."""

    def stage_artifacts(
        self,
        owner: "ResolvedElement",
        elements: "Sequence[ResolvedElement]",
        sandbox: "Sandbox",
        options: StagingOptions,
    ) -> "FileListResult":
        """Stages artifacts in order, as one overlap session of OWNER."""

    def compute_manifest(self, element: "ResolvedElement", files: SplitSelection) -> Iterator[str]:
        """Paths of an artifact that split rules select."""

    def integrate(self, element: "ResolvedElement", sandbox: "Sandbox") -> None:
        """Runs the integration commands of an element."""

    def stage_sources(self, element: "ResolvedElement", sandbox: "Sandbox", directory: str) -> None:
        """Stages the sources of an element."""

    def run_cleanup_commands(self, element: "ResolvedElement", sandbox: "Sandbox") -> None:
        """Schedules the emptying of the build directory, unless it is to be kept."""

    def subsandbox(self, element: "ResolvedElement", sandbox: "Sandbox") -> AbstractContextManager["Sandbox"]:
        """A second, empty sandbox that things can be staged in."""
