"""Colours: what starts a colour, which one belongs to what, and a painter that applies them or not."""

from collections.abc import Callable
from typing import NewType

from .._model.elementrow import DisplayState
from .._model.message import MessageType

Profile = NewType("Profile", str)  # the sequence that starts a colour
Paint = Callable[[str, Profile], str]

_RESET = "\033[0m"

PLAIN = Profile("")  # no colour; closed by a reset all the same, as BuildStream 2.8 does
TITLE = Profile("\033[33m\033[1m")
TITLE_PUNCTUATION = Profile("\033[36m\033[1m\033[2m")
LABEL = Profile("\033[36m\033[2m")  # labels, fills and punctuation
VALUE = Profile("\033[33m")
FAINT_VALUE = Profile("\033[33m\033[2m")  # paths of logs, keys that are not the strict key
STRICT_KEY = Profile("\033[33m\033[22m")
NAME = Profile("\033[34m\033[1m")
KIND = Profile("\033[36m")
DETAIL = Profile("\033[2m")
ERROR_DETAIL = Profile("\033[31m\033[1m\033[2m")
ERROR_NOTE = Profile("\033[31m\033[2m")
PROCESSED = Profile("\033[32m")
SKIPPED = Profile("\033[33m")
FAILED = ERROR_NOTE
CACHE_FINE = Profile("\033[32m")
CACHE_HIGH = Profile("\033[33m")
CACHE_FULL = Profile("\033[31m")

STATE_PROFILES = {
    DisplayState.NO_REFERENCE: Profile("\033[31m"),
    DisplayState.JUNCTION: Profile("\033[35m"),
    DisplayState.WAITING: Profile("\033[34m"),
    DisplayState.FAILED: Profile("\033[31m"),
    DisplayState.CACHED: Profile("\033[35m"),
    DisplayState.FETCH_NEEDED: Profile("\033[31m"),
    DisplayState.BUILDABLE: Profile("\033[32m"),
    DisplayState.AVAILABLE: Profile("\033[32m"),
    DisplayState.NOT_CACHED: Profile("\033[91m"),
}

ACTION_PROFILES = {
    MessageType.DEBUG: Profile("\033[36m\033[1m\033[2m"),
    MessageType.STATUS: Profile("\033[36m\033[1m\033[2m"),
    MessageType.INFO: Profile("\033[35m\033[1m\033[2m"),
    MessageType.WARN: Profile("\033[33m\033[1m\033[2m"),
    MessageType.START: Profile("\033[34m\033[1m\033[2m"),
    MessageType.SUCCESS: Profile("\033[32m\033[1m\033[2m"),
    MessageType.SKIPPED: Profile("\033[33m\033[1m\033[2m"),
    MessageType.FAIL: ERROR_DETAIL,
    MessageType.ERROR: ERROR_DETAIL,
    MessageType.BUG: ERROR_DETAIL,
    MessageType.LOG: PLAIN,
}


def paint(text: str, profile: Profile) -> str:
    """TEXT in colour."""
    return f"{profile}{text}{_RESET}"


def leave_plain(text: str, _profile: Profile) -> str:
    """TEXT as it is."""
    return text


def choose_paint(*, colors: bool) -> Paint:
    """The painter for a stream that shows colours, or for one that does not."""
    return paint if colors else leave_plain


def key_profile(*, is_strict: bool) -> Profile:
    """How a cache key is shown."""
    return STRICT_KEY if is_strict else FAINT_VALUE
