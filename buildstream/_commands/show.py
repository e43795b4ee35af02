"""`bst show`: what the elements of a pipeline are, and in which state."""

from collections.abc import Sequence

from .._load.resolved import ResolvedElement, pipeline_order
from .._model.elementdata import ElementData
from .._model.elementrow import ElementView
from .._plan.selection import except_elements, select
from .app import App
from .elementdata import element_data
from .loading import LoadedTargets, load_elements, query
from .views import element_views


def show(
    app: App,
    *,
    elements: Sequence[str],
    excepted: Sequence[str],
    deps: str,
    order: str,
    needs_state: bool,
) -> Sequence[ElementView]:
    """The elements that `bst show` reports, in the order to be shown.

    Args:
        order: "stage" or "alpha".
        needs_state: Whether the local cache has to be asked.
    """
    loaded, selected = _selection(
        app, elements=elements, excepted=excepted, deps=deps, order=order, needs_state=needs_state
    )
    return element_views(app, loaded.pipeline, selected)


def show_data(
    app: App, *, elements: Sequence[str], excepted: Sequence[str], deps: str, order: str
) -> tuple[ElementData, ...]:
    """The same elements as values, for `bst show --json`."""
    loaded, selected = _selection(
        app, elements=elements, excepted=excepted, deps=deps, order=order, needs_state=True
    )
    return element_data(loaded.pipeline, selected)


def _selection(
    app: App,
    *,
    elements: Sequence[str],
    excepted: Sequence[str],
    deps: str,
    order: str,
    needs_state: bool,
) -> tuple[LoadedTargets, list[ResolvedElement]]:
    """What was loaded, and which elements of it are to be shown, in that order."""
    loaded = load_elements(app, elements, excepted=excepted)
    selected = select(loaded.targets, deps)
    selected = except_elements(loaded.targets, selected, loaded.excepted)
    if needs_state:
        loaded.pipeline.require(selected, "none" if deps == "none" else "run")
        query(app, loaded, pipeline_order(selected))
    if order == "alpha":
        selected = sorted(selected, key=lambda element: element.name)
    return loaded, selected
