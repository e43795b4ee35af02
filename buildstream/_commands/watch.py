"""`bst build --watch`: builds again whenever files of the workspaces that matter change.

Files are looked at with `stat`, which works on every file system and needs no
watch for each directory.  The pauses in between grow with the time that a look
takes, so that watching costs at most a tenth of a processor.
"""

import os
from collections.abc import Callable, Iterable, Sequence

from .._dataclass import dataclass
from .._exceptions import AppError, BstError, StreamError
from .._load.workspacesource import workspace_directory
from .._model.message import MessageType
from .app import App
from .build import build
from .workspaces import list_workspaces

_PAUSE_AT_LEAST_S = 0.3
_PAUSE_BY_COST = 9.0
_PATHS_NAMED = 5

Snapshot = dict[str, tuple[int, int, int, int, int]]
"""From the path of each file and directory to mode, inode, size, modification and change time."""


@dataclass(frozen=True, slots=True)
class Clockwork:
    """What waiting needs of the world."""

    now_s: Callable[[], float]  # a clock that never goes back
    sleep: Callable[[float], None]


def build_on_change(
    open_app: Callable[[], App],
    report: Callable[[BstError], int],
    clockwork: Clockwork,
    *,
    elements: Sequence[str],
    deps: str | None,
    retry_failed: bool,
) -> int:
    """Builds ELEMENTS, and again after each change of the workspaces that they are built from.

    Ends when the user interrupts it; gives the exit status of the last build.

    Args:
        open_app: Gives an App for the next build, in place of the one before.
        report: Shows why a build failed, and gives the exit status that it deserves.
        clockwork: The time.
        elements: As for `build`.
        deps: As for `build`.
        retry_failed: As for `build`.

    Raises:
        AppError: None of the elements has a workspace.
        BstError: There is no project.
    """
    while True:
        app = open_app()
        workspaces = {found.element: found.directory for found in list_workspaces(app)}
        # before the build: what changes while it runs is not missed
        before = take_snapshots(workspaces.values())
        status = 0
        try:
            build(app, elements=elements, deps=deps, retry_failed=retry_failed)
        except StreamError as error:
            if not str(error) and error.__cause__ is None:
                return report(error)  # the user has terminated it
            status = report(error)
        except BstError as error:
            status = report(error)
        watched = _those_that_matter(app, workspaces)
        before = {directory: before[directory] for directory in watched.values()}
        names = ", ".join(watched)
        try:
            app.messenger.send(MessageType.INFO, f"Watching the workspaces of {names}; press ^C to end")
            changed = wait_for_change(before, clockwork)
        except KeyboardInterrupt:
            return status
        app.messenger.send(MessageType.INFO, "Building again", detail=_named(changed))


def _those_that_matter(app: App, workspaces: dict[str, str]) -> dict[str, str]:
    """Those of WORKSPACES that the loaded elements are built from; all if nothing could be loaded."""
    pipeline = app.services.pipeline
    if pipeline is not None:
        loaded = {element.full_name for element in pipeline.elements if workspace_directory(element)}
        workspaces = {name: directory for name, directory in workspaces.items() if name in loaded}
    if not workspaces:
        raise AppError(
            "There is nothing to watch: none of the elements has an open workspace",
            detail="Open one with `bst workspace open`.",
            reason="no-workspace",
        )
    return workspaces


def take_snapshots(directories: Iterable[str]) -> dict[str, Snapshot]:
    """What is below each of DIRECTORIES now."""
    return {directory: _take_snapshot(directory) for directory in directories}


def _take_snapshot(directory: str) -> Snapshot:
    """What is below DIRECTORY; what vanishes meanwhile, or can't be read, is left out."""
    snapshot: Snapshot = {}
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    is_directory = entry.is_dir(follow_symlinks=False)
                    if is_directory:
                        waiting.append(entry.path)
                    snapshot[entry.path] = (
                        status.st_mode,
                        status.st_ino,
                        0 if is_directory else status.st_size,
                        # of a directory, the files in it tell more
                        0 if is_directory else status.st_mtime_ns,
                        0 if is_directory else status.st_ctime_ns,
                    )
        except OSError:
            continue
    return snapshot


def wait_for_change(before: dict[str, Snapshot], clockwork: Clockwork) -> list[str]:
    """Returns once something differs from BEFORE and nothing changes any more; gives the paths, sorted.

    A burst of changes, such as a checkout of another branch, counts as one; files that
    an editor writes and renames within it do not count.
    """
    while True:
        started_s = clockwork.now_s()
        now = take_snapshots(before)
        pause_s = max(_PAUSE_AT_LEAST_S, _PAUSE_BY_COST * (clockwork.now_s() - started_s))
        while now != before:
            clockwork.sleep(_PAUSE_AT_LEAST_S)
            later = take_snapshots(before)
            if later == now:
                return sorted(_difference(before, now))
            now = later
        clockwork.sleep(pause_s)


def _difference(before: dict[str, Snapshot], now: dict[str, Snapshot]) -> set[str]:
    return {
        path
        for directory in before
        for path in before[directory].keys() | now[directory].keys()
        if before[directory].get(path) != now[directory].get(path)
    }


def _named(paths: Sequence[str]) -> str:
    lines = [f"Changed: {path}" for path in paths[:_PATHS_NAMED]]
    if len(paths) > _PATHS_NAMED:
        lines.append(f"and {len(paths) - _PATHS_NAMED} more")
    return "\n".join(lines)
