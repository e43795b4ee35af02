"""Includes `(@)` of YAML trees (format 4.6)."""

import os
from typing import Protocol

from .._dataclass import dataclass
from .._exceptions import LoadError
from .._utils_nearmiss import nearest_word
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, SequenceNode
from .options import OptionPool
from .variables import Variables
from .yaml import load_file

# longer chains would exhaust the stack; a chain that repeats a file is found before
_MAXIMUM_CHAIN = 50


class IncludeContext(Protocol):
    """The project that an including file belongs to."""

    @property
    def directory(self) -> str:
        """The absolute path of the project."""

    @property
    def options(self) -> OptionPool:
        """The options that conditionals refer to."""

    @property
    def project(self) -> object:
        """The project that the nodes of an included file are attributed to."""

    def display(self, shortname: str) -> str:
        """The name of a file of the project in messages."""

    def base_variables(self) -> Variables:
        """The variables that files included from other projects are expanded with."""

    def junction_context(self, path: str, provenance_node: ScalarNode) -> "IncludeContext":
        """The project behind the junction PATH, with its second pass complete."""


class Includes:
    """Processes the includes of the files of one project; every file is read once.

    Args:
        context: The project.
    """

    def __init__(self, context: IncludeContext) -> None:
        self._context = context
        # a file that was first reached across a junction stays expanded, any other stays as it is
        self._files: dict[tuple[IncludeContext, str], MappingNode] = {}

    def process(
        self, node: MappingNode, *, only_local: bool = False, process_conditionals: bool = True
    ) -> None:
        """Replaces every `(@)` in the tree NODE by the content of the files, in place.

        Args:
            node: The tree.
            only_local: Whether includes across junctions are dropped.
            process_conditionals: Whether conditionals are evaluated first, and in included files.

        Raises:
            LoadError: MISSING_FILE, LOADING_DIRECTORY or INVALID_YAML at the include; RECURSIVE_INCLUDE;
                INVALID_DATA for an include that is no text; and what conditionals and composition raise.
        """
        self._process(node, _Position(self._context, (), only_local, process_conditionals))

    def _process(self, node: MappingNode, position: "_Position") -> None:
        if position.evaluates_conditionals:
            position.context.options.process_node(node)
        self._process_tree(node, position)

    def _process_tree(self, node: Node, position: "_Position") -> None:
        """Processes the includes of NODE and of everything below; its conditionals have had their turn."""
        children: list[Node] = []
        if type(node) is MappingNode:
            if "(@)" in node.value:
                # what is included later in the list is stronger: it is composed under NODE first
                for include in reversed(_take_includes(node)):
                    self._include(include, node, position)
            children = [child for child in node.value.values() if type(child) is not ScalarNode]
        elif type(node) is SequenceNode:
            children = [child for child in node.value if type(child) is not ScalarNode]
        for child in children:
            self._process_tree(child, position)

    def _include(self, include: ScalarNode, target: MappingNode, position: "_Position") -> None:
        """Composes one included file under TARGET."""
        junction, _, path = include.as_str().rpartition(":")
        context = position.context
        if junction:
            if position.only_local:
                return
            context = context.junction_context(junction, include)
        path = os.path.join(context.directory, path)
        tree = self._load(include, path, context, is_expanded=bool(junction)).clone()
        if path in position.chain:
            raise LoadError(
                f"{include.get_provenance()}: trying to recursively include {path}",
                LoadErrorReason.RECURSIVE_INCLUDE,
            )
        if len(position.chain) == _MAXIMUM_CHAIN:
            raise LoadError(
                f"{include.get_provenance()}: more than {_MAXIMUM_CHAIN} files include each other in a chain",
                LoadErrorReason.RECURSIVE_INCLUDE,
            )
        evaluates_conditionals = position.evaluates_conditionals or bool(junction)
        chain = (*position.chain, path)
        self._process(tree, _Position(context, chain, position.only_local, evaluates_conditionals))
        tree._composite_under(target)

    def _load(
        self, include: ScalarNode, path: str, context: IncludeContext, *, is_expanded: bool
    ) -> MappingNode:
        """The content of the file at PATH, not to be changed."""
        tree = self._files.get((context, path))
        if tree is None:
            shortname = include.as_str()
            try:
                tree = load_file(
                    path, shortname, displayname=context.display(shortname), project=context.project
                )
            except LoadError as error:
                raise LoadError(
                    f"{include.get_provenance()}: {error}",
                    LoadErrorReason(error.reason),
                    detail=error.detail or _similar_file(context.directory, path),
                ) from error
            if is_expanded:
                context.base_variables().expand(tree)
            self._files[context, path] = tree
        return tree


@dataclass(frozen=True, slots=True)
class _Position:
    """Where processing is: in a file of the project CONTEXT, reached through the files of CHAIN."""

    context: IncludeContext
    chain: tuple[str, ...]
    only_local: bool
    evaluates_conditionals: bool


def _similar_file(directory: str, path: str) -> str | None:
    """A question whether the file beside PATH was meant whose name resembles it most, below DIRECTORY."""
    folder, base = os.path.split(path)
    if os.path.lexists(path) or not os.path.isdir(folder):
        return None
    nearest = nearest_word(base, os.listdir(folder))
    return nearest and f"Did you mean '{os.path.relpath(os.path.join(folder, nearest), directory)}'?"


def _take_includes(node: MappingNode) -> list[ScalarNode]:
    """Removes the `(@)` of NODE and gives its texts; an empty list stays where it is."""
    value = node.get_node("(@)", [ScalarNode, SequenceNode])
    if type(value) is ScalarNode:
        includes = [value]
    else:
        includes = [value.scalar_at(index) for index in range(len(value))]
        if not includes:
            return []
    del node["(@)"]
    return includes
