"""The format of log lines, as section `logging` of the user configuration gives it."""

import re

#: What may stand in it between `%{` and `}`.
TOKENS = frozenset(
    {"elapsed", "elapsed-us", "wallclock", "wallclock-us", "key", "element", "action", "message"}
)


class MessageFormatError(Exception):
    """Raised where a format can't be understood; the text says why."""


def split_message_format(message_format: str) -> list[tuple[str, str | None]]:
    """MESSAGE_FORMAT as pairs of literal text and None, or of "" and the name of a token.

    Raises:
        MessageFormatError: A percent sign begins neither `%%` nor `%{token}`, or there is no such token.
    """
    segments: list[tuple[str, str | None]] = []
    literal = ""
    position = 0
    for match in re.finditer(r"%(?:(%)|\{([^}]*)\})?", message_format):
        literal += message_format[position : match.start()]
        position = match.end()
        if match.group(1) is not None:
            literal += "%"
            continue
        token = match.group(2)
        if token is None:
            rest = message_format[match.start() :]
            raise MessageFormatError(f"'{rest}' could not be parsed into a valid logging format.")
        if token not in TOKENS:
            raise MessageFormatError(f"'{token}' is not a valid log variable name.")
        if literal:
            segments.append((literal, None))
            literal = ""
        segments.append(("", token))
    literal += message_format[position:]
    if literal:
        segments.append((literal, None))
    return segments
