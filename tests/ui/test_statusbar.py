"""The status bar on wide and narrow terminals."""

import dataclasses
import os

import pytest

from buildstream._model.session import ActiveTask, CacheUsage, QueueTally, SessionStatus
from buildstream._ui.statusbar import StatusBar, TerminalCapabilities, find_capabilities, format_size
from buildstream._ui.style import choose_paint

UP = "\033[1G\033[A"
CLEAR = "\033[K"
CAPABILITIES = TerminalCapabilities("\033[1G", "\033[A", "\033[K")
STATUS = SessionStatus(
    elapsed_s=21.9,
    project="demo",
    session=7,
    total=7,
    queues=(
        QueueTally("Fetch", "Sources Fetched", 0, 7, 0),
        QueueTally("Build", "Built", 3, 1, 0),
    ),
    cache=CacheUsage(int(185.4 * 2**30), int(239.4 * 2**30)),
    tasks=(
        ActiveTask("Build:slow4.bst", 21.0),
        ActiveTask("Build:slow5.bst", 1.0),
        ActiveTask("Build:slow6.bst", 0.0),
    ),
)
FRAME = """\
{fill} 00:00:21 demo (7/7) {fill}
                                         (Sources Fetched:0 7 0)→ (Built:3 1 0)
                                       ~~~~~~ cache: 185.4G / 239.4G (77%) ~~~~~~
[00:00:21][Build:slow4.bst] [00:00:01][Build:slow5.bst] [00:00:00][Build:slow6.bst]
""".replace("{fill}", "=" * 49)


def draw(status: SessionStatus, columns: int, rows: int = 40, *, colors: bool = False) -> str:
    bar = StatusBar(CAPABILITIES, lambda: (columns, rows), paint=choose_paint(colors=colors))
    return bar.draw(status).replace(CLEAR, "")


def test_frame_of_120_columns() -> None:
    text = draw(STATUS, 120)
    assert text.startswith("\n" * 4 + UP * 4)
    lines = [line.rstrip() for line in text.removeprefix("\n" * 4 + UP * 4).splitlines()]
    assert lines == FRAME.splitlines()


def test_erasing_removes_what_was_drawn_once() -> None:
    bar = StatusBar(CAPABILITIES, lambda: (120, 40), paint=choose_paint(colors=False))
    bar.draw(STATUS)
    assert bar.erase() == f"{UP}{CLEAR}" * 4
    assert bar.erase() == ""


def test_redrawing_overwrites_in_place() -> None:
    bar = StatusBar(CAPABILITIES, lambda: (119, 40), paint=choose_paint(colors=False))
    # the title takes 119 columns
    first = bar.draw(STATUS)
    # no line is made empty before it is written again; clearing would take the last character of a full line
    again = bar.draw(STATUS)
    assert again.replace(CLEAR, "") == first.removeprefix("\n" * 4)
    assert [line.endswith(CLEAR) for line in again.splitlines()] == [False, True, True, True]
    # the lines that are left over are
    fewer = bar.draw(dataclasses.replace(STATUS, tasks=STATUS.tasks[:1]))
    assert fewer.count("\n") == 4


def test_wrapped_lines_are_erased_after_the_terminal_became_narrower() -> None:
    size = [120]
    bar = StatusBar(CAPABILITIES, lambda: (size[0], 40), paint=choose_paint(colors=False))
    bar.draw(STATUS)
    size[0] = 60
    # the lines are 120, 83, 82 and 83 columns wide
    assert bar.erase() == f"{UP}{CLEAR}" * 8


@pytest.mark.parametrize("columns", [1, 7, 20, 27, 28, 55, 79, 80])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    # a line that wraps could not be erased
    lines = draw(STATUS, columns).replace(UP, "").splitlines()
    assert max(map(len, lines)) <= columns


def test_no_more_lines_than_the_terminal_has() -> None:
    tasks = tuple(ActiveTask(f"Build:{number}.bst", 0.0) for number in range(100))
    text = draw(SessionStatus(0.0, "demo", 1, 1, (), None, tasks), 30, rows=10)
    assert text.startswith("\n" * 9 + UP * 9 + "=")
    assert text.replace(UP, "").count("\n") == 18


def test_cells_stand_in_columns_and_show_progress() -> None:
    tasks = (
        ActiveTask("Fetch:a.bst", 1.0, current=3),
        ActiveTask("Build:long-name.bst", 2.0, current=3, maximum=10),
        ActiveTask("Track:b.bst", 3.0),
    )
    text = draw(SessionStatus(0.0, "demo", 1, 1, (), None, tasks), 80)
    assert text.endswith(
        "[00:00:01][Fetch:a.bst:3           ] [00:00:02][Build:long-name.bst:3/10]\n"
        "[00:00:03][Track:b.bst             ]\n"
    )


def test_nothing_is_drawn_without_tasks() -> None:
    assert draw(SessionStatus(0.0, "demo", 1, 1, (), None, ()), 80) == ""


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (CacheUsage(10), "\033[36m\033[2m: \033[0m\033[32m10.0B\033[0m"),
        (CacheUsage(79, 100), "\033[32m79.0B / 100.0B (79%)"),
        (CacheUsage(80, 100), "\033[33m80.0B"),
        (CacheUsage(95, 100), "\033[31m95.0B"),
    ],
)
def test_cache_usage_is_coloured_by_how_full_it_is(usage: CacheUsage, text: str) -> None:
    status = SessionStatus(0.0, "demo", 1, 1, (), usage, (ActiveTask("Build:a.bst", 0.0),))
    assert text in draw(status, 80, colors=True)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0.0B"), (1536, "1.5K"), (int(181.6 * 2**30), "181.6G"), (2**60, "1048576.0T")],
)
def test_format_size(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


def test_terminals_without_the_capabilities_have_no_status_bar() -> None:
    with open(os.devnull, "wb") as null:
        assert find_capabilities("no-such-terminal", null.fileno()) is None


def test_time_left_follows_the_counts() -> None:
    status = dataclasses.replace(STATUS, left_s=3725.9)
    assert " 00:00:21 demo (7/7) about 01:02:05 left " in draw(status, 120)
    assert " left " not in draw(STATUS, 120)
