"""Amounts of disk space and percentages, as the user configuration writes them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import Node
from .values import DiskShare

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT%]?)", re.ASCII)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SIZE_ADVICE = (
    "Please specify the value in bytes or as a % of full disk space.\n\nValid values are, for example: "
)


def disk_share_from_text(text: str, examples: str) -> DiskShare:
    """The amount that TEXT gives; EXAMPLES are for the error message."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise LoadError(
            f"{text} is not a valid data size.\n{SIZE_ADVICE}{examples}", LoadErrorReason.INVALID_DATA
        )
    number = float(match[1])
    if match[2] != "%":
        return DiskShare(size_bytes=int(number * _SIZE_UNITS[match[2]]), percent=None)
    if number > 100:
        raise LoadError(
            f"{number}% is not a valid percentage value.\n{SIZE_ADVICE}{examples}",
            LoadErrorReason.INVALID_DATA,
        )
    return DiskShare(size_bytes=None, percent=number)


def watermark_from_text(text: str) -> float:
    """The percentage that TEXT gives."""
    advice = "Please specify the value as a % of the cache quota."
    try:
        if not text.endswith("%"):
            raise ValueError
        percent = float(text[:-1])
    except ValueError:
        raise LoadError(
            f"{text} is not a valid percentage.\n{advice}", LoadErrorReason.INVALID_DATA
        ) from None
    if not 0 <= percent <= 100:
        raise LoadError(f"{text} is not between 0% and 100%.\n{advice}", LoadErrorReason.INVALID_DATA)
    return percent


@contextmanager
def located(node: Node) -> Iterator[None]:
    """The block in which NODE is interpreted: errors say where it is."""
    try:
        yield
    except LoadError as error:
        raise invalid(node, str(error)) from error


def invalid(node: Node, text: str) -> LoadError:
    """An error that says where NODE is."""
    return LoadError(f"{node.get_provenance()}: {text}", LoadErrorReason.INVALID_DATA)
