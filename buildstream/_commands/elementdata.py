"""`bst show --json`: elements as plain values."""

from collections.abc import Iterable, Sequence

from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement, ResolvedSource
from .._model.elementdata import DependencyData, ElementData, FilePlace, SourceData
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord
from .._plan.states import display_state
from ..node import Node


def element_data(pipeline: Pipeline, elements: Iterable[ResolvedElement]) -> tuple[ElementData, ...]:
    """What is known of ELEMENTS, for which the caches have been asked.

    Raises:
        PluginError: A source plugin fails to give its ref.
    """
    return tuple(_element(pipeline, pipeline.record(element)) for element in elements)


def direct_dependencies(element: ResolvedElement) -> list[tuple[ResolvedElement, DependencyData]]:
    """What ELEMENT needs itself, each once: in the order of staging, what is for builds first."""
    build, runtime = set(element.build_dependencies), set(element.runtime_dependencies)
    children = dict.fromkeys([*element.build_dependencies, *element.runtime_dependencies])
    return [
        (
            child,
            DependencyData(
                name=child.full_name,
                is_build=child in build,
                is_runtime=child in runtime,
                is_strict=child in element.strict_dependencies,
            ),
        )
        for child in children
    ]


def _element(pipeline: Pipeline, record: ElementRecord) -> ElementData:
    element = record.element
    source_keys: Sequence[str | None] = [None] * len(element.sources)
    if record.keys.sources is not None:
        source_keys = record.keys.sources.individual
    return ElementData(
        name=element.full_name,
        local_name=element.name,
        junction=element.full_name[: -len(element.name) - 1] or None,
        project=element.project_name,
        kind=element.kind,
        description=element.description,
        state=display_state(record, pipeline).value,
        strong_key=record.strong_key,
        strict_key=record.keys.strict,
        weak_key=record.keys.weak,
        workspace=_workspace(element),
        dependencies=tuple(data for _, data in direct_dependencies(element)),
        sources=tuple(_source(source, key) for source, key in zip(element.sources, source_keys, strict=True)),
        place=_place(element.provenance_node),
    )


def _workspace(element: ResolvedElement) -> str | None:
    # an open workspace takes the place of all sources
    return next(
        (source.config.get_str("path") for source in element.sources if source.kind == "workspace"), None
    )


def _source(source: ResolvedSource, key: str | None) -> SourceData:
    with plugin_code(source.plugin, "get_ref"):
        ref = source.plugin.get_ref()
    return SourceData(
        kind=source.kind,
        directory=source.directory or None,
        ref=ref,
        key=key if ref is not None or source.plugin.is_resolved() else None,
        place=_place(source.node),
    )


def _place(node: Node) -> FilePlace | None:
    if node._is_synthetic:
        return None
    provenance = node.get_provenance()
    return FilePlace(provenance._filename, provenance._line, provenance._col)
