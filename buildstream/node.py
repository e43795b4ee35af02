"""Nodes: the values of a YAML file, each with the file, line and column that it came from.

A document is a tree of :class:`MappingNode`, :class:`SequenceNode` and
:class:`ScalarNode`.  Plugins receive their configuration as such a tree and
read it with typed getters, whose errors cite the place in the file.

**Ownership.**  A scalar never changes once it is in a tree, so trees share their
scalars freely; an engine that expands variables replaces scalars instead of
writing to them.  Mappings and lists belong to exactly one tree: ``clone()`` and
composition copy them.  The engine lets elements share some that nobody changes.
"""

import string
from collections.abc import Callable, ItemsView, Iterable, Iterator, ValuesView
from typing import Any, TypeVar, overload

from ._exceptions import LoadError
from ._provenance import NodeFile, ProvenanceInformation
from ._utils_nearmiss import did_you_mean
from .exceptions import LoadErrorReason

__all__ = ["MappingNode", "Node", "NodeFile", "ProvenanceInformation", "ScalarNode", "SequenceNode"]

_T = TypeVar("_T")
_E = TypeVar("_E")

# the default of getters whose key must be present
_REQUIRED: Any = object()

_SYMBOL_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_")
_BOOLEANS = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}


class Node:
    """The base of all nodes; made by :meth:`from_dict` or by loading a file.

    ``_line`` and ``_column`` count from zero; a node that was made by code has a
    negative column.
    """

    __slots__ = ("_column", "_file", "_line")

    _file: NodeFile | None
    _line: int
    _column: int

    @classmethod
    def from_dict(cls, value: dict[str, Any] | None) -> "MappingNode":
        """A synthetic mapping made of plain Python data.

        Raises:
            TypeError: If a value is not exactly a dict, list, str, int, bool or None.
        """
        node = _node_from_data(value if value is not None else {}, None, 0, -1)
        if type(node) is not MappingNode:
            raise TypeError(f"Unable to make a mapping of a value of type {type(value)}.")
        return node

    def clone(self) -> "Node":
        """A deep copy with the same locations."""
        raise NotImplementedError

    def strip_node_info(self) -> Any:
        """The value as plain dict, list, str or None."""
        raise NotImplementedError

    def get_provenance(self) -> ProvenanceInformation:
        """Where this node comes from."""
        return ProvenanceInformation(self)

    def __str__(self) -> str:
        return f"{self.get_provenance()}: {self.strip_node_info()}"

    def __json__(self) -> None:
        """Refuses to take part in a unique key."""
        raise ValueError("Nodes can not be written as JSON: use strip_node_info() or the typed getters")

    @property
    def _is_synthetic(self) -> bool:
        return self._file is None or self._column < 0

    def _key_path(self) -> list[str | int]:
        """Keys and indices that lead to this node within its file; empty if it can't be found."""
        toplevel = self._file.toplevel if self._file else None
        return (toplevel._find_path(self) if toplevel else None) or []

    def _key(self) -> str | int:
        """The last step of the path to this node, for error messages."""
        path = self._key_path()
        return path[-1] if path else ""


class ScalarNode(Node):
    """A single text, or None in nodes made by code."""

    __slots__ = ("value",)

    def __init__(
        self, value: str | None, file: NodeFile | None = None, line: int = 0, column: int = -1
    ) -> None:
        self.value = value
        self._file = file
        self._line = line
        self._column = column

    def as_str(self) -> str:
        """The text; None, against the annotation, where :meth:`is_none` holds."""
        return self.value  # type: ignore[return-value]  # None comes from code alone, which knows

    def as_bool(self) -> bool:
        """The text as a boolean: exactly True, true, 1, False, false or 0."""
        result = _BOOLEANS.get(self.value) if self.value is not None else None
        if result is None:
            raise _invalid(self, f"Value of '{self._key()}' is not of the expected type 'boolean'")
        return result

    def as_int(self) -> int:
        """The text as a decimal integer."""
        try:
            return int(self.value or "")
        except ValueError:
            raise _invalid(self, f"Value of '{self._key()}' is not of the expected type 'int'") from None

    def as_enum(self, constraint: Callable[[Any], _E]) -> _E:
        """The member of the enumeration CONSTRAINT whose value is this text."""
        try:
            return constraint(self.value)
        except ValueError:
            members: Iterable[Any] = constraint  # type: ignore[assignment]  # an enumeration class
            values = [str(member.value) for member in members]
            text = f"Value of '{self._key()}' should be one of '{', '.join(values)}'"
            raise _invalid(self, text, did_you_mean(self.value or "", values)) from None

    def is_none(self) -> bool:
        """Whether the value is None."""
        return self.value is None

    def clone(self) -> "ScalarNode":
        """This node, or a stripped one if variable expansion left blanks around the text."""
        text = self.value
        # the text as it is is stripped to itself, the same object
        if text is None or (stripped := text.strip()) is text:
            return self
        return ScalarNode(stripped, self._file, self._line, self._column)

    def strip_node_info(self) -> str | None:
        return self.value


