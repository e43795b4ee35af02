"""Several instances of one project: which may be loaded side by side (format 7.9)."""

from collections.abc import Iterator, Sequence

from .._dataclass import dataclass
from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import SequenceNode
from .loader import Loader


@dataclass(frozen=True, slots=True)
class Instance:
    """A loaded project, and which projects above it declare it harmless."""

    loader: Loader
    duplicated_by: tuple[Loader, ...]
    internal_to: tuple[Loader, ...]

    @property
    def is_primary(self) -> bool:
        """Whether nobody declares it harmless."""
        return not self.duplicated_by and not self.internal_to


def check_conflicts(loaders: Sequence[Loader]) -> None:
    """Notes in the projects of LOADERS, which are all there are, what is declared of them.

    Raises:
        LoadError: CONFLICTING_JUNCTION, or MISSING_FILE at a declaration.
    """
    groups: dict[str, list[Instance]] = {}
    for loader in loaders:
        instance = _instance(loader)
        project = loader.project
        project.duplicated_by = tuple([_label(other) for other in instance.duplicated_by])
        project.internal_to = tuple([_label(other) for other in instance.internal_to])
        groups.setdefault(project.name, []).append(instance)
    for name, group in groups.items():
        primaries = sum(instance.is_primary for instance in group)
        has_duplicates = any(instance.duplicated_by for instance in group)
        if primaries > 1 or (primaries and has_duplicates):
            raise LoadError(
                f"Project '{name}' was loaded in multiple contexts",
                LoadErrorReason.CONFLICTING_JUNCTION,
                detail="\n\n".join([*map(_describe, group), _ADVICE]),
            )


_ADVICE = (
    "This is no conflict if at most one instance is left that is not declared internal, or if\n"
    "every instance is declared a duplicate, in the section 'junctions' of project.conf."
)


def _instance(loader: Loader) -> Instance:
    duplicated_by, internal_to = [], []
    for ancestor in _ancestors(loader):
        rules = ancestor.project.junction_rules
        paths = rules.duplicates.get_sequence(loader.project.name, [])
        if _leads_to(ancestor, paths, loader):
            duplicated_by.append(ancestor)
        if _leads_to(ancestor, rules.internal, loader):
            internal_to.append(ancestor)
    return Instance(loader, tuple(duplicated_by), tuple(internal_to))


def _leads_to(ancestor: Loader, paths: SequenceNode, loader: Loader) -> bool:
    """Whether one of PATHS, seen from ANCESTOR, is a junction to LOADER."""
    nodes = [paths.scalar_at(index) for index in range(len(paths))]
    return any(ancestor.find_loaded(node.as_str(), node) is loader for node in nodes)


def _ancestors(loader: Loader) -> Iterator[Loader]:
    """Every loader above LOADER, each once; overridden junctions count."""
    found = {id(loader)}
    pending = [loader]
    while pending:
        current = pending.pop()
        for parent in [current.parent, *current.alternative_parents]:
            if parent is not None and id(parent) not in found:
                found.add(id(parent))
                pending.append(parent)
                yield parent


def _label(loader: Loader) -> str:
    junction = loader.project.junction
    return f"{loader.project.name} ({junction.full_name if junction else 'toplevel'})"


def _describe(instance: Instance) -> str:
    junction = instance.loader.project.junction
    text = _label(instance.loader)
    if junction and junction.requested_by:
        text += f": {junction.requested_by}"
    if instance.duplicated_by:
        text += f"\n  Duplicated by: {', '.join(map(_label, instance.duplicated_by))}"
    if instance.internal_to:
        text += f"\n  Internal to: {', '.join(map(_label, instance.internal_to))}"
    return text
