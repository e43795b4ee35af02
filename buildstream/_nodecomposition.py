"""Composing one mapping onto another, with the list directives `(>)`, `(<)` and `(=)` (format 4.3, 4.4)."""

from collections.abc import Iterable

from ._exceptions import LoadError
from .exceptions import LoadErrorReason
from .node import MappingNode, Node, ScalarNode, SequenceNode

_DIRECTIVES = frozenset(("(>)", "(<)", "(=)"))


class CompositionClash(Exception):
    """Two types that can't be composed; the path is completed on the way up."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.path = [key]


def compose(overlay: MappingNode, target: MappingNode) -> None:
    entries = target.value
    for key, value in overlay.value.items():
        existing = entries.get(key)
        kind = type(value)
        if kind is MappingNode:
            _compose_mapping(key, value, existing, entries)  # type: ignore[arg-type]  # a MappingNode
        elif existing is None:
            entries[key] = value.clone()
        elif kind is ScalarNode:
            if type(existing) is not ScalarNode:
                raise _clash(key, value, "Cannot compose scalar on non-scalar at", existing)
            entries[key] = value.clone()
        else:
            _compose_list(key, value, existing, entries)  # type: ignore[arg-type]  # a SequenceNode
    if not overlay._is_synthetic:
        target._file, target._line, target._column = overlay._file, overlay._line, overlay._column


def _clash(key: str, value: Node, text: str, existing: Node) -> CompositionClash:
    return CompositionClash(key, f"{value.get_provenance()}: {text} {existing.get_provenance()}")


def _compose_list(key: str, value: SequenceNode, existing: Node, entries: dict[str, Node]) -> None:
    if type(existing) is SequenceNode:
        if key == "(?)":
            existing.value.extend(value.clone().value)
            return
    elif type(existing) is not MappingNode or not _is_directive_mapping(existing):
        raise _clash(key, value, f"List cannot overwrite {key} at:", existing)
    entries[key] = value.clone()


def _compose_mapping(key: str, value: MappingNode, existing: Node | None, entries: dict[str, Node]) -> None:
    if _is_directive_mapping(value):
        if existing is None:
            entries[key] = value.clone()
        elif type(existing) is SequenceNode:
            _apply_directives(value, existing)
        elif type(existing) is MappingNode and _is_directive_mapping(existing):
            _merge_directives(value, existing)
        else:
            raise _clash(key, value, f"List cannot overwrite {key} at:", existing)
        return
    if existing is None:
        existing = entries[key] = MappingNode({}, value._file, value._line, value._column)
    elif type(existing) is not MappingNode:
        raise _clash(key, value, "Cannot compose dictionary on non-dictionary at", existing)
    try:
        compose(value, existing)
    except CompositionClash as clash:
        clash.path.insert(0, key)
        raise


def _is_directive_mapping(node: MappingNode) -> bool:
    """Whether NODE consists of list directives; INVALID_DATA if it mixes them with other keys."""
    directives = node.value.keys() & _DIRECTIVES
    if not directives:
        return False
    if len(directives) != len(node.value):
        raise LoadError(
            f"{node.get_provenance()}: Dictionary contains list composition directives and arbitrary keys",
            LoadErrorReason.INVALID_DATA,
        )
    return True


def _directive_items(node: MappingNode, directive: str) -> list[Node]:
    """Copies of the items of a directive; empty if it is absent."""
    if directive not in node.value:
        return []
    return node.get_sequence(directive).clone().value


def _apply_directives(directives: MappingNode, target: SequenceNode) -> None:
    if "(=)" in directives.value:
        replacement = directives.get_sequence("(=)").clone()
        target.value = replacement.value
        target._file, target._line, target._column = (
            replacement._file,
            replacement._line,
            replacement._column,
        )
    target.value[:0] = _directive_items(directives, "(<)")
    target.value.extend(_directive_items(directives, "(>)"))


def _merge_directives(overlay: MappingNode, target: MappingNode) -> None:
    if "(=)" in overlay.value:
        target.value = {key: overlay.get_sequence(key).clone() for key in overlay.value}
        return
    for directive in overlay.value:
        added = overlay.get_sequence(directive).clone()
        if directive in target.value:
            present = target.get_sequence(directive).value
            if directive == "(<)":
                present[:0] = added.value
            else:
                present.extend(added.value)
        else:
            target.value[directive] = added


def assert_no_directives(node: Node) -> None:
    children: Iterable[Node]
    if type(node) is MappingNode:
        entries = node.value
        if "(>)" in entries or "(<)" in entries or "(=)" in entries:
            value = next(value for key, value in entries.items() if key in _DIRECTIVES)
            raise LoadError(
                f"{value.get_provenance()}: Attempt to override non-existing list",
                LoadErrorReason.TRAILING_LIST_DIRECTIVE,
            )
        children = entries.values()
    elif type(node) is SequenceNode:
        children = node.value
    else:
        return
    for child in children:
        if type(child) is not ScalarNode:
            assert_no_directives(child)
