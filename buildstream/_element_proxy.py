"""What an element plugin holds instead of another element.

A proxy gives the documented interface only, and makes everything that stages
files go through the element that is being built, its owner.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from ._requests import SplitSelection, StagingOptions
from .element import Element
from .types import OverlapAction

if TYPE_CHECKING:
    from ._hosts import ElementHost
    from .node import MappingNode, ScalarNode, SequenceNode
    from .sandbox import Sandbox
    from .source import Source
    from .utils import FileListResult


class PluginProxyError(Exception):
    """Raised when a plugin uses something of another element that it may not use: a bug of the plugin."""


class ElementProxy:
    """A view of ELEMENT for the plugin OWNER; see Element for the methods."""

    __slots__ = ("_element", "_owner")

    def __init__(self, owner: Element, element: Element) -> None:
        self._owner = owner
        self._element = element

    def __getattr__(self, attribute: str) -> object:
        if hasattr(self._element, attribute):
            raise PluginProxyError(f"Element.{attribute} may not be used on a dependency")
        raise AttributeError(f"Element has no attribute '{attribute}'")

    def __lt__(self, other: "Element | ElementProxy") -> bool:
        return self._element.name < other.name

    def __repr__(self) -> str:
        return f"<ElementProxy {self._element.name}>"

    @property
    def _host(self) -> "ElementHost":
        """For the core: the services of the element itself."""
        return self._element._host

    @property
    def name(self) -> str:
        return self._element.name

    @property
    def project_name(self) -> str:
        return self._element.project_name

    @property
    def normal_name(self) -> str:
        return self._element.normal_name

    def get_kind(self) -> str:
        return self._element.get_kind()

    def sources(self) -> Iterator["Source"]:
        return self._element.sources()

    def dependencies(
        self, selection: Sequence[Element] | None = None, *, recurse: bool = True
    ) -> Iterator[Element]:
        return self._owner.dependencies(self._selection(selection), recurse=recurse)

    def search(self, name: str) -> Element | None:
        return next((element for element in self.dependencies() if element.name == name), None)

    def node_subst_vars(self, node: "ScalarNode") -> str:
        return self._element.node_subst_vars(node)

    def node_subst_sequence_vars(self, node: "SequenceNode") -> list[str]:
        return self._element.node_subst_sequence_vars(node)

    def get_variable(self, varname: str) -> str | None:
        return self._element.get_variable(varname)

    def get_environment(self) -> dict[str, str]:
        return self._element.get_environment()

    def get_public_data(self, domain: str) -> "MappingNode | None":
        return self._element.get_public_data(domain)

    def get_artifact_name(self, key: str | None = None) -> str:
        return self._element.get_artifact_name(key)

    def compute_manifest(
        self,
        *,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        orphans: bool = True,
    ) -> Iterator[str]:
        return self._element.compute_manifest(include=include, exclude=exclude, orphans=orphans)

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
        options = StagingOptions(path, action, SplitSelection(include, exclude, orphans))
        return self._host.stage_artifact(sandbox, self._owner, options)

    def stage_dependency_artifacts(
        self,
        sandbox: "Sandbox",
        selection: Sequence[Element] | None = None,
        *,
        path: str | None = None,
        action: OverlapAction = OverlapAction.WARNING,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        orphans: bool = True,
    ) -> None:
        self._owner.stage_dependency_artifacts(
            sandbox,
            self._selection(selection),
            path=path,
            action=action,
            include=include,
            exclude=exclude,
            orphans=orphans,
        )

    def integrate(self, sandbox: "Sandbox") -> None:
        self._element.integrate(sandbox)

    def _selection(self, selection: Sequence[Element] | None) -> Sequence[Element]:
        return selection if selection is not None else [cast(Element, self)]
