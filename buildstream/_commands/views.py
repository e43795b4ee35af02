"""Elements as the front end sees them."""

from collections.abc import Iterable, Sequence
from typing import overload

from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement
from .._load.workspacesource import workspace_directory
from .._load.yamldump import dump
from .._model.digest import EMPTY_DIGEST
from .._model.elementrow import ElementView
from .._model.message import MessageType
from .._plan.pipeline import Pipeline
from .._plan.record import ElementRecord
from .._plan.states import display_state
from .app import App


class _Views(Sequence[ElementView]):
    """Views made when they are looked at: of a large pipeline, all at once would take much memory."""

    def __init__(self, app: App, pipeline: Pipeline, elements: Sequence[ResolvedElement]) -> None:
        self._app = app
        self._pipeline = pipeline
        self._elements = elements

    def __len__(self) -> int:
        return len(self._elements)

    @overload
    def __getitem__(self, index: int) -> ElementView: ...

    @overload
    def __getitem__(self, index: slice) -> "_Views": ...

    def __getitem__(self, index: "int | slice") -> "ElementView | _Views":
        if isinstance(index, slice):
            return _Views(self._app, self._pipeline, self._elements[index])
        return _view(self._app, self._pipeline, self._pipeline.record(self._elements[index]))


def element_views(app: App, pipeline: Pipeline, elements: Sequence[ResolvedElement]) -> Sequence[ElementView]:
    """The views of ELEMENTS; everything costly in them is computed when it is shown."""
    return _Views(app, pipeline, elements)


def _view(app: App, pipeline: Pipeline, record: ElementRecord) -> ElementView:
    element = record.element
    build, runtime = element.build_dependencies, element.runtime_dependencies
    return ElementView(
        name=element.full_name,
        kind=element.kind,
        label=lambda: record.label,
        state=lambda: display_state(record, pipeline),
        description=element.description,
        workspace_directory=workspace_directory(element),
        config=lambda: dump(element.config.strip_node_info()),
        variables=lambda: dump(dict(element.variables.items())),
        environment=lambda: dump(dict(element.environment)),
        public=lambda: dump(element.public.strip_node_info()),
        dependencies=lambda: _names([*build, *(child for child in runtime if child not in build)]),
        build_dependencies=lambda: _names(build),
        runtime_dependencies=lambda: _names(runtime),
        source_info=lambda: _source_info(element),
        artifact_cas_digest=lambda: _files_digest(app, record),
    )


def _names(elements: Iterable[ResolvedElement]) -> str:
    return dump([element.full_name for element in elements]).rstrip("\n")


def _source_info(element: ResolvedElement) -> str:
    infos = []
    for source in element.sources:
        with plugin_code(source.plugin, "collect_source_info"):
            infos += [info.serialize() for info in source.plugin.collect_source_info() or ()]
    return dump(infos)


def _files_digest(app: App, record: ElementRecord) -> str:
    artifact = record.artifact
    if artifact is None:
        app.messenger.send(
            MessageType.WARN,
            "Cannot obtain CAS digest because artifact is not cached",
            element=record.label,
        )
        return ""
    return str(artifact.files or EMPTY_DIGEST)  # most failed builds have no files
