"""`bst source track`: finds newer refs of sources and writes them to the project."""

from collections.abc import Sequence

from .._act.tracking import Tracker
from .._exceptions import StreamError
from .._load.resolved import ResolvedElement
from .._plan.selection import except_elements, select
from .._schedule.queue import Queue, Token
from .._schedule.works import TrackWork
from .app import App
from .loading import LoadedTargets, load_elements
from .redirection import source_element
from .session import Session, announced


def track(
    app: App, *, elements: Sequence[str], excepted: Sequence[str], deps: str, crosses_junctions: bool
) -> None:
    """Tracks the sources of the selected elements.

    Args:
        elements: Names, or patterns; nothing for the default targets.
        excepted: Names of `--except`.
        deps: none, build, run or all.
        crosses_junctions: Whether elements of other projects than the target's are tracked too.

    Raises:
        StreamError: Something failed, or a ref of another project could not be written.
    """
    with announced(app, "Track") as started_s:
        loaded = load_elements(app, elements, excepted=excepted)
        selected = _select(app, loaded, deps, crosses_junctions=crosses_junctions)
        _check_trackable(loaded, selected)
    queue = Queue(
        "Track", "Sources Tracked", Token.DOWNLOAD, TrackWork(Tracker(app.sources)), has_retries=True
    )
    session = Session("Track", app, loaded, [queue], selected, started_s, changes_keys=True)
    session.run([loaded.pipeline.record(element) for element in selected])


def _select(app: App, loaded: LoadedTargets, deps: str, *, crosses_junctions: bool) -> list[ResolvedElement]:
    """What is to be tracked, in staging order, each element once."""
    selected: dict[ResolvedElement, None] = {}
    for target in loaded.targets:
        found = [source_element(app, loaded, target)] if deps == "none" else select([target], deps)
        selected.update(
            (element, None)
            for element in found
            if crosses_junctions or deps == "none" or element.project is target.project
        )
    return except_elements(loaded.targets, list(selected), loaded.excepted)


def _check_trackable(loaded: LoadedTargets, selected: Sequence[ResolvedElement]) -> None:
    toplevel = loaded.projects[0] if loaded.projects else None
    if toplevel is None or toplevel.ref_storage == "project.refs":
        return
    foreign = [element for element in selected if element.project is not toplevel]
    if foreign:
        detail = "\n".join(
            f"  {element.full_name} belongs to the project '{element.project_name}'" for element in foreign
        )
        raise StreamError(
            "Untrackable sources",
            detail="Refs of other projects can't be written, because this project keeps refs inline:\n\n"
            f"{detail}\n\n"
            "Set 'ref-storage: project.refs' in project.conf, or track in the other project.",
            reason="untrackable-sources",
        )