class SequenceNode(Node):
    """A list of nodes."""

    __slots__ = ("value",)

    def __init__(
        self, value: list[Node], file: NodeFile | None = None, line: int = 0, column: int = -1
    ) -> None:
        self.value = value
        self._file = file
        self._line = line
        self._column = column

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.value)

    def __setitem__(self, index: int, value: Any) -> None:
        self.value[index] = _node_replacing(self.value[index], value, self._file)

    def append(self, value: Any) -> None:
        """Adds VALUE, a node or plain data, at the end."""
        self.value.append(_node_replacing(None, value, self._file))

    def as_str_list(self) -> list[str]:
        """The texts of the items, all of which must be scalars."""
        for item in self.value:
            if type(item) is not ScalarNode:
                raise _invalid(item, "List item is not of the expected type 'scalar'")
        return [item.value for item in self.value]  # type: ignore[attr-defined]  # just checked

    def mapping_at(self, index: int) -> "MappingNode":
        """The item at INDEX, which must be a mapping."""
        return self._item_at(index, MappingNode)

    def scalar_at(self, index: int) -> ScalarNode:
        """The item at INDEX, which must be a scalar."""
        return self._item_at(index, ScalarNode)

    def sequence_at(self, index: int) -> "SequenceNode":
        """The item at INDEX, which must be a list."""
        return self._item_at(index, SequenceNode)

    def node_at(self, index: int, allowed_types: list[type[Node]] | None = None) -> Any:
        """The item at INDEX, of one of ALLOWED_TYPES if they are given."""
        value = self.value[index]
        if allowed_types and type(value) not in allowed_types:
            names = _type_names(allowed_types)
            raise _invalid(value, f"Value of '{index}' is not one of the following: {names}.")
        return value

    def clone(self) -> "SequenceNode":
        items = [item.clone() for item in self.value]
        return SequenceNode(items, self._file, self._line, self._column)

    def strip_node_info(self) -> list[Any]:
        return [item.strip_node_info() for item in self.value]

    def _item_at(self, index: int, expected: type[_T]) -> _T:
        value = self.value[index]
        if type(value) is not expected:
            path = [f"[{step}]" for step in (*self._key_path(), index)]
            raise _invalid(self, f"Value of '{path}' is not of the expected type '{expected.__name__}'")
        return value


