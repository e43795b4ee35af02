"""What the console shows, and when."""

import io

import pytest

from buildstream._messenger import Messenger
from buildstream._model.message import Message, MessageType
from buildstream._model.session import ActiveTask, QueueTally, SessionStatus, SessionSummary
from buildstream._ui.console import Console
from buildstream._ui.logline import LogOptions
from buildstream._ui.statusbar import StatusBar, TerminalCapabilities
from buildstream._ui.style import choose_paint

from .samples import BASE, BROKEN, FakeClock
from .test_session_reports import ELEMENT_FORMAT, HEADING, HEADING_TEXT

FORMAT = "%{action}%{message}"
STATUS = SessionStatus(1.0, "demo", 1, 1, (), None, (ActiveTask("Build:a.bst", 1.0),))


def make_options(*, verbose: bool = True, debug: bool = False) -> LogOptions:
    return LogOptions("/logs", message_format=FORMAT, verbose=verbose, debug=debug)


@pytest.mark.parametrize(
    ("options", "hidden"),
    [
        (make_options(), {MessageType.DEBUG, MessageType.LOG}),
        (make_options(verbose=False), {MessageType.DEBUG, MessageType.LOG, MessageType.STATUS}),
        (make_options(debug=True), {MessageType.LOG}),
    ],
)
def test_visibility(options: LogOptions, hidden: set[MessageType]) -> None:
    stream = io.StringIO()
    console = Console(stream, options, colors=False)
    for kind in MessageType:
        console.handle(Message(kind, "x"))
    shown = {kind for kind in MessageType if f"{kind.value.upper():<7}x\n" in stream.getvalue()}
    assert shown == set(MessageType) - hidden


def test_gathered_lines_are_shown_together_but_failures_at_once() -> None:
    stream = io.StringIO()
    console = Console(stream, make_options(), colors=False)
    with console.gather():
        console.handle(Message(MessageType.INFO, "one"))
        assert not stream.getvalue()
        console.handle(Message(MessageType.FAIL, "two"))
        assert stream.getvalue() == "INFO   one\nFAILUREtwo\n"
        console.handle(Message(MessageType.INFO, "three"))
        console.handle(Message(MessageType.INFO, "four"))
        assert "three" not in stream.getvalue()
    assert stream.getvalue().endswith("INFO   three\nINFO   four\n")
    console.handle(Message(MessageType.INFO, "five"))
    assert stream.getvalue().endswith("five\n")


def test_throttled_lines_wait_for_the_tick_or_a_failure() -> None:
    stream, log_file = io.StringIO(), io.StringIO()
    console = Console(stream, make_options(), colors=True, log_file=log_file, throttled=True)
    console.handle(Message(MessageType.INFO, "before"))
    assert "before" in stream.getvalue()
    with console.session(lambda: None):
        console.handle(Message(MessageType.INFO, "one"))
        assert "one" not in stream.getvalue()
        assert log_file.getvalue() == "INFO   before\nINFO   one\n"
        console.tick()
        assert stream.getvalue().endswith("one\n")
        console.handle(Message(MessageType.INFO, "two"))
        console.handle(Message(MessageType.FAIL, "three"))
        assert stream.getvalue().endswith("three\n")
        console.handle(Message(MessageType.INFO, "four"))
    assert stream.getvalue().endswith("four\n")


def test_lines_wait_while_somebody_else_has_the_terminal() -> None:
    stream = io.StringIO()
    console = Console(stream, make_options(), colors=False)
    with console.hold():
        console.handle(Message(MessageType.FAIL, "late"))
        console.tick()
        assert stream.getvalue() == ""
    assert stream.getvalue() == "FAILURElate\n"


def test_heading_and_summary_go_to_the_log_file_without_colours() -> None:
    # the summary repeats the last failure of the element, not an earlier one
    stream, log_file = io.StringIO(), io.StringIO()
    console = Console(stream, make_options(), colors=True, log_file=log_file)
    console.show_heading(HEADING, ELEMENT_FORMAT)
    assert log_file.getvalue() == HEADING_TEXT
    assert "\033[" in stream.getvalue()
    console.handle(Message(MessageType.FAIL, "first", element=BASE, task_element=BROKEN))
    console.handle(Message(MessageType.FAIL, "last", element=BROKEN))
    log_file.truncate(log_file.seek(0))
    console.show_summary(
        SessionSummary(1, 1, (QueueTally("Build", "Built", 0, 0, 1),), failed=("broken.bst",)), ELEMENT_FORMAT
    )
    assert log_file.getvalue() == (
        "\nFailure Summary\n    broken.bst:\n    FAILURElast\n\n"
        "Pipeline Summary\n    Total:       1\n    Session:     1\n"
        "    Build Queue: processed 0, skipped 0, failed 1 \n"
    )


def test_text_for_the_person_is_not_copied_to_the_log_file() -> None:
    stream, log_file = io.StringIO(), io.StringIO()
    Console(stream, make_options(), colors=False, log_file=log_file).show_text("\nsorry\n")
    assert (stream.getvalue(), log_file.getvalue()) == ("\nsorry\n", "")


class BrokenStream(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_output_that_nobody_reads_does_not_end_the_job() -> None:
    log_file = io.StringIO()
    console = Console(BrokenStream(), make_options(), colors=False, log_file=log_file)
    console.handle(Message(MessageType.INFO, "one"))
    console.handle(Message(MessageType.INFO, "two"))
    assert console.is_broken
    assert log_file.getvalue() == "INFO   one\nINFO   two\n"


def make_bar() -> StatusBar:
    capabilities = TerminalCapabilities("<start>", "<up>", "<clear>")
    return StatusBar(capabilities, lambda: (80, 24), paint=choose_paint(colors=False))


def test_status_bar_is_erased_before_and_drawn_after_each_batch() -> None:
    stream = io.StringIO()
    console = Console(stream, make_options(), colors=False, status_bar=make_bar())
    with console.session(lambda: STATUS):
        console.tick()
        stream.truncate(stream.seek(0))
        console.handle(Message(MessageType.INFO, "line"))
        text = stream.getvalue()
        assert text.startswith(
            "<start><up><clear>" * 4 + "INFO   line\n\n\n\n\n" + "<start><up>" * 4 + "===="
        )
        stream.truncate(stream.seek(0))
    assert stream.getvalue() == "<start><up><clear>" * 4


def test_long_simple_task_is_drawn_until_its_next_message() -> None:
    stream, clock = io.StringIO(), FakeClock()
    console = Console(stream, make_options(), colors=False, status_bar=make_bar())
    messenger = Messenger(console.handle, clock, on_progress=console.show_progress)
    with messenger.simple_task("Loading elements") as task:
        task.advance()
        assert "Loading elements:" not in stream.getvalue()
        clock.now_s += 2
        task.advance()
        assert stream.getvalue().endswith("\n<start><up>[00:00:02][Loading elements:2]\n")
        drawn = stream.getvalue()
        task.advance()
        assert stream.getvalue() == drawn, "drawn again too soon"
    assert stream.getvalue().endswith("]\n<start><up><clear>SUCCESSLoading elements\n")
