"""Loading element files and what they depend on, across junctions and links."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode
from .dependencies import Declaration, read_declarations, split_element_path
from .graph import check_cycles, sort_dependencies
from .includes import Includes
from .loadelement import FIRST_PASS_KINDS, LoadElement
from .yaml import load_file

if TYPE_CHECKING:
    from .project import Project

ELEMENT_KEYS = [
    "kind",
    "description",
    "depends",
    "build-depends",
    "runtime-depends",
    "sources",
    "variables",
    "environment",
    "environment-nocache",
    "config",
    "public",
    "sandbox",
]

_FORBIDDEN_CHARACTERS = frozenset('<>"|?*')


@dataclass(slots=True)
class _Frame:
    """An element whose dependencies are being loaded."""

    element: LoadElement
    pending: Iterator[Declaration]
    resolved: list[tuple[Declaration, LoadElement]]


class Loader:
    """The elements of one project instance.

    Args:
        project: Where the element files are.
        open_junction: Loads the project behind a junction element.
        link_target: The target of a link element, as it would be written in its project.
        progress: Called with the full name of each element that has been loaded.
    """

    def __init__(
        self,
        project: "Project",
        *,
        open_junction: "Callable[[LoadElement, Node | None], Project]",
        link_target: Callable[[LoadElement], str],
        progress: Callable[[str], None],
    ) -> None:
        self.project = project
        project.loader = self
        self._open_junction = open_junction
        self._link_target = link_target
        self._progress = progress
        self._elements: dict[str, LoadElement] = {}
        self._targets: dict[str, LoadElement] = {}  # link name -> what it leads to
        self._children: dict[str, Loader] = {}
        self._searches: dict[str, Node | None] = {}  # junction paths being looked up, and who asked
        self._includes = Includes(project)

    def load(self, targets: Iterable[str]) -> tuple[list[LoadElement], list[LoadElement]]:
        """The elements that TARGETS name, and every element they reach, dependencies first.

        Dependency lists are in canonical order afterwards.
        """
        elements = []
        for target in targets:
            if os.path.isabs(target):
                raise LoadError(
                    f"The target '{target}' is not inside of the element path of the project",
                    LoadErrorReason.INVALID_DATA,
                    detail="Give the name of an element, relative to the element path.",
                )
            junction, name = split_element_path(target)
            loader = self.get_loader(junction, None) if junction else self
            element = loader._find(name, None)
            loader._expand(element)
            elements.append(element)
        order = check_cycles(elements)
        sort_dependencies(order)
        return elements, order

    # elements

    def _expand(self, top: LoadElement) -> None:
        """Loads everything that TOP depends on, depth first, without recursion."""
        if top.is_expanded:
            return
        top.is_expanded = True
        stack = [_Frame(top, iter(top.declarations), [])]
        while stack:
            frame = stack[-1]
            for declaration in frame.pending:
                child = self._load_dependency(frame.element, declaration)
                frame.resolved.append((declaration, child))
                if not child.is_expanded:
                    child.is_expanded = True
                    stack.append(_Frame(child, iter(child.declarations), []))
                    break
            else:
                frame.element.set_dependencies(frame.resolved)
                stack.pop()

    def _load_dependency(self, element: LoadElement, declaration: Declaration) -> LoadElement:
        loader = element.project.loader
        assert loader is not None
        if declaration.junction:
            loader = loader.get_loader(declaration.junction, declaration.node)
        child = loader._find(declaration.name, declaration.node)
        if child.kind == "junction":
            raise LoadError(
                f"{declaration.node.get_provenance()}: Cannot depend on junction",
                LoadErrorReason.INVALID_DATA,
            )
        return child

    def _find(self, name: str, node: Node | None) -> LoadElement:
        """The element NAME of this project, or what it leads to if it is a link."""
        name = os.path.normpath(name)
        found = self._targets.get(name) or self._elements.get(name)
        if found is None:
            found = self._read(name, node)
            self._elements[name] = found
            self._progress(self.project.full_name(name))
            override = self._find_override(name)
            if override is not None:
                found = override
                self._targets[name] = found
        if found.kind == "link":
            found = self._follow_link(found)
            self._targets[name] = found
        return found

    def _find_override(self, name: str) -> LoadElement | None:
        """What replaces the element NAME: the outermost junction that overrides it decides."""
        key = name
        project = self.project
        match: tuple[Project, ScalarNode] | None = None
        while project.junction is not None:
            junction = project.junction
            if key in junction.overrides:
                match = (junction.parent, junction.overrides[key])
            key = f"{junction.local_name}:{key}"
            project = junction.parent
        if match is None:
            return None
        owner, target = match
        loader = owner.loader
        assert loader is not None
        junction_path, target_name = split_element_path(target.as_str() or "")
        if junction_path:
            loader = loader.get_loader(junction_path, target)
        return loader._find(target_name, target)

    def _follow_link(self, link: LoadElement) -> LoadElement:
        if link.declarations:
            raise LoadError(
                f"{link.node.get_provenance()}: Dependencies are forbidden for 'link' elements",
                LoadErrorReason.LINK_FORBIDDEN_DEPENDENCIES,
            )
        path = f"link {link.name}"
        with self._search(path, link.node):
            junction, name = split_element_path(self._link_target(link))
            loader = self.get_loader(junction, link.node) if junction else self
            return loader._find(name, link.node)

    def _read(self, name: str, node: Node | None) -> LoadElement:
        self._check_name(name, node)
        mapping = self._load_file(name, node)
        kind = mapping.get_str("kind")
        if kind in FIRST_PASS_KINDS:
            self.project.first.options.process_node(mapping)
        else:
            self.project.complete()
            self._includes.process(mapping)
        mapping.validate_keys(ELEMENT_KEYS)
        kind = mapping.get_str("kind")
        return LoadElement(name, self.project, kind, mapping, read_declarations(mapping))

    def _load_file(self, name: str, node: Node | None) -> MappingNode:
        project = self.project
        path = os.path.join(project.element_path, name)
        try:
            return load_file(path, name, displayname=project.display(name), project=project)
        except LoadError as error:
            if error.reason == LoadErrorReason.MISSING_FILE:
                raise self._missing_element(name, node) from error
            if error.reason == LoadErrorReason.LOADING_DIRECTORY:
                prefix = f"{node.get_provenance()}: " if node else ""
                raise LoadError(
                    f"{prefix}{error}", LoadErrorReason.LOADING_DIRECTORY, detail=error.detail
                ) from error
            raise

    def _missing_element(self, name: str, node: Node | None) -> LoadError:
        project = self.project
        prefix = f"{node.get_provenance()}: " if node else ""
        where = f"elements directory '{project.element_path}'"
        if project.junction:
            where = f"project referred to by junction element '{project.junction.full_name}'"
        detail = None
        # a common slip: the path as seen from the project directory
        relative = os.path.relpath(project.element_path, project.directory)
        if relative != "." and name.startswith(relative + os.sep):
            stripped = name[len(relative) + 1 :]
            if os.path.exists(os.path.join(project.element_path, stripped)):
                detail = f"Did you mean '{stripped}'?"
        if detail is None:
            detail = self._similar_name(name)
        return LoadError(
            f"{prefix}Could not find element '{name}' in {where}", LoadErrorReason.MISSING_FILE, detail=detail
        )

    def _similar_name(self, name: str) -> str | None:
        """A hint at the nearest file name in the same folder."""
        from difflib import get_close_matches

        folder, base = os.path.split(name)
        try:
            names = [
                n for n in os.listdir(os.path.join(self.project.element_path, folder)) if n.endswith(".bst")
            ]
        except OSError:
            return None
        matches = get_close_matches(base, names, n=1, cutoff=0.7)
        return f"Did you mean '{os.path.join(folder, matches[0])}'?" if matches else None

    @staticmethod
    def _check_name(name: str, node: Node | None) -> None:
        prefix = f"{node.get_provenance()}: " if node else ""
        if not name.endswith(".bst"):
            raise LoadError(
                f"{prefix}Element '{name}' does not have expected file extension `.bst`",
                LoadErrorReason.BAD_ELEMENT_SUFFIX,
            )
        bad = [c for c in name if c in _FORBIDDEN_CHARACTERS or not 32 <= ord(c) <= 126]
        if bad:
            raise LoadError(
                f"{prefix}Element '{name}' has invalid characters in its name: {', '.join(map(repr, bad))}",
                LoadErrorReason.BAD_CHARACTERS_IN_NAME,
            )

    # junctions

    def get_loader(self, path: str, node: Node | None) -> "Loader":
        """The loader of the project behind the junction path PATH, loaded if it has not been."""
        loader = self
        for name in path.split(":"):
            loader = loader._child(name, node)
        return loader

    def _child(self, name: str, node: Node | None) -> "Loader":
        child = self._children.get(name)
        if child is None:
            with self._search(name, node):
                child = self._open_child(name, node)
            self._children[name] = child
        return child

    def _open_child(self, name: str, node: Node | None) -> "Loader":
        element = self._find(name, node)
        prefix = f"{node.get_provenance()}: " if node else ""
        if element.kind != "junction":
            raise LoadError(
                f"{prefix}Expected junction but element type is {element.kind}: {name}",
                LoadErrorReason.INVALID_DATA,
            )
        if element.declarations:
            raise LoadError(
                f"{element.node.get_provenance()}: Dependencies are forbidden for 'junction' elements",
                LoadErrorReason.INVALID_JUNCTION,
            )
        owner = element.project.loader
        assert owner is not None
        if owner is not self or element.name != os.path.normpath(name):
            # reached through a link: the junction's own project keeps its loader
            return owner._child(element.name, node)
        project = self._open_junction(element, node)
        return Loader(
            project,
            open_junction=self._open_junction,
            link_target=self._link_target,
            progress=self._progress,
        )

    def _search(self, path: str, node: Node | None) -> "_Search":
        return _Search(self._searches, path, node)


class _Search:
    """Remembers that a junction or link is being looked up, so that a loop is an error and not endless."""

    def __init__(self, searches: dict[str, Node | None], path: str, node: Node | None) -> None:
        self._searches, self._path, self._node = searches, path, node

    def __enter__(self) -> None:
        if self._path in self._searches:
            earlier = self._searches[self._path]
            prefix = f"{self._node.get_provenance()}: " if self._node else ""
            raise LoadError(
                f"{prefix}Circular reference while searching for '{self._path}'",
                LoadErrorReason.CIRCULAR_REFERENCE,
                detail=f"Already searching for it at: {earlier.get_provenance()}" if earlier else None,
            )
        self._searches[self._path] = self._node

    def __exit__(self, *_: object) -> None:
        del self._searches[self._path]