class MappingNode(Node):
    """Nodes by key, in file order."""

    __slots__ = ("value",)

    def __init__(
        self, value: dict[str, Node], file: NodeFile | None = None, line: int = 0, column: int = -1
    ) -> None:
        self.value = value
        self._file = file
        self._line = line
        self._column = column

    def __contains__(self, key: object) -> bool:
        return key in self.value

    def __setitem__(self, key: str, value: Any) -> None:
        self.value[key] = _node_replacing(self.value.get(key), value, self._file)

    def __delitem__(self, key: str) -> None:
        del self.value[key]

    def get_scalar(self, key: str, default: str | int | bool | None = _REQUIRED) -> ScalarNode:
        """The scalar at KEY; a DEFAULT of None gives a scalar for which ``is_none()`` holds."""
        value = self.value.get(key)
        if value is None:
            return ScalarNode(_text_from_data(self._default(key, default)), self._file)
        if type(value) is not ScalarNode:
            raise _wrong_type(value, key, "scalar")
        return value

    def get_str(self, key: str, default: _T = _REQUIRED) -> str | _T:
        """The text at KEY."""
        value = self.value.get(key)
        if type(value) is ScalarNode:
            return value.value  # type: ignore[return-value]  # as ScalarNode.as_str
        if default is None and value is None:
            return default
        return self.get_scalar(key, default).as_str()  # type: ignore[arg-type]  # any text-like default

    def get_int(self, key: str, default: _T = _REQUIRED) -> int | _T:
        """The decimal integer at KEY."""
        if default is None and key not in self.value:
            return default
        return self.get_scalar(key, default).as_int()  # type: ignore[arg-type]  # int or None

    def get_bool(self, key: str, default: bool = _REQUIRED) -> bool:
        """The boolean at KEY."""
        return self.get_scalar(key, default).as_bool()

    def get_enum(self, key: str, constraint: Callable[[Any], _E], default: _T = _REQUIRED) -> _E | _T:
        """The member of the enumeration CONSTRAINT at KEY; DEFAULT is a member, a value or None."""
        if key in self.value or default is _REQUIRED:
            return self.get_scalar(key).as_enum(constraint)
        return default if default is None else constraint(default)

    @overload
    def get_mapping(self, key: str, default: None) -> "MappingNode | None": ...

    @overload
    def get_mapping(self, key: str, default: "dict[str, Any] | MappingNode" = ...) -> "MappingNode": ...

    def get_mapping(self, key: str, default: Any = _REQUIRED) -> "MappingNode | None":
        """The mapping at KEY; a dict as DEFAULT is converted."""
        value = self.value.get(key)
        if value is None:
            return self._default_container(key, default)  # type: ignore[no-any-return]
        if type(value) is not MappingNode:
            raise _wrong_type(value, key, "dict")
        return value

    @overload
    def get_sequence(
        self, key: str, default: None, allowed_types: list[type[Node]] | None = None
    ) -> SequenceNode | None: ...

    @overload
    def get_sequence(
        self,
        key: str,
        default: list[Any] | SequenceNode = ...,
        allowed_types: list[type[Node]] | None = None,
    ) -> SequenceNode: ...

    def get_sequence(
        self, key: str, default: Any = _REQUIRED, allowed_types: list[type[Node]] | None = None
    ) -> SequenceNode | None:
        """The list at KEY, its items of ALLOWED_TYPES if they are given; a list as DEFAULT is converted."""
        value = self.value.get(key)
        if value is None:
            return self._default_container(key, default)  # type: ignore[no-any-return]
        if type(value) is not SequenceNode:
            raise _wrong_type(value, key, "list")
        if allowed_types:
            for item in value.value:
                if type(item) not in allowed_types:
                    names = _type_names(allowed_types)
                    raise _invalid(item, f"Value is not one of the following: {names}.")
        return value

    @overload
    def get_str_list(self, key: str, default: None) -> list[str] | None: ...

    @overload
    def get_str_list(self, key: str, default: list[str] = ...) -> list[str]: ...

    def get_str_list(self, key: str, default: Any = _REQUIRED) -> list[str] | None:
        """The texts of the list at KEY."""
        sequence = self.get_sequence(key, default)
        return sequence.as_str_list() if sequence is not None else None

    def get_node(
        self, key: str, allowed_types: list[type[Node]] | None = None, allow_none: bool = False
    ) -> Any:
        """The node at KEY, of ALLOWED_TYPES if they are given; None if absent and ALLOW_NONE."""
        value = self.value.get(key)
        if value is None:
            return None if allow_none else self._default(key, _REQUIRED)
        if allowed_types and type(value) not in allowed_types:
            names = _type_names(allowed_types)
            raise _invalid(value, f"Value of '{key}' is not one of the following: {names}.")
        return value

    def keys(self) -> list[str]:
        """The keys, in order."""
        return list(self.value)

    def values(self) -> ValuesView[Any]:
        """The nodes, in order."""
        return self.value.values()

    def items(self) -> ItemsView[str, Any]:
        """Pairs of key and node, in order."""
        return self.value.items()

    def safe_del(self, key: str) -> None:
        """Removes KEY if it is present."""
        self.value.pop(key, None)

    def validate_keys(self, valid_keys: list[str]) -> None:
        """Raises INVALID_DATA at the first key that is not among VALID_KEYS."""
        if not isinstance(valid_keys, list):
            raise TypeError(
                f"Argument 'valid_keys' has incorrect type (expected list, got {type(valid_keys)})"
            )
        for key, value in self.value.items():
            if key not in valid_keys:
                raise _invalid(value, f"Unexpected key: {key}", did_you_mean(key, valid_keys))

    def clone(self) -> "MappingNode":
        entries = {key: value.clone() for key, value in self.value.items()}
        return MappingNode(entries, self._file, self._line, self._column)

    def strip_node_info(self) -> dict[str, Any]:
        return {key: value.strip_node_info() for key, value in self.value.items()}

    def _default(self, key: str, default: Any) -> Any:
        """DEFAULT, or the error for a missing key."""
        if default is _REQUIRED:
            raise _invalid(self, f"Dictionary did not contain expected key '{key}'")
        return default

    def _default_container(self, key: str, default: Any) -> Any:
        default = self._default(key, default)
        if default is None or isinstance(default, Node):
            return default
        if not default:
            empty = MappingNode if type(default) is dict else SequenceNode
            return empty(type(default)(), self._file, 0, -1)
        return _node_from_data(default, self._file, 0, -1)

    def _composite(self, target: "MappingNode") -> None:
        """Composes this mapping onto TARGET, which changes.

        What comes into TARGET is copied, but for scalars, which are shared.

        Raises:
            LoadError: ILLEGAL_COMPOSITE where the types clash, INVALID_DATA for a mapping that
                mixes list directives with other keys.
        """
        try:
            compose(self, target)
        except CompositionClash as clash:
            raise LoadError(
                f"{self.get_provenance()}: Failure composing {clash.path}: {clash}",
                LoadErrorReason.ILLEGAL_COMPOSITE,
            ) from None

    def _composite_under(self, target: "MappingNode") -> None:
        """Composes TARGET onto this mapping and stores the result in TARGET; uses this mapping up.

        Keys that TARGET has keep their place, the others follow.
        """
        target._composite(self)
        result = self.value
        entries = {key: result.pop(key) for key in target.value}
        entries.update(result)
        target.value = entries

    def _assert_fully_composited(self) -> None:
        """Raises TRAILING_LIST_DIRECTIVE at a list directive that never met its list."""
        if self.value:  # of many mappings of many elements there is nothing to look at
            assert_no_directives(self)

    def _find_path(self, node: Node) -> list[str | int] | None:
        """Keys and indices from this mapping to NODE, or to the original that NODE was copied from.

        An empty list stands for this mapping itself, None says that there is no such node.
        Cost: O(size of the tree).
        """
        return _find_path(self, node)


