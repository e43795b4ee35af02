"""The status bar: what the session does right now, in the last lines of the terminal."""

from collections.abc import Callable, Sequence

from .._dataclass import dataclass
from .._model.session import ActiveTask, CacheUsage, QueueTally, SessionStatus
from .._tasklog import format_duration
from .style import (
    CACHE_FINE,
    CACHE_FULL,
    CACHE_HIGH,
    FAILED,
    LABEL,
    PLAIN,
    PROCESSED,
    SKIPPED,
    VALUE,
    Paint,
    Profile,
)

_Span = tuple[str, Profile]

_HIGH_PERCENTAGE = 80
_FULL_PERCENTAGE = 95
_SIZE_UNITS = "BKMGT"


@dataclass(frozen=True, slots=True)
class TerminalCapabilities:
    """The sequences that moving over lines that are already drawn takes."""

    line_start: str  # to the first column
    line_up: str
    clear_line: str  # from the cursor to the end of the line


def find_capabilities(term: str, file_descriptor: int) -> TerminalCapabilities | None:
    """What the terminal named TERM can do, or None if it can't show a status bar.

    A process can ask for one terminal only: later calls tell of the first.
    """
    try:
        import curses
    except ImportError:
        return None
    try:
        curses.setupterm(term, file_descriptor)
        line_up, line_start, clear_line = (curses.tigetstr(name) for name in ("cuu1", "hpa", "el"))
        if not (line_up and line_start and clear_line):
            return None
        first_column = curses.tparm(line_start, 0)
    except curses.error:
        return None
    return TerminalCapabilities(first_column.decode(), line_up.decode(), clear_line.decode())


