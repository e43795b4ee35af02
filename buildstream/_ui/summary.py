"""The summary of a session: changed keys, failures, and what each queue has done."""

from collections.abc import Callable, Mapping, Sequence

from .._model.elementrow import ElementView
from .._model.message import Message
from .._model.session import QueueTally, SessionSummary
from .logline import indented
from .report import render_labels, render_title
from .showformat import render_report
from .style import FAILED, LABEL, PROCESSED, SKIPPED, VALUE, Paint, Profile


def render_summary(
    summary: SessionSummary,
    failures: Mapping[str, Message],
    render_message: Callable[[Message], str],
    render_rows: Callable[[Sequence[ElementView]], str],
    *,
    paint: Paint,
) -> str:
    """The whole summary, from its leading empty line on.

    Args:
        summary: What to tell.
        failures: The last message of failure of each element, by full name.
        render_message: Renders a message as it was on the console.
        render_rows: Renders elements in the configured element format.
        paint: Applies colours.
    """
    sections = [
        _render_changed(summary.changed, render_rows, paint),
        _render_failures(summary.failed, failures, render_message, paint),
        _render_pipeline(summary, paint),
    ]
    if summary.times is not None:
        from .timesreport import render_times

        sections.append(f"\n{render_times(summary.times, paint)}")
    return "\n" + "".join(sections)


def make_row_renderer(
    element_format: str, *, paint: Paint, key_length: int
) -> Callable[[Sequence[ElementView]], str]:
    """A function that renders elements in ELEMENT_FORMAT."""
    return lambda views: render_report(views, element_format, paint=paint, key_length=key_length)


def _render_changed(
    changed: Sequence[ElementView], render_rows: Callable[[Sequence[ElementView]], str], paint: Paint
) -> str:
    if not changed:
        return ""
    rows = render_rows(sorted(changed, key=lambda view: view.name))
    return f"{render_title('Resolved key Summary', paint)}{rows}\n"


def _render_failures(
    failed: Sequence[str],
    failures: Mapping[str, Message],
    render_message: Callable[[Message], str],
    paint: Paint,
) -> str:
    if not failed:
        return ""
    text = render_title("Failure Summary", paint)
    for name in sorted(failed):
        text += f"    {paint(name, LABEL)}{paint(':', LABEL)}\n"
        message = failures.get(name)
        if message is not None:
            text += indented(render_message(message))
    return text if text.endswith("\n\n") else f"{text}\n"


def _render_pipeline(summary: SessionSummary, paint: Paint) -> str:
    queue_labels = [f"{queue.action} Queue" for queue in summary.queues]
    labels = render_labels(["Total", "Session", *queue_labels], paint)
    totals = [paint(str(summary.total), VALUE), paint(str(summary.session), VALUE)]
    values = [*totals, *_render_tallies(summary.queues, paint)]
    lines = [f"{label}{value}\n" for label, value in zip(labels, values, strict=True)]
    return render_title("Pipeline Summary", paint) + "".join(lines)


def _render_tallies(queues: Sequence[QueueTally], paint: Paint) -> list[str]:
    processed_width = max([len(str(queue.processed)) for queue in queues], default=0)
    skipped_width = max([len(str(queue.skipped)) for queue in queues], default=0)

    def render_count(word: str, count: int, profile: Profile) -> str:
        return paint(f"{word} ", VALUE) + paint(str(count), profile)

    def render_separator(count: int, width: int) -> str:
        # the blanks that align the columns stand after the comma
        return paint(", ", LABEL) + " " * (width - len(str(count)))

    return [
        render_count("processed", queue.processed, PROCESSED)
        + render_separator(queue.processed, processed_width)
        + render_count("skipped", queue.skipped, SKIPPED)
        + render_separator(queue.skipped, skipped_width)
        + render_count("failed", queue.failed, FAILED)
        + " "
        for queue in queues
    ]
