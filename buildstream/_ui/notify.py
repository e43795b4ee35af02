"""Desktop notifications, through terminals that can pass them on."""

from collections.abc import Mapping

# the first release of the VTE library with notifications
_FIRST_VTE_VERSION = 4600


def notification_sequence(title: str, text: str, environment: Mapping[str, str]) -> str:
    """What to write to the terminal, or "" if it shows no notifications.

    ENVIRONMENT is the process environment, whose TERM and VTE_VERSION tell.
    """
    if not environment.get("TERM", "").startswith(("xterm", "vte")):
        return ""
    try:
        version = int(environment.get("VTE_VERSION", ""))
    except ValueError:
        return ""
    if version < _FIRST_VTE_VERSION:
        return ""
    return f"\033]777;notify;{title};{text}\a\n"
