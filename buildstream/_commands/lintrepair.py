"""Recovery from errors for `bst lint`: what an error cites is cut out, so that the next one shows."""

import re
from dataclasses import field, replace

from .._dataclass import dataclass
from .._model.problem import Place, Problem
from ..node import MappingNode, Node, ScalarNode, SequenceNode

# without a file that could not be read, most of what follows would be wrong for that reason alone
FINAL_REASONS = frozenset({"MISSING_FILE", "INVALID_YAML", "LOADING_DIRECTORY", "RECURSIVE_INCLUDE"})
_UNDEFINED = "UNRESOLVED_VARIABLE"
_CIRCULAR = "CIRCULAR_REFERENCE_VARIABLE"
_REFERENCE = re.compile(r"%\{([a-zA-Z][a-zA-Z0-9_-]*)\}")
_EXPECTED_KEY = re.compile(r"did not contain expected key '(.*)'$")


@dataclass(slots=True)
class _Cut:
    """What is done at one place: references to NAMES are dropped, all text is, or the whole node."""

    names: set[str] = field(default_factory=set)
    is_blanked: bool = False
    is_whole: bool = False


class Repairs:
    """The cuts made so far, applied to every tree that is read from the files again."""

    def __init__(self) -> None:
        self._cuts: dict[str, dict[tuple[int, int], _Cut]] = {}  # by file, then line and column
        # keys that are missing only because they were cut out, by the place of their mapping
        self._removed: set[tuple[Place, str]] = set()

    def is_consequence(self, problem: Problem) -> bool:
        """Whether PROBLEM would not exist without a cut."""
        if problem.place is None:
            return False
        match = _EXPECTED_KEY.search(problem.message)
        if match is not None and (problem.place, match[1]) in self._removed:
            return True
        cuts = self._cuts.get(problem.place.file, {})
        has_cut = (problem.place.line, problem.place.column) in cuts
        return has_cut and problem.reason != _UNDEFINED

    def add(self, problem: Problem) -> bool:
        """Notes that the node at the place of PROBLEM is to be cut out; whether that is anything new."""
        place = problem.place
        if place is None:
            return False
        cut = self._cuts.setdefault(place.file, {}).setdefault((place.line, place.column), _Cut())
        before = replace(cut, names=set(cut.names))
        if problem.reason == _UNDEFINED:
            cut.names.update(re.findall("'([^']*)'", problem.message))
        elif problem.reason == _CIRCULAR:
            cut.is_blanked = True
        else:
            cut.is_whole = True
        return cut != before

    def amend(self, tree: MappingNode) -> bool:
        """Applies the cuts to TREE, in place; whether there were any."""
        return bool(self._cuts) and self._amend_children(tree)

    def _amend_children(self, node: Node) -> bool:
        changed = False
        if isinstance(node, MappingNode):
            for key, child in list(node.items()):
                cut = self._cut_at(child)
                if cut is None:
                    changed |= self._amend_children(child)
                    continue
                changed = True
                replacement = _apply(cut, child)
                if replacement is not None:
                    node.value[key] = replacement
                else:
                    del node.value[key]
                    place = place_of(node)
                    if place is not None:
                        self._removed.add((place, key))
        elif isinstance(node, SequenceNode):
            kept: list[Node] = []
            for child in node.value:
                cut = self._cut_at(child)
                replacement = child if cut is None else _apply(cut, child)
                changed |= cut is not None or self._amend_children(child)
                if replacement is not None:
                    kept.append(replacement)
            node.value[:] = kept
        return changed

    def _cut_at(self, node: Node) -> _Cut | None:
        if node._is_synthetic or node._file is None:
            return None
        return self._cuts.get(node._file.displayname, {}).get((node._line + 1, node._column))


def _apply(cut: _Cut, node: Node) -> Node | None:
    """NODE without the references that CUT names, None if nothing is to remain."""
    if cut.is_whole or not isinstance(node, ScalarNode):
        return None
    text = ""
    if not cut.is_blanked:
        text = _REFERENCE.sub(lambda match: "" if match[1] in cut.names else match[0], node.as_str() or "")
    return ScalarNode(text, node._file, node._line, node._column)


def place_of(node: Node) -> Place | None:
    """Where NODE comes from, None if no file says it."""
    if node._is_synthetic or node._file is None:
        return None
    return Place(node._file.displayname, node._line + 1, node._column)