class StatusBar:
    """Makes the sequences that draw and erase; whoever writes them takes care that nothing comes in between.

    What is drawn is overwritten in place, and all that belongs together is one text, so that nothing flickers
    if it is written at once.

    Args:
        capabilities: What the terminal can do.
        size: Gives the columns and lines of the terminal, asked at each drawing.
        paint: Applies colours.
    """

    def __init__(
        self, capabilities: TerminalCapabilities, size: Callable[[], tuple[int, int]], *, paint: Paint
    ) -> None:
        self._size = size
        self._paint = paint
        self._up = capabilities.line_start + capabilities.line_up
        self._clear_line = capabilities.clear_line
        self._widths: list[int] = []  # of the lines on the screen

    def erase(self) -> str:
        """What removes what is drawn; the cursor is then where output goes on."""
        height = self._height_on_screen()
        self._widths = []
        return f"{self._up}{self._clear_line}" * height

    def draw(self, status: SessionStatus) -> str:
        """What draws the session in place of what is drawn: nothing without active tasks."""
        if not status.tasks:
            return self.erase()
        columns, _ = self._size()
        header = [
            _center(_title_spans(status), "=", columns),
            _center(_queue_spans(status.queues), " ", columns),
            _center(_cache_spans(status.cache), " ", columns) if status.cache is not None else [],
        ]
        return self._draw_lines([*header, *_task_rows(status.tasks, columns)])

    def draw_task(self, task: ActiveTask) -> str:
        """What draws one task of the core, outside of a session."""
        columns, _ = self._size()
        return self._draw_lines(_task_rows([task], columns))

    def _draw_lines(self, lines: Sequence[Sequence[_Span]]) -> str:
        columns, rows = self._size()
        # what would scroll off could not be erased any more
        lines = lines[: max(rows - 1, 0)]
        before, height = self._height_on_screen(), len(lines)
        self._widths = [_spans_width(line) for line in lines]
        # at the end of a full line the last character would be cleared
        ends = [f"{self._clear_line}\n" if before and width < columns else "\n" for width in self._widths]
        text = "".join([self._render(line) + end for line, end in zip(lines, ends, strict=True)])
        if before > height:
            surplus = before - height
            text += f"{self._clear_line}\n" * surplus + self._up * surplus
        # the line feeds make room at the end of the screen
        return "\n" * max(height - before, 0) + self._up * max(height, before) + text

    def _render(self, line: Sequence[_Span]) -> str:
        return "".join([text if profile is PLAIN else self._paint(text, profile) for text, profile in line])

    def _height_on_screen(self) -> int:
        """How many lines of the screen the drawing takes; terminals wrap it when they become narrower."""
        columns = max(self._size()[0], 1)
        return sum([max(-(-width // columns), 1) for width in self._widths])


def _title_spans(status: SessionStatus) -> list[_Span]:
    return [
        *_time_spans(status.elapsed_s),
        (" ", PLAIN),
        (status.project, VALUE),
        (" ", PLAIN),
        ("(", LABEL),
        (str(status.session), VALUE),
        ("/", LABEL),
        (str(status.total), VALUE),
        (")", LABEL),
        *_left_spans(status.left_s),
    ]


def _left_spans(left_s: float | None) -> list[_Span]:
    if left_s is None:
        return []
    return [(" ", PLAIN), ("about ", LABEL), *_time_spans(left_s), (" left", LABEL)]


def _queue_spans(queues: Sequence[QueueTally]) -> list[_Span]:
    spans: list[_Span] = []
    for queue in queues:
        if spans:
            spans.append(("→ ", LABEL))
        spans += [
            ("(", LABEL),
            (queue.complete_name, VALUE),
            (":", LABEL),
            (str(queue.processed), PROCESSED),
            (" ", PLAIN),
            (str(queue.skipped), SKIPPED),
            (" ", PLAIN),
            (str(queue.failed), FAILED),
            (")", LABEL),
        ]
    return spans


def _cache_spans(usage: CacheUsage) -> list[_Span]:
    text = format_size(usage.used_bytes)
    profile = CACHE_FINE
    if usage.quota_bytes:
        percentage = usage.used_bytes * 100 // usage.quota_bytes
        text = f"{text} / {format_size(usage.quota_bytes)} ({percentage}%)"
        if percentage >= _FULL_PERCENTAGE:
            profile = CACHE_FULL
        elif percentage >= _HIGH_PERCENTAGE:
            profile = CACHE_HIGH
    return [("~~~~~~ ", LABEL), ("cache", VALUE), (": ", LABEL), (text, profile), (" ~~~~~~", LABEL)]


def _task_rows(tasks: Sequence[ActiveTask], columns: int) -> list[list[_Span]]:
    cells = [_task_spans(task) for task in tasks]
    width = max(map(_spans_width, cells))
    # one blank stands between two cells
    cells_in_row = max((columns + 1) // (width + 1), 1)
    rows: list[list[_Span]] = []
    for start in range(0, len(cells), cells_in_row):
        row: list[_Span] = []
        for cell in cells[start : start + cells_in_row]:
            padding = " " * (width - _spans_width(cell))
            row += [(" ", PLAIN)] if row else []
            row += [*cell[:-1], (padding, PLAIN), cell[-1]]
        rows.append(_cut(row, columns))
    return rows


def _task_spans(task: ActiveTask) -> list[_Span]:
    spans: list[_Span] = [("[", LABEL), *_time_spans(task.elapsed_s), ("]", LABEL), ("[", LABEL)]
    for position, word in enumerate(task.name.split(":")):
        spans += [(":", LABEL)] if position else []
        spans.append((word, VALUE))
    if task.current is not None:
        spans += [(":", LABEL), (str(task.current), VALUE)]
        if task.maximum is not None:
            spans += [("/", LABEL), (str(task.maximum), VALUE)]
    spans.append(("]", LABEL))
    return spans


def _time_spans(elapsed_s: float) -> list[_Span]:
    hours, minutes, seconds = format_duration(elapsed_s).split(":")
    return [(hours, VALUE), (":", LABEL), (minutes, VALUE), (":", LABEL), (seconds, VALUE)]


def _center(spans: list[_Span], fill: str, columns: int) -> list[_Span]:
    side = fill * max((columns - _spans_width(spans) - 2) // 2, 0)
    if not side:
        return _cut(spans, columns)
    if fill == " ":  # nothing to see on the right
        return [(f"{side} ", PLAIN), *spans]
    return [(side, LABEL), (" ", PLAIN), *spans, (" ", PLAIN), (side, LABEL)]


def _cut(spans: list[_Span], columns: int) -> list[_Span]:
    """As much of SPANS as stands in a line: a line that wraps could not be erased."""
    kept: list[_Span] = []
    for text, profile in spans:
        kept.append((text[:columns], profile))
        columns -= len(text)
        if columns <= 0:
            break
    return kept


def _spans_width(spans: Sequence[_Span]) -> int:
    return sum([len(text) for text, _ in spans])


def format_size(size_bytes: int) -> str:
    """SIZE_BYTES with one decimal and a unit, e.g. `181.6G`."""
    size = float(size_bytes)
    unit = _SIZE_UNITS[0]
    for unit in _SIZE_UNITS:
        if size < 1024 or unit == _SIZE_UNITS[-1]:
            break
        size /= 1024
    return f"{size:.1f}{unit}"
