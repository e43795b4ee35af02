"""The base of element plugins."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._dataclass import dataclass
from ._exceptions import BstError
from ._requests import SplitSelection, StagingOptions
from .exceptions import ErrorDomain
from .plugin import Plugin
from .types import OverlapAction

if TYPE_CHECKING:
    from ._hosts import ElementHost
    from .node import MappingNode, ScalarNode, SequenceNode
    from .sandbox import Sandbox
    from .source import Source
    from .utils import FileListResult


class ElementError(BstError):
    """Raised by element plugins for anything that makes the element fail.

    Args:
        message: What happened.
        detail: Further lines.
        reason: An identifier for tests and tools.
        collect: Path in the sandbox of what to keep as output of the failed build.
        temporary: Whether trying again might help.
    """

    default_domain = ErrorDomain.ELEMENT

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        reason: object = None,
        collect: str | None = None,
        temporary: bool = False,
    ) -> None:
        super().__init__(message, detail=detail, reason=reason, temporary=temporary)
        self.collect = collect


@dataclass(slots=True, eq=False)
class DependencyConfiguration:
    """What an element declares about one of its build dependencies."""

    element: "Element"
    """The dependency."""

    path: str
    """The dependency as it was written, with the junction if it was named."""

    config: "MappingNode | None"
    """The `config` of the declaration, its variables expanded; None without one."""


class Element(Plugin):
    """Base of element plugins: builds an artifact from sources and dependencies."""

    BST_ARTIFACT_VERSION: int = 0
    """To be raised when the plugin makes something else of the same configuration."""

    BST_STRICT_REBUILD: bool = False
    """Whether the element is rebuilt whenever a build dependency changes, also in non-strict mode."""

    BST_FORBID_RDEPENDS: bool = False
    """Whether the element may have no runtime dependencies."""

    BST_FORBID_BDEPENDS: bool = False
    """Whether the element may have no build dependencies."""

    BST_FORBID_SOURCES: bool = False
    """Whether the element may have no sources."""

    BST_RUN_COMMANDS: bool = True
    """Whether the element may run commands in the sandbox."""

    BST_ELEMENT_HAS_ARTIFACT: bool = True
    """Whether the artifact of the element may hold files."""

    _type_name = "element"
    _host: "ElementHost"

    def __init__(self, host: "ElementHost", name: str) -> None:
        super().__init__(host, name)
        self.project_name: str = host.project.name
        self.normal_name: str = os.path.splitext(name.replace(os.sep, "-"))[0]

    def __lt__(self, other: "Element") -> bool:
        return self.name < other.name

    # to be implemented by plugins

    def configure_dependencies(self, dependencies: Sequence[DependencyConfiguration]) -> None:
        """Reads the configuration of the build dependencies, one object a declaration.

        Called after `configure()`, only if the plugin overrides it.
        """
        raise self._unimplemented("configure_dependencies")

    def configure_sandbox(self, sandbox: "Sandbox") -> None:
        """Sets environment, work directory and writable directories of the sandbox."""
        raise self._unimplemented("configure_sandbox")

    def stage(self, sandbox: "Sandbox") -> None:
        """Stages dependencies and sources into the sandbox."""
        raise self._unimplemented("stage")

    def assemble(self, sandbox: "Sandbox") -> str | None:
        """Makes the output of the element in the sandbox.

        Returns:
            The absolute path in the sandbox of what to keep.

        Raises:
            ElementError: The build failed; the failure is remembered.
        """
        raise self._unimplemented("assemble")

    def generate_script(self) -> str:
        """The shell commands that `assemble()` would run, for builds without BuildStream."""
        raise self._unimplemented("generate_script")

    # for plugins to call: what the element is made of

    def sources(self) -> Iterator["Source"]:
        """Yields the sources of the element, in order."""
        yield from self._host.sources()

    def dependencies(
        self, selection: "Sequence[Element] | None" = None, *, recurse: bool = True
    ) -> Iterator["Element"]:
        """Yields dependencies in staging order, each once.

        Without SELECTION these are the build dependencies of this element and
        what they need at run time; otherwise the elements of SELECTION and what
        they need at run time.

        Args:
            selection: Some of the dependencies of this element.
            recurse: False for direct dependencies only.
        """
        yield from self._host.dependencies(selection, recurse=recurse)

    def search(self, name: str) -> "Element | None":
        """The dependency called NAME, as `dependencies()` yields it, or None."""
        return self._host.search(name)

    def get_variable(self, varname: str) -> str | None:
        """The value of the variable VARNAME, None if there is no such variable."""
        return self._host.variable(varname)

    def get_environment(self) -> dict[str, str]:
        """The environment of the element, for the sandbox."""
        return self._host.environment

    def get_artifact_name(self, key: str | None = None) -> str:
        """The name of the artifact.

        Args:
            key: A cache key, by default the strong key of the element.
        """
        return self._host.artifact_name(key)

    def get_public_data(self, domain: str) -> "MappingNode | None":
        """A copy of the public data called DOMAIN, None if there is none."""
        return self._host.public_data(domain)

    def set_public_data(self, domain: str, data: "MappingNode") -> None:
        """Sets the public data called DOMAIN to a copy of DATA, for the elements that depend on this one."""
        self._host.set_public_data(domain, data)

    def node_subst_vars(self, node: "ScalarNode") -> str:
        """The text of NODE.  Deprecated: variables are already expanded."""
        warnings.warn("node_subst_vars() is deprecated, use as_str()", DeprecationWarning, stacklevel=2)
        text: str = node.as_str()
        return text

    def node_subst_sequence_vars(self, node: "SequenceNode") -> list[str]:
        """The texts of NODE.  Deprecated: variables are already expanded."""
        warnings.warn(
            "node_subst_sequence_vars() is deprecated, use as_str_list()", DeprecationWarning, stacklevel=2
        )
        texts: list[str] = node.as_str_list()
        return texts

    # for plugins to call: staging and building

    def compute_manifest(
        self,
        *,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        orphans: bool = True,
    ) -> Iterator[str]:
        """Yields the paths in the artifact that belong to the given split domains.

        Args:
            include: Domains to include, by default all.
            exclude: Domains to leave out; this wins.
            orphans: Whether files of no domain are included.
        """
        yield from self._host.compute_manifest(SplitSelection(include, exclude, orphans))

    def stage_artifact(
        self,
        sandbox: "Sandbox",
        *,
        path: str | None = None,
        action: OverlapAction = OverlapAction.WARNING,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        orphans: bool = True,
    ) -> "FileListResult":
        """Stages the files of this element's artifact.

        Args:
            path: Where in the sandbox, by default the root.
            action: What to do about files staged by earlier calls.
            include: Domains to include, by default all.
            exclude: Domains to leave out; this wins.
            orphans: Whether files of no domain are included.

        Raises:
            ElementError: The element is not cached, or files overlap with OverlapAction.ERROR.
        """
        options = StagingOptions(path, action, SplitSelection(include, exclude, orphans))
        return self._host.stage_artifact(sandbox, self, options)

    def stage_dependency_artifacts(
        self,
        sandbox: "Sandbox",
        selection: "Sequence[Element] | None" = None,
        *,
        path: str | None = None,
        action: OverlapAction = OverlapAction.WARNING,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        orphans: bool = True,
    ) -> None:
        """Stages the artifacts of everything that `dependencies(selection)` yields, in that order.

        The other arguments are those of `stage_artifact()`.
        """
        options = StagingOptions(path, action, SplitSelection(include, exclude, orphans))
        self._host.stage_dependency_artifacts(sandbox, selection, options)

    def integrate(self, sandbox: "Sandbox") -> None:
        """Runs the integration commands of this element in the sandbox."""
        self._host.integrate(sandbox)

    def stage_sources(self, sandbox: "Sandbox", directory: str) -> None:
        """Stages all sources of this element.

        Args:
            directory: Path in the sandbox, from its root; empty, or not there yet.

        Raises:
            ElementError: The directory is not empty.
        """
        self._host.stage_sources(sandbox, directory)

    def run_cleanup_commands(self, sandbox: "Sandbox") -> None:
        """Empties the build directory after the build, unless it is wanted later."""
        self._host.run_cleanup_commands(sandbox)

    @contextmanager
    def subsandbox(self, sandbox: "Sandbox") -> Iterator["Sandbox"]:
        """Gives another sandbox, empty at first, to stage artifacts into; it can't run commands."""
        with self._host.subsandbox(sandbox) as subsandbox:
            yield subsandbox

    # for the core

    def _get_source_element(self) -> "Element":
        """The element whose sources are meant when this one is tracked or opened as a workspace."""
        return self

    def _overrides_configure_dependencies(self) -> bool:
        """Whether the plugin wants the configuration of its dependencies."""
        return type(self).configure_dependencies is not Element.configure_dependencies
