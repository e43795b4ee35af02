"""The engine's side of an element plugin: answers what the public Element class asks."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from .._element_proxy import ElementProxy
from .._model.digest import Digest
from .._model.message import MessageType
from .._requests import HostCommand, SplitSelection, StagingOptions
from ..node import ProvenanceInformation, ScalarNode
from .projectpath import check_project_path
from .resolved import ResolvedElement, build_scope, run_scope
from .services import Services

if TYPE_CHECKING:
    from ..element import Element
    from ..node import MappingNode
    from ..sandbox import Sandbox
    from ..source import Source
    from ..storage import Directory
    from ..utils import FileListResult
    from .project import Project


class BasePluginHost:
    """Messages, activities and host commands, for plugins of every type."""

    def __init__(
        self, project: "Project", full_name: str, provenance: ProvenanceInformation, services: Services
    ) -> None:
        self.project = project
        self.full_name = full_name
        self.provenance = provenance
        self._services = services
        self._resolved: ResolvedElement | None = None

    def bind(self, element: ResolvedElement) -> None:
        """Tells whom the plugin belongs to, once that is constructed."""
        self._resolved = element

    @property
    def element(self) -> ResolvedElement:
        """The element the plugin is, or belongs to."""
        assert self._resolved is not None, "the plugin asked for its element while it was being configured"
        return self._resolved

    @property
    def _speaker(self) -> ResolvedElement | None:
        """Whose cache key messages show; None for no key."""
        return self._resolved

    def send(self, kind: MessageType, brief: str, detail: str | None = None) -> None:
        self._services.send(self._speaker, self.full_name, kind, brief, detail)

    def activity(
        self, name: str, *, detail: str | None = None, silent_nested: bool = False
    ) -> AbstractContextManager[None]:
        return self._services.activity(
            self._speaker, self.full_name, name, detail=detail, silent_nested=silent_nested
        )

    def check_project_path(self, node: ScalarNode, *, check_is_file: bool, check_is_dir: bool) -> str:
        return check_project_path(
            self.project.directory, node, check_is_file=check_is_file, check_is_dir=check_is_dir
        )

    def run_host_command(self, command: HostCommand) -> tuple[int, str]:
        return self._services.run_host_command(command)


class ElementHost(BasePluginHost):
    """Implements `_hosts.ElementHost` for one element."""

    def __init__(
        self, project: "Project", full_name: str, provenance: ProvenanceInformation, services: Services
    ) -> None:
        super().__init__(project, full_name, provenance, services)
        self._variables: Any = None
        self.environment: dict[str, str] = {}
        self._proxies: dict[ResolvedElement, Element] = {}

    def set_composed(self, variables: Any, environment: dict[str, str]) -> None:
        """Gives what `configure()` may already ask for."""
        self._variables = variables
        self.environment = environment

    @property
    def has_workspace(self) -> bool:
        return self._services.has_workspace(self.element)

    @property
    def keyed_environment(self) -> dict[str, str]:
        hidden = self.element.environment_nocache
        return {name: value for name, value in self.environment.items() if name not in hidden}

    def variable(self, name: str) -> str | None:
        value: str | None = self._variables.get(name)
        return value

    def sources(self) -> Iterator["Source"]:
        if self._resolved is not None:
            yield from (source.plugin for source in self._resolved.sources)

    # dependencies

    def proxy(self, element: ResolvedElement) -> "Element":
        """What the owner holds instead of ELEMENT: the same object every time."""
        if element not in self._proxies:
            self._proxies[element] = self.new_proxy(element)
        return self._proxies[element]

    def new_proxy(self, element: ResolvedElement) -> "Element":
        """A proxy of its own, as `configure_dependencies()` is given."""
        return ElementProxy(self.element.plugin, element.plugin)  # type: ignore[return-value]  # stands for one

    def _selected(self, selection: "Sequence[Element] | None", *, recurse: bool) -> Iterator[ResolvedElement]:
        if selection is None:
            selection = [self.element.plugin]
        visited: set[ResolvedElement] = set()
        for chosen in selection:
            element = resolved_element(chosen)
            is_self = element is self.element
            if recurse:
                scope = build_scope(element) if is_self else run_scope([element])
            else:
                scope = iter(element.build_dependencies if is_self else element.runtime_dependencies)
            for dependency in scope:
                if dependency not in visited:
                    visited.add(dependency)
                    yield dependency

    def dependencies(self, selection: "Sequence[Element] | None", *, recurse: bool) -> Iterator["Element"]:
        for dependency in self._selected(selection, recurse=recurse):
            yield self.proxy(dependency)

    def search(self, name: str) -> "Element | None":
        for dependency in build_scope(self.element):
            if dependency.name == name:
                return self.proxy(dependency)
        return None

    def build_dependency_types(self) -> "tuple[list[Element], list[Element]]":
        element = self.element
        return (
            [dependency.plugin for dependency in element.build_dependencies],
            [dependency.plugin for dependency in element.runtime_dependencies],
        )

    # artifacts

    def artifact_name(self, key: str | None) -> str:
        return artifact_name(self.element, key or self._services.artifact_key(self.element) or "?" * 64)

    def public_data(self, domain: str) -> "MappingNode | None":
        return self._services.public_data(self.element, domain)

    def set_public_data(self, domain: str, data: "MappingNode") -> None:
        self._services.set_public_data(self.element, domain, data)

    def stage_artifact(
        self, sandbox: "Sandbox", owner: "Element", options: StagingOptions
    ) -> "FileListResult":
        return self._services.stage_artifacts(resolved_element(owner), [self.element], sandbox, options)

    def stage_dependency_artifacts(
        self,
        sandbox: "Sandbox",
        selection: "Sequence[Element] | None",
        options: StagingOptions,
    ) -> None:
        elements = list(self._selected(selection, recurse=True))
        self._services.stage_artifacts(self.element, elements, sandbox, options)

    def compute_manifest(self, files: SplitSelection) -> Iterator[str]:
        return self._services.compute_manifest(self.element, files)

    def integrate(self, sandbox: "Sandbox") -> None:
        self._services.integrate(self.element, sandbox)

    def stage_sources(self, sandbox: "Sandbox", directory: str) -> None:
        self._services.stage_sources(self.element, sandbox, directory)

    def run_cleanup_commands(self, sandbox: "Sandbox") -> None:
        self._services.run_cleanup_commands(self.element, sandbox)

    def subsandbox(self, sandbox: "Sandbox") -> AbstractContextManager["Sandbox"]:
        return self._services.subsandbox(self.element, sandbox)

    def tree_digest(self, directory: "Directory") -> Digest:
        return self._services.tree_digest(directory)


def resolved_element(plugin: "Element") -> ResolvedElement:
    """The resolved element of a plugin object or of a proxy of one."""
    host = plugin._host
    assert isinstance(host, ElementHost)
    return host.element


_UNNAMEABLE = re.compile(r"[^0-9a-zA-Z._-]")


def artifact_name(element: ResolvedElement, key: str) -> str:
    """The name that the artifact of ELEMENT with KEY is stored under."""
    return ref_of_names(element.project_name, element.name, key)


def ref_of_names(project_name: str, element_name: str, key: str) -> str:
    """`<project>/<normal name>/<key>`, characters that refs can't hold replaced by an underscore."""
    normal = os.path.splitext(element_name.replace("/", "-"))[0]
    return f"{project_name}/{_UNNAMEABLE.sub('_', normal)}/{key}"
