"""The entry point, and the command `bst` with its global options."""

import gc
import os
import sys
from typing import TextIO

_PROGRAM = "bst"


def run() -> None:
    """Runs the program with the arguments and the environment of the process.

    Raises:
        SystemExit: With the exit status, unless it is zero.
    """
    # importing and loading make hardly any garbage: looking for it that often took 5 % of short commands
    gc.set_threshold(50_000)
    if "_BST_COMPLETION" in os.environ:
        from .completion import complete

        complete(os.environ)
        return
    if sys.argv[1:] == ["--version"]:
        # needs no parser; tools ask for it often
        from .._version import __version__

        print(__version__)  # noqa: T201 - a result
        return
    blocked = _non_blocking_stream()
    if blocked is not None:
        sys.stderr.write(
            f"{blocked} is currently set to O_NONBLOCK, opening a new shell may fix this issue\n"
        )
        sys.exit(255)
    try:
        from .tree import bst
    except KeyboardInterrupt:  # later ones are treated the same way by the parser
        sys.stderr.write("\nAborted!\n")
        sys.exit(1)
    try:
        bst.main(prog_name=_PROGRAM)
    finally:
        # CPython ends itself by SIGINT at its exit, also after a KeyboardInterrupt was dealt with, if that
        # came up in a text it was executing, as dataclasses are made; the next execution makes it forget
        exec("")  # noqa: S102


def _non_blocking_stream() -> str | None:
    """The name of an output stream that would lose text because it does not wait for its reader."""
    import fcntl

    streams: list[TextIO | None] = [sys.stdout, sys.stderr]
    for stream in streams:
        if stream is None:
            continue
        try:
            flags = fcntl.fcntl(stream.fileno(), fcntl.F_GETFL)
        except (OSError, ValueError):
            continue  # closed, or not a file
        if flags & os.O_NONBLOCK:
            return stream.name
    return None
