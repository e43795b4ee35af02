"""Error epilogues and notifications."""

import pytest

from buildstream._exceptions import BstError, StreamError
from buildstream._ui.errors import render_error
from buildstream._ui.notify import notification_sequence


@pytest.mark.parametrize(
    ("error", "prefix", "text"),
    [
        (BstError("no"), "", "\nno\n"),
        (BstError("no", detail="a\n\nb"), "", "\nno\n\n    a\n    \n    b\n"),
        (BstError("no"), "Error loading project", "\nError loading project: no\n"),
        (StreamError(), "", "\n\n"),  # failed tasks have been told before
    ],
)
def test_epilogue(error: BstError, prefix: str, text: str) -> None:
    assert render_error(error, prefix=prefix) == text


def test_debug_shows_the_traceback() -> None:
    try:
        raise BstError("no")
    except BstError as error:
        text = render_error(error, prefix="x", debug=True)
    assert text.startswith("\n\n\nTraceback (most recent call last):\n")
    assert text.endswith("BstError: no\n\n")


@pytest.mark.parametrize(
    ("environment", "is_shown"),
    [
        ({"TERM": "xterm-256color", "VTE_VERSION": "4600"}, True),
        ({"TERM": "vte", "VTE_VERSION": "7000"}, True),
        ({"TERM": "xterm", "VTE_VERSION": "4599"}, False),
        ({"TERM": "xterm", "VTE_VERSION": "x"}, False),
        ({"TERM": "xterm"}, False),
        ({"TERM": "screen", "VTE_VERSION": "7000"}, False),
        ({}, False),
    ],
)
def test_notification(environment: dict[str, str], is_shown: bool) -> None:
    sequence = "\033]777;notify;Build succeeded;done\a\n" if is_shown else ""
    assert notification_sequence("Build succeeded", "done", environment) == sequence
