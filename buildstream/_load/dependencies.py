"""Reading the dependency lists of an element (format sections 6.2 and 6.3)."""

from dataclasses import field

from .._dataclass import dataclass
from .._exceptions import LoadError
from .._utils_nearmiss import did_you_mean
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node, ScalarNode, SequenceNode


class DependencyType:
    """When a dependency is needed: bits of an int (an enumeration's operators cost a microsecond each)."""

    BUILD = 1
    RUNTIME = 2
    ALL = 3


# what a plain name stands for, by the list that it is in
_KINDS = {
    "build-depends": DependencyType.BUILD,
    "runtime-depends": DependencyType.RUNTIME,
    "depends": DependencyType.ALL,
}
_TYPES = {"build": DependencyType.BUILD, "runtime": DependencyType.RUNTIME, "all": DependencyType.ALL}


@dataclass(slots=True)
class Declaration:
    """One dependency as an element declares it, duplicates merged."""

    name: str  # element path as written, without its junction
    junction: str | None  # junction path, None for the project of the element
    kinds: int  # bits of DependencyType
    is_strict: bool
    node: Node  # where it was first declared
    configs: list[MappingNode] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The spelling used by the depending element, with the junction."""
        return f"{self.junction}:{self.name}" if self.junction else self.name


def read_declarations(node: MappingNode) -> list[Declaration]:
    """The dependencies that the element NODE declares, in order; entries of one name are merged.

    The three lists are removed from NODE.
    """
    merged: dict[tuple[str | None, str], Declaration] = {}
    for key, kinds in _KINDS.items():
        if key not in node:
            continue
        for entry in node.get_sequence(key):
            if type(entry) is ScalarNode:
                junction, name = split_element_path(entry.as_str() or "")
                declarations = [Declaration(name, junction, kinds, False, entry)]
            else:
                declarations = _read_mapping(entry, key, kinds)
            for declaration in declarations:
                first = merged.setdefault((declaration.junction, declaration.name), declaration)
                if first is not declaration:
                    first.kinds |= declaration.kinds
                    first.is_strict |= declaration.is_strict
                    first.configs += declaration.configs
        node.safe_del(key)
    return list(merged.values())


def split_element_path(path: str) -> tuple[str | None, str]:
    """(junction path, element name) of an element path; the junction is None for a local element."""
    junction, _, name = path.rpartition(":")
    return junction or None, name


def _read_mapping(entry: Node, key: str, kinds: int) -> list[Declaration]:
    if not isinstance(entry, MappingNode):
        raise LoadError(
            f"{entry.get_provenance()}: A dependency is given as the name of an element or as a dictionary",
            LoadErrorReason.INVALID_DATA,
        )
    allowed = ["filename", "junction", "strict", "config"]
    if key == "depends":
        allowed.append("type")
    entry.validate_keys(allowed)
    type_node = entry.get_scalar("type", None)
    if not type_node.is_none():
        if type_node.as_str() not in _TYPES:
            raise LoadError(
                f"{type_node.get_provenance()}: Dependency type '{type_node.as_str()}' is not one of "
                f"'{', '.join(_TYPES)}'",
                LoadErrorReason.INVALID_DATA,
                detail=did_you_mean(type_node.as_str(), _TYPES),
            )
        kinds = _TYPES[type_node.as_str()]
    is_strict = _read_strict(entry, kinds)
    config = entry.get_mapping("config", None)
    if config is not None and kinds == DependencyType.RUNTIME:
        raise LoadError(
            f"{config.get_provenance()}: Runtime dependencies can't have a 'config'",
            LoadErrorReason.INVALID_DATA,
        )
    configs = [] if config is None else [config]
    explicit = entry.get_str("junction", None)
    declarations = []
    for filename in _filenames(entry):
        junction, name = split_element_path(filename.as_str() or "")
        if explicit is not None:
            if ":" in (filename.as_str() or ""):
                raise LoadError(
                    f"{filename.get_provenance()}: Dependency {filename.as_str()} names a junction, "
                    "but the attribute 'junction' is given as well",
                    LoadErrorReason.INVALID_DATA,
                )
            junction = explicit or None
        declarations.append(Declaration(name, junction, kinds, is_strict, entry, list(configs)))
    return declarations


def _read_strict(entry: MappingNode, kinds: int) -> bool:
    strict = entry.get_scalar("strict", None)
    if strict.is_none():
        return False
    if not strict.as_bool():
        raise LoadError(
            f"{strict.get_provenance()}: Setting 'strict' to False is unsupported",
            LoadErrorReason.INVALID_DATA,
        )
    if kinds == DependencyType.RUNTIME:
        raise LoadError(
            f"{entry.get_provenance()}: Runtime dependencies can't be declared strict",
            LoadErrorReason.INVALID_DATA,
        )
    return True


def _filenames(entry: MappingNode) -> list[ScalarNode]:
    node = entry.get_node("filename", allowed_types=[ScalarNode, SequenceNode])
    if isinstance(node, ScalarNode):
        return [node]
    assert isinstance(node, SequenceNode)
    names = []
    for item in node:
        if not isinstance(item, ScalarNode):
            raise LoadError(
                f"{item.get_provenance()}: The names of dependencies are scalars",
                LoadErrorReason.INVALID_DATA,
            )
        names.append(item)
    return names
