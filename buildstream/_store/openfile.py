"""Files of a directory, opened like those of the host."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

_READING_MODES = frozenset(("r", "rb"))
_WRITING_MODES = frozenset(("w", "wb", "w+", "w+b", "x", "xb", "x+", "x+b"))


def check_mode(mode: str) -> None:
    """Raises ValueError unless MODE is one that directories support."""
    if mode not in _READING_MODES | _WRITING_MODES:
        raise ValueError(f"Unsupported mode: `{mode}`")


def is_reading(mode: str) -> bool:
    """Whether an existing file is to be read."""
    return mode in _READING_MODES


def open_host_file(path: str, mode: str) -> IO[Any]:
    """Opens a host file; text is UTF-8."""
    return open(path, mode, encoding=None if "b" in mode else "utf-8")


@contextmanager
def new_host_file(path: str, mode: str) -> Iterator[IO[Any]]:
    """Creates the host file PATH for the body, which deletes it in the end unless it is gone by then.

    Its `name` is PATH and its mode 0644, so that the body can make it executable.
    """
    file = open_host_file(path, mode.replace("w", "x"))
    try:
        os.fchmod(file.fileno(), 0o644)
        with file:
            yield file
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