def _invalid(node: Node, text: str, detail: str | None = None) -> LoadError:
    return LoadError(f"{node.get_provenance()}: {text}", LoadErrorReason.INVALID_DATA, detail=detail)


def _wrong_type(node: Node, key: str, expected: str) -> LoadError:
    return _invalid(node, f"Value of '{key}' is not of the expected type '{expected}'")


def _type_names(types: list[type[Node]]) -> str:
    names = ((MappingNode, "dict"), (SequenceNode, "list"), (ScalarNode, "scalar"))
    return ", ".join(name for node_type, name in names if node_type in types)


def _text_from_data(value: Any) -> str | None:
    kind = type(value)
    if kind is str:
        return value.strip()  # type: ignore[no-any-return]  # a str
    if kind is int or kind is bool:
        return str(value)
    if value is None:
        return None
    raise TypeError(f"Unable to assign a value of type {kind} to a Node.")


def _node_from_data(value: Any, file: NodeFile | None, line: int, column: int) -> Node:
    """Plain data as nodes that all carry the given location."""
    kind = type(value)
    if kind is dict:
        entries = {}
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"The keys of a mapping must be of type str, not {type(key)}.")
            entries[key] = item if isinstance(item, Node) else _node_from_data(item, file, line, column)
        return MappingNode(entries, file, line, column)
    if kind is list:
        items = [
            item if isinstance(item, Node) else _node_from_data(item, file, line, column) for item in value
        ]
        return SequenceNode(items, file, line, column)
    return ScalarNode(_text_from_data(value), file, line, column)


def _node_replacing(old: Node | None, value: Any, file: NodeFile | None) -> Node:
    """VALUE as a node; plain data inherits the location of the node OLD whose place it takes, or the FILE."""
    if isinstance(value, Node):
        return value
    if old is None:
        return _node_from_data(value, file, 0, -1)
    return _node_from_data(value, old._file, old._line, old._column)


def _find_path(tree: Node, node: Node) -> list[str | int] | None:
    if tree is node:
        return []
    # copies share no identity with the original, but no two nodes of one type begin at one place
    if (
        type(tree) is type(node)
        and tree._line == node._line
        and tree._column == node._column >= 0
        and tree._file is node._file
    ):
        return []
    children: Iterable[tuple[str | int, Node]] = ()
    if type(tree) is MappingNode:
        children = tree.value.items()
    elif type(tree) is SequenceNode:
        children = enumerate(tree.value)
    for step, child in children:
        path = _find_path(child, node)
        if path is not None:
            return [step, *path]
    return None


def _assert_symbol_name(
    name: str, purpose: str, *, ref_node: Node | None = None, allow_dashes: bool = True
) -> None:
    """Checks that NAME is usable as the kind of name that PURPOSE tells.

    Raises:
        LoadError: INVALID_SYMBOL_NAME, citing REF_NODE.
    """
    allowed = _SYMBOL_CHARACTERS | {"-"} if allow_dashes else _SYMBOL_CHARACTERS
    if name and name[0] not in string.digits and allowed.issuperset(name):
        return
    characters = (
        "alphanumeric characters, dashes and underscores"
        if allow_dashes
        else ("alphanumeric characters and underscores")
    )
    prefix = f"{ref_node.get_provenance()}: " if ref_node else ""
    raise LoadError(
        f"{prefix}Invalid symbol name for {purpose}: '{name}'",
        LoadErrorReason.INVALID_SYMBOL_NAME,
        detail=f"Symbol names must contain only {characters}, and may not begin with a digit.",
    )


# last, since it needs the classes above; an import where it is called would cost as much as the call
from ._nodecomposition import CompositionClash, assert_no_directives, compose  # noqa: E402
