"""Artifacts that are given by their names, where the queues expect elements."""

from typing import TYPE_CHECKING, cast

from .._dataclass import dataclass
from .._keys.elementkeys import ElementKeys, KeyTable
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord

if TYPE_CHECKING:
    from .._load.resolved import ResolvedElement


@dataclass(frozen=True, slots=True, eq=False)
class _NamedPlugin:
    normal_name: str


@dataclass(frozen=True, slots=True, eq=False)
class _NamedElement:
    """What is known of an element from the name of its artifact: what queues, jobs and remotes ask for."""

    project_name: str
    full_name: str
    name: str
    plugin: _NamedPlugin
    project: None = None  # even if one of this name is loaded (command specification 3.6)
    sources: tuple[()] = ()
    build_dependencies: tuple[()] = ()
    runtime_dependencies: tuple[()] = ()


def record_of_ref(ref: str) -> ElementRecord:
    """A record for the artifact called REF, `<project>/<normal name>/<key>`; it is of no pipeline."""
    project_name, normal_name, key = ref.split("/")
    element = _NamedElement(project_name, normal_name, f"{normal_name}.bst", _NamedPlugin(normal_name))
    keys = ElementKeys(None, key, key)
    # it has what is asked of elements that are neither staged nor built
    return ElementRecord(cast("ResolvedElement", element), keys, key)


def empty_pipeline() -> Pipeline:
    """A pipeline for commands that are about named artifacts alone."""
    return Pipeline([], KeyTable([]), is_strict=True)
