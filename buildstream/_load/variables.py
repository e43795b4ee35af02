"""Variables: the map of names to texts that `%{name}` refers to (format section 5).

Resolution is lazy and remembered.  Elements of a project share most of their
variables, so a map can be told its *parent*: it takes over every value that
neither differs from the parent's nor refers, however indirectly, to one that
does.  Scalars are shared between composed trees, which makes "is the same
variable" a comparison of identities.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from .._exceptions import LoadError
from .._utils_nearmiss import did_you_mean
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, SequenceNode

_REFERENCE = re.compile(r"%\{([a-zA-Z][a-zA-Z0-9_-]*)\}")


class Variables:
    """A map of variables and their expanded values.

    Args:
        node: The composed variables; it is kept, and must not change from now on.
        parent: A map from which most entries were taken, as the same nodes.
        changed: The names whose entries are others than the parent's, if the caller knows.

    Attributes:
        differing: The names whose values may differ from the parent's, if there is one.
    """

    __slots__ = ("_dependants", "_differing", "_nodes", "_values", "differing")

    def __init__(
        self,
        node: MappingNode,
        parent: "Variables | None" = None,
        changed: tuple[str, ...] | None = None,
    ) -> None:
        self._nodes = node.value
        self._values: dict[str, str] = {}
        self.differing: frozenset[str] = frozenset()
        # of a map that has become a parent: names of the variables that refer to a name, directly
        # or not; and what differs once some names are changed
        self._dependants: dict[str, set[str]] | None = None
        self._differing: dict[tuple[str, ...], frozenset[str]] = {}
        if parent is not None:
            if changed is None:
                changed = parent._changed_in(self._nodes)
            self.differing = parent._differing_for(changed)
            self._values = parent._values.copy()
            for name in self.differing:
                self._values.pop(name, None)

    def get(self, name: str) -> str | None:
        """The expanded value of NAME, None if there is no such variable.

        Raises:
            LoadError: As :meth:`check`, for this variable alone.
        """
        value = self._values.get(name)
        if value is None and name in self._nodes:
            value = self._resolve(name)
        return value

    def raw(self, name: str) -> str | None:
        """The text of NAME as it was written, None if there is no such variable."""
        return self._text(name) if name in self._nodes else None

    def node(self, name: str) -> Node | None:
        """Where NAME was given its text, None if there is no such variable."""
        return self._nodes.get(name)

    def references(self, name: str) -> list[str]:
        """The variables that the text of NAME refers to."""
        return _REFERENCE.split(self._text(name))[1::2]

    def check(self) -> None:
        """Resolves every variable.

        Raises:
            LoadError: UNRESOLVED_VARIABLE at the variable that refers to an undefined one,
                CIRCULAR_REFERENCE_VARIABLE with the steps of the cycle as detail, INVALID_DATA
                at a variable that is not a scalar.
        """
        values = self._values
        for name in self._nodes:
            if name not in values:
                self._resolve(name)

    def items(self) -> Iterator[tuple[str, str]]:
        """Pairs of name and expanded value, in the order of the map."""
        self.check()
        for name in self._nodes:
            yield name, self._values[name]

    def expand(self, node: MappingNode | SequenceNode) -> None:
        """Expands all scalar values of the tree NODE in place; keys stay as they are.

        Raises:
            LoadError: UNRESOLVED_VARIABLE at the scalar, or as :meth:`check`.
        """
        container: Any = node.value
        places: Iterable[tuple[Any, Node]] = (
            container.items() if type(node) is MappingNode else enumerate(container)
        )
        for place, child in places:
            if type(child) is not ScalarNode:
                self.expand(child)  # type: ignore[arg-type]  # a collection
            elif child.value is not None and "%{" in child.value:
                container[place] = self._expanded(child)

    def subst(self, text: str, node: Node | None) -> str:
        """TEXT with its references replaced; errors cite NODE.

        Raises:
            LoadError: UNRESOLVED_VARIABLE, or as :meth:`check`.
        """
        if "%{" not in text:
            return text
        parts = _REFERENCE.split(text)
        for index in range(1, len(parts), 2):
            value = self.get(parts[index])
            if value is None:
                raise _undefined(parts[index], node, self._nodes)
            parts[index] = value
        return "".join(parts)

    def _expanded(self, node: ScalarNode) -> ScalarNode:
        """A scalar with the expanded text, which is not stripped, at the place of NODE."""
        result = ScalarNode(None, node._file, node._line, node._column)
        result.value = self.subst(node.as_str(), node)
        return result

    def _text(self, name: str) -> str:
        node = self._nodes[name]
        if type(node) is not ScalarNode:
            raise LoadError(
                f"{node.get_provenance()}: Value of '{name}' is not of the expected type 'scalar'",
                LoadErrorReason.INVALID_DATA,
            )
        return node.value or ""

    def _resolve(self, name: str, *, guesses: bool = True) -> str:
        """Resolves NAME and all that it refers to; iterative, as references may be thousands deep.

        GUESSES says whether an error about a missing name tells which one may be meant, which takes long.
        """
        values = self._values
        text = self._text(name)
        if "%{" not in text:
            values[name] = text
            return text
        path = {name: _REFERENCE.split(text)}  # from NAME to the variable at work, in order
        while path:
            current, parts = next(reversed(path.items()))
            missing = next((part for part in parts[1::2] if part not in values), None)
            if missing is None:
                parts[1::2] = [values[part] for part in parts[1::2]]
                values[current] = "".join(parts)
                del path[current]
            elif missing not in self._nodes:
                raise _undefined(missing, self._nodes[current], self._nodes if guesses else ())
            elif missing in path:
                raise self._circular(list(path), missing)
            else:
                path[missing] = _REFERENCE.split(self._text(missing))
        return values[name]

    def _circular(self, path: list[str], first: str) -> LoadError:
        cycle = path[path.index(first) :]
        steps = [
            f"{self._nodes[name].get_provenance()}: Variable '{name}' refers to variable '{reference}'"
            for name, reference in zip(cycle, [*cycle[1:], first], strict=True)
        ]
        return LoadError(
            f"Circular dependency detected on variable '{first}'",
            LoadErrorReason.CIRCULAR_REFERENCE_VARIABLE,
            detail="\n".join(steps),
        )

    def _changed_in(self, nodes: dict[str, Node]) -> tuple[str, ...]:
        """The names that NODES has other entries for than this map, or that only one of both has."""
        own = self._nodes
        changed = [name for name, node in nodes.items() if own.get(name) is not node]
        if len(nodes) - len(changed) < len(own):
            changed.extend(own.keys() - nodes.keys())
        return tuple(changed)

    def _differing_for(self, changed: tuple[str, ...]) -> frozenset[str]:
        """CHANGED and what depends on that; this map, a parent from now on, has all other values resolved."""
        if self._dependants is None:
            self._resolve_what_can_be()
            self._dependants = self._find_dependants()
        differing = self._differing.get(changed)
        if differing is None:
            dependants = self._dependants
            differing = frozenset(changed).union(*[dependants.get(name, ()) for name in changed])
            self._differing[changed] = differing
        return differing

    def _resolve_what_can_be(self) -> None:
        for name in self._nodes:
            try:
                if name not in self._values:
                    self._resolve(name, guesses=False)
            except LoadError:
                # the map of an element may define what is missing here, and tells if it does not
                continue

    def _find_dependants(self) -> dict[str, set[str]]:
        referrers: dict[str, list[str]] = {}
        for name, node in self._nodes.items():
            if type(node) is ScalarNode:
                for reference in _REFERENCE.findall(node.value or ""):
                    referrers.setdefault(reference, []).append(name)
        dependants: dict[str, set[str]] = {}
        for name in referrers:
            reached: set[str] = set()
            pending = [name]
            while pending:
                for referrer in referrers.get(pending.pop(), ()):
                    if referrer not in reached:
                        reached.add(referrer)
                        pending.append(referrer)
            dependants[name] = reached
        return dependants


def _undefined(name: str, node: Node | None, known: Iterable[str]) -> LoadError:
    prefix = f"{node.get_provenance()}: " if node is not None else ""
    return LoadError(
        f"{prefix}Reference to undefined variable '{name}'",
        LoadErrorReason.UNRESOLVED_VARIABLE,
        detail=did_you_mean(name, known),
    )
