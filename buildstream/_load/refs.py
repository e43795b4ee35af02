"""Where the refs of sources are read from: inline, or project.refs and junction.refs (format 7.10)."""

import os
from typing import TYPE_CHECKING

from .._exceptions import BstError, ImplError, LoadError, PluginError
from ..exceptions import ErrorDomain, LoadErrorReason
from ..node import MappingNode, SequenceNode
from .pluginfaults import plugin_code
from .yaml import load_file

if TYPE_CHECKING:
    from ..source import Source
    from .loadelement import LoadElement
    from .options import OptionPool
    from .project import Project


def load_ref(project: "Project", element: "LoadElement", index: int, source: "Source") -> None:
    """Gives SOURCE the ref that the project files hold for it, if refs are not inline."""
    toplevel = project.toplevel
    if project is not toplevel and toplevel.ref_storage == "project.refs":
        node = _lookup(toplevel, project.name, element, index)
        if node is not None:
            _apply(source, node)
            return
    if project.ref_storage == "project.refs":
        with plugin_code(source, "get_ref"):
            ref = source.get_ref()
        if ref is not None:
            _discard(source)
            project.redundant_refs.append(str(source))
        node = _lookup(project, project.name, element, index)
        if node is not None:
            _apply(source, node)


def load_ref_of_clone(original: "Source", clone: "Source") -> None:
    """Gives CLONE the ref that ORIGINAL has now, which tracking may have changed."""
    ref = original.get_ref()
    if clone.get_ref() != ref:
        clone.set_ref(ref, MappingNode.from_dict({}))


def _discard(source: "Source") -> None:
    """Takes the inline ref from SOURCE; not every plugin can do without one."""
    try:
        with plugin_code(source, "set_ref"):
            source.set_ref(None, MappingNode.from_dict({}))
    except PluginError as error:
        raise PluginError(
            f"{source}: The plugin can't discard the ref that is written here",
            detail="The project keeps refs in project.refs: move it there.\n\n"
            + "\n".join(filter(None, [str(error), error.detail])),
            reason=error.reason,
        ) from error


def _apply(source: "Source", node: MappingNode) -> None:
    try:
        with plugin_code(source, "load_ref"):
            source.load_ref(node)
    except ImplError as error:
        raise BstError(
            f"{source}: Storing refs in project.refs is not supported by '{source.get_kind()}' sources",
            domain=ErrorDomain.SOURCE,
            reason="unsupported-load-ref",
        ) from error


def _lookup(owner: "Project", project_name: str, element: "LoadElement", index: int) -> MappingNode | None:
    projects = owner.refs_files["junction.refs" if element.kind == "junction" else "project.refs"]
    entry = projects.get_node(project_name, allow_none=True)
    if not isinstance(entry, MappingNode):
        return None
    sources = entry.get_node(element.name, allow_none=True)
    if not isinstance(sources, SequenceNode) or index >= len(sources):
        return None
    return sources.mapping_at(index)


def load_refs_file(project: "Project", name: str, options: "OptionPool") -> MappingNode:
    """The mapping `projects` of the file NAME of PROJECT; a missing file is an empty one.

    Args:
        options: What the conditionals of the file refer to.

    Raises:
        LoadError: The file is not what the format says.
    """
    try:
        node = load_file(os.path.join(project.directory, name), name, project=project)
    except LoadError as error:
        if error.reason != LoadErrorReason.MISSING_FILE:
            raise
        node = MappingNode.from_dict({})
    options.process_node(node)
    node._assert_fully_composited()
    node.validate_keys(["projects"])
    return node.get_mapping("projects", {})
