"""Loading element files and what they depend on, across junctions and links."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import Node, ScalarNode
from .dependencies import Declaration, read_declarations, split_element_path
from .elementfile import load_element_file, prefix_of
from .graph import check_cycles, sort_dependencies
from .includes import Includes
from .links import LinkTable
from .loadelement import FIRST_PASS_KINDS, LoadElement

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
        open_junction: Makes the loader for the project behind a junction element.
        link_target: The target of a link element: a path as seen from its project.
        progress: Called with the full name of each element that has been loaded.

    Attributes:
        links: The links of the project, and of its subprojects, that have been met.
        alternative_parents: Loaders in which a junction to the project takes the place of another.
    """

    def __init__(
        self,
        project: "Project",
        *,
        open_junction: "Callable[[LoadElement, Node | None], Loader]",
        link_target: Callable[[LoadElement], ScalarNode],
        progress: Callable[[str], None],
    ) -> None:
        self.project = project
        self.parent: Loader | None = project.junction.parent.loader if project.junction else None
        self.links = LinkTable()
        self.alternative_parents: list[Loader] = []
        project.loader = self
        self._open_junction = open_junction
        self._link_target = link_target
        self._progress = progress
        self._elements: dict[str, LoadElement] = {}
        self._targets: dict[str, LoadElement] = {}  # name -> what links and overrides lead to
        self._children: dict[str, Loader] = {}
        # what is being looked up: (purpose, name) -> who asked
        self._searches: dict[tuple[str, str], Node | None] = {}
        self._includes = Includes(project)

    def load(self, targets: Iterable[str]) -> tuple[list[LoadElement], list[LoadElement]]:
        """The elements that TARGETS name, and every element they reach, dependencies first.

        Dependency lists are in canonical order afterwards.
        """
        elements = []
        for target in targets:
            element = self.find_target(target)
            self._expand(element)
            if element.kind == "junction":
                self._progress(element.full_name)
            elements.append(element)
        order = check_cycles(elements)
        sort_dependencies(order)
        return elements, order

    # elements

    def find_target(self, target: str) -> LoadElement:
        """The element that the word TARGET of a command line leads to, without what that depends on."""
        if os.path.isabs(target):
            raise LoadError(
                f"The target '{target}' is not inside of the element path of the project",
                LoadErrorReason.INVALID_DATA,
                detail="Give the name of an element, relative to the element path.",
            )
        return self._find_path(target, None)

    def _expand(self, top: LoadElement) -> None:
        """Loads everything that TOP depends on, depth first, without recursion."""
        if top.is_expanded:
            return
        top.is_expanded = True
        stack = [_Frame(top, iter(top.declarations), [])]
        while stack:
            frame = stack[-1]
            for declaration in frame.pending:
                child = self.load_dependency(frame.element, declaration)
                frame.resolved.append((declaration, child))
                if not child.is_expanded:
                    child.is_expanded = True
                    stack.append(_Frame(child, iter(child.declarations), []))
                    break
            else:
                frame.element.set_dependencies(frame.resolved)
                if frame.element.kind not in FIRST_PASS_KINDS:
                    # those of junctions and links are an error, told when somebody goes through them
                    frame.element.declarations = []
                stack.pop()

    def load_dependency(self, element: LoadElement, declaration: Declaration) -> LoadElement:
        """What DECLARATION of ELEMENT leads to, without what that depends on."""
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

    def _find_path(self, path: str, node: Node | None) -> LoadElement:
        """The element that PATH, which NODE names, leads to, without what that depends on."""
        junction, name = split_element_path(path)
        loader = self.get_loader(junction, node) if junction else self
        return loader._find(name, node)

    def _find(self, name: str, node: Node | None) -> LoadElement:
        """The element NAME of this project, or what a link or an override leads to."""
        found = self._targets.get(name)
        if found is None:
            found = self._targets.get(name := os.path.normpath(name))
        if found is None:
            # an element that is overridden must exist all the same
            found = self._own(name, node)
            override = self._find_override(name)
            if override is not None:
                owner, target = override
                with self._search("override", name, target):
                    found = owner._find_path(target.as_str(), target)
            elif found.kind == "link":
                target = self._link_target(found)
                with self._search("link", name, target):
                    found = self._find_path(target.as_str(), target)
            self._targets[name] = found
        return found

    def _find_override(self, name: str) -> "tuple[Loader, ScalarNode] | None":
        """What replaces the element NAME, and where that is looked up; the outermost junction decides."""
        key = name
        loader = self
        match: tuple[Loader, ScalarNode] | None = None
        while loader.project.junction is not None and loader.parent is not None:
            junction = loader.project.junction
            target = junction.overrides.get(key)
            if target is None:
                links = loader.links
                targets = (t for path, t in junction.overrides.items() if links.expand(path) == key)
                target = next(targets, None)
            if target is not None:
                match = (loader.parent, target)
            key = f"{junction.local_name}:{key}"
            loader = loader.parent
        return match

    def _own(self, name: str, node: Node | None) -> LoadElement:
        """The element that the file NAME declares, read once."""
        element = self._elements.get(name)
        if element is None:
            element = self._elements[name] = self._read(name, node)
            if element.kind == "link":
                self._record_link(element)
            elif element.kind != "junction":
                self._progress(element.full_name)
        return element

    def _read(self, name: str, node: Node | None) -> LoadElement:
        mapping = load_element_file(self.project, name, node)
        if mapping.get_str("kind") in FIRST_PASS_KINDS:
            self.project.first.options.process_node(mapping)
        else:
            self.project.complete()
            if mapping._file is None or mapping._file.may_have_directives:
                self._includes.process(mapping)
        mapping.validate_keys(ELEMENT_KEYS)
        kind = mapping.get_str("kind")
        return LoadElement(name, self.project, kind, mapping, read_declarations(mapping))

    def _record_link(self, link: LoadElement) -> None:
        """Notes a link in the tables of this loader and of all above."""
        if link.declarations:
            raise LoadError(
                f"{link.node.get_provenance()}: Dependencies are forbidden for 'link' elements",
                LoadErrorReason.LINK_FORBIDDEN_DEPENDENCIES,
            )
        target = self._link_target(link).as_str()
        loader: Loader | None = self
        prefix = ""
        while loader is not None:
            loader.links.record(prefix + link.name, prefix + target)
            if loader.project.junction:
                prefix = f"{loader.project.junction.local_name}:{prefix}"
            loader = loader.parent

    # junctions

    def get_loader(self, path: str, node: Node | None) -> "Loader":
        """The loader of the project behind the junction path PATH, loaded if it has not been."""
        loader = self
        for name in path.split(":"):
            loader = loader._child(os.path.normpath(name), node)
        return loader

    def _child(self, name: str, node: Node | None) -> "Loader":
        child = self._children.get(name)
        if child is None:
            with self._search("junction", name, node):
                child = self._open_child(name, node)
            self._children[name] = child
        return child

    def _open_child(self, name: str, node: Node | None) -> "Loader":
        override = self._find_override(name)
        if override is not None:
            owner, target = override
            child = owner.get_loader(target.as_str(), target)
            child.alternative_parents.append(self)
            return child
        element = self._own(name, node)
        if element.kind == "link":
            target = self._link_target(element)
            return self.get_loader(target.as_str(), target)
        if element.kind != "junction":
            raise LoadError(
                f"{prefix_of(node)}Expected junction but element type is {element.kind}: {name}",
                LoadErrorReason.INVALID_DATA,
            )
        if element.declarations:
            raise LoadError(
                f"{element.declarations[0].node.get_provenance()}: "
                "Dependencies are forbidden for 'junction' elements",
                LoadErrorReason.INVALID_JUNCTION,
            )
        child = self._children[name] = self._open_junction(element, node)
        child._discover_links()
        return child

    def _discover_links(self) -> None:
        """Looks at what is overridden in this project, and in those above: it may be links.

        Raises:
            LoadError: MISSING_FILE: something that is overridden does not exist.
        """
        loader: Loader | None = self
        while loader is not None and loader.project.junction is not None:
            for path, target in loader.project.junction.overrides.items():
                loader._discover(path, target)
            loader = loader.parent

    def _discover(self, path: str, node: ScalarNode) -> None:
        """Looks at the element PATH without what it needs, unless it is in a project not loaded yet."""
        junction, name = split_element_path(path)
        loader = self.find_loaded(junction, node) if junction else self
        if loader is None:
            return
        name = os.path.normpath(name)
        if name not in loader._elements:
            kind = load_element_file(loader.project, name, node).get_str("kind")
            if kind != "link":
                return
        link = loader._own(name, node)
        if link.kind == "link":
            target = loader._link_target(link)
            with loader._search("discovery", name, node):
                loader._discover(target.as_str(), target)

    def find_loaded(self, path: str, node: Node) -> "Loader | None":
        """The loader behind the junction path PATH, None if that has not been loaded.

        Raises:
            LoadError: MISSING_FILE: there is no such junction in a project that has been loaded.
        """
        loader: Loader | None = self
        for name in path.split(":"):
            if loader is None:
                break
            loader = loader._loaded_child(os.path.normpath(name), node)
        return loader

    def _loaded_child(self, name: str, node: Node) -> "Loader | None":
        child = self._children.get(name)
        if child is not None:
            return child
        override = self._find_override(name)
        if override is not None:
            owner, target = override
            with self._search("loaded", name, target):
                return owner.find_loaded(target.as_str(), target)
        element = self._own(name, node)
        if element.kind != "link":
            return None
        target = self._link_target(element)
        with self._search("loaded", name, target):
            return self.find_loaded(target.as_str(), target)

    def _search(self, purpose: str, name: str, node: Node | None) -> "_Search":
        return _Search(self._searches, (purpose, name), node)


class _Search:
    """Remembers that something is being looked up, so that a loop is an error and not endless."""

    def __init__(
        self, searches: dict[tuple[str, str], Node | None], key: tuple[str, str], node: Node | None
    ) -> None:
        self._searches, self._key, self._node = searches, key, node

    def __enter__(self) -> None:
        if self._key in self._searches:
            _, name = self._key
            earlier = self._searches[self._key]
            raise LoadError(
                f"{prefix_of(self._node)}Circular reference while searching for '{name}'",
                LoadErrorReason.CIRCULAR_REFERENCE,
                detail=f"Already searching for '{name}' at: {earlier.get_provenance()}"
                if earlier and earlier is not self._node
                else None,
            )
        self._searches[self._key] = self._node

    def __exit__(self, *_: object) -> None:
        del self._searches[self._key]
