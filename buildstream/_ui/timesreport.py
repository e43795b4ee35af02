"""Where the time of a session went, in at most five lines."""

from .._model.session import SessionTimes
from .planreport import format_seconds, shorten_path
from .report import render_block, render_title
from .style import Paint


def render_times(times: SessionTimes, paint: Paint) -> str:
    """A title and up to five lines."""
    return render_title("Time Summary", paint) + render_block(time_rows(times), paint)


def time_rows(times: SessionTimes) -> list[tuple[str, str]]:
    """Labels and what belongs to them."""
    whole = f"{format_seconds(times.elapsed_s)}, {format_seconds(times.work_s)} of work"
    if times.busy is not None:
        whole += f"; builders were busy {times.busy:.0%} of the time"
    rows = [("Took", whole)]
    rows.append(("Longest", ", ".join(_job(name, action, s) for name, action, s in times.longest)))
    names = tuple(dict.fromkeys(element for element, _ in times.path))
    share = min(times.path_s / times.elapsed_s, 1.0) if times.elapsed_s > 0 else 1.0
    path = f"{shorten_path(names)} ({format_seconds(times.path_s)}, {share:.0%} of the whole)"
    rows.append(("Critical path", path))
    parts_s = sum(seconds for _, seconds in times.phases)
    if parts_s > 0:
        shares = [f"{phase} {seconds / parts_s:.0%}" for phase, seconds in times.phases]
        rows.append(("Spent on", ", ".join(shares)))
    name, waited_s = times.most_waited
    if times.waited_s >= 0.1:
        waited = (
            f"{format_seconds(times.waited_s)} in all for a free place, {name} {format_seconds(waited_s)}"
        )
        rows.append(("Waited", waited))
    return rows


def _job(name: str, action: str, seconds: float) -> str:
    what = "" if action == "Build" else f"{action.lower()} of "
    return f"{what}{name} {format_seconds(seconds)}"
