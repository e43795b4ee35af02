"""From what differs between two key documents to what somebody changed, and where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._keys.compare import Difference, differences
from .._load.resolved import ResolvedElement
from .._model.problem import Place
from .._model.why import Change, Subject
from ..node import MappingNode, Node, ScalarNode, SequenceNode

_SUBJECTS = {
    "environment": Subject.ENVIRONMENT,
    "public": Subject.PUBLIC,
    "sandbox": Subject.SANDBOX,
    "element-plugin-key": Subject.CONFIGURATION,
    "fatal-warnings": Subject.PROJECT,
    "sources": Subject.SOURCE,
}


def find_changes(
    element: ResolvedElement,
    old: Mapping[str, object],
    new: Mapping[str, object],
    old_variables: Mapping[str, str] | None,
) -> list[Change]:
    """What was changed for ELEMENT between the documents OLD and NEW, without their dependencies.

    Values that differ because of a variable are put down to that; of variables that refer to each
    other, to the one that was changed itself.

    Args:
        old_variables: What the variables were; None if that is not known.
    """
    found = list(differences(old, new))
    variables = [] if old_variables is None else _changed_variables(element, old_variables)
    guilty = [change for change in variables if any(_explains(change, other) for other in found)]
    rest = [other for other in found if not any(_explains(change, other) for change in guilty)]
    return [*guilty, *(_change_of(element, difference) for difference in rest)]


def _changed_variables(element: ResolvedElement, old: Mapping[str, str]) -> list[Change]:
    """The variables that have another value because of their own text."""
    new = dict(element.variables.items())
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return [
        Change(Subject.VARIABLE, name, old.get(name), new.get(name), place_of(element.variables.node(name)))
        for name in sorted(changed)
        if name not in new or changed.isdisjoint(element.variables.references(name))
    ]


def _explains(variable: Change, difference: Difference) -> bool:
    """Whether DIFFERENCE can come from VARIABLE."""
    old, new = variable.old or "", variable.new or ""
    if difference.old is None or difference.new is None:
        return False
    if old and difference.old.replace(old, new) == difference.new:
        return True
    # the text may hold the old value in other places too
    return bool(old and new) and old in difference.old and new in difference.new


def _change_of(element: ResolvedElement, difference: Difference) -> Change:
    member, *path = difference.path
    name = ".".join(path)
    if member == "element-plugin-name":
        place = place_of(_member(element.node, ["kind"]))
        return Change(Subject.PLUGIN, "kind", difference.old, difference.new, place)
    if member == "element-plugin-version":
        text = f"version of plugin '{element.kind}'"
        return Change(Subject.PLUGIN, text, difference.old, difference.new)
    if member == "element-base-key":
        place = place_of(element.variables.node("build-root"))
        return Change(Subject.VARIABLE, name, difference.old, difference.new, place)
    subject = _SUBJECTS.get(member, Subject.CONFIGURATION)
    if subject is Subject.SOURCE:
        return _change_of_source(element, difference, path)
    return Change(
        subject,
        name or member,
        difference.old,
        difference.new,
        place_of(_find_node(element, subject, path, difference.new)),
    )


def _change_of_source(element: ResolvedElement, difference: Difference, path: Sequence[str]) -> Change:
    position = int(path[0]) if path and path[0].isdigit() else -1
    source = element.sources[position] if 0 <= position < len(element.sources) else None
    if source is None:
        return Change(Subject.SOURCE, "sources", difference.old, difference.new)
    inner = [word for word in path[1:] if word not in ("key", "name")]
    # what a person knows the source by
    nodes = (source.node.value.get(key) for key in ("path", "url"))
    known_by = next((node.value or "" for node in nodes if isinstance(node, ScalarNode)), "")
    name = " ".join(word for word in (source.kind, known_by, ".".join(inner)) if word)
    node = _find_scalar(source.node, difference.new) or source.node
    return Change(Subject.SOURCE, name, difference.old, difference.new, place_of(node))


def _find_node(
    element: ResolvedElement, subject: Subject, path: Sequence[str], text: str | None
) -> Node | None:
    """The node that gives what is at PATH its TEXT, or what is nearest to it."""
    for tree in _trees(element, subject):
        node = _member(tree, path) or _find_scalar(tree, text)
        if node is not None:
            return node
    section = {Subject.CONFIGURATION: "config", Subject.PUBLIC: "public", Subject.SANDBOX: "sandbox"}
    return _member(element.node, [section.get(subject, subject.value)]) or element.node


def _trees(element: ResolvedElement, subject: Subject) -> Iterator[MappingNode]:
    """Where values of SUBJECT may be written, what overrides others first."""
    if subject is Subject.CONFIGURATION:
        yield element.config
    elif subject is Subject.PUBLIC:
        yield element.public
    elif subject is Subject.ENVIRONMENT:
        own = element.node.get_mapping("environment", None)
        if own is not None:
            yield own
        second = element.project.second
        if second is not None:
            yield second.environment


def _member(node: Node | None, path: Iterable[str]) -> Node | None:
    """The node at PATH below NODE; as much of the end of PATH may be missing as are positions in lists."""
    for word in path:
        if isinstance(node, MappingNode):
            inner = node.value.get(word)
            if inner is None:
                return None
            node = inner
        elif isinstance(node, SequenceNode) and word.isdigit() and int(word) < len(node.value):
            node = node.value[int(word)]
        else:
            break
    return node


def _find_scalar(node: Node, text: str | None) -> Node | None:
    """The first scalar below NODE with this TEXT."""
    if text is None:
        return None
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, ScalarNode):
            if top.value == text:
                return top
        elif isinstance(top, MappingNode):
            stack.extend(reversed(top.value.values()))
        elif isinstance(top, SequenceNode):
            stack.extend(reversed(top.value))
    return None


def place_of(node: Node | None) -> Place | None:
    """Where NODE is written; None for what no file says."""
    if node is None or node._file is None or node._is_synthetic:
        return None
    return Place(node._file.displayname, node._line + 1, node._column)


def place_of_dependency(element: ResolvedElement, name: str) -> Place | None:
    """Where ELEMENT declares a dependency on the element NAME of some project; else, where it begins."""
    file = element.node._file
    # the lists of dependencies were taken out of the composed node
    top = file.toplevel if file is not None else None
    for key in ("depends", "build-depends", "runtime-depends"):
        section = None if top is None else top.value.get(key)
        if section is not None:
            node = _find_scalar(section, name)
            if node is not None:
                return place_of(node)
    return place_of(element.node)
