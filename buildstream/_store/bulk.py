"""Storing many small files with several processes.

The interpreter takes longer than the system for each of them, and threads have to share it: two
threads are slower than one.  50,000 files take 3.8 s one after the other, and 2.1 s with two
processes on two processors.
"""

import marshal
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, cast

from .layout import MTIME_NS, StoreLayout
from .storeworker import Stored

if TYPE_CHECKING:
    from subprocess import Popen

WORTHWHILE = 4_000  # files; with fewer, starting processes takes longer than they save
_MOST_PROCESSES = 8
_MOST_BYTES = 256 * 1024  # of a file; hashing larger ones takes threads no longer
_PROGRAM = os.path.join(os.path.dirname(__file__), "storeworker.py")


def store_files(layout: StoreLayout, paths: Sequence[str]) -> list[Stored | None]:
    """Stores the files at PATHS, as far as they are small and nothing is in the way.

    Returns:
        For each path what `storeworker` tells; None where the caller has to look itself,
        such as for large and empty files, and for errors.
    """
    count = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
    if count < 2 or not sys.executable:
        return [None] * len(paths)
    share = -(-len(paths) // count)
    shares = [paths[start : start + share] for start in range(0, len(paths), share)]
    with ExitStack() as stack:
        workers = [_start(stack, layout, each) for each in shares]
        return list(chain.from_iterable(map(_answer, workers, shares)))


def _start(stack: ExitStack, layout: StoreLayout, paths: Sequence[str]) -> "Popen[bytes]":
    from subprocess import DEVNULL, PIPE, Popen

    worker = stack.enter_context(
        Popen(
            [sys.executable, "-I", "-S", _PROGRAM],
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # an interrupt is for the caller, who ends this one
        )
    )
    stack.callback(worker.kill)  # unless it has ended
    assert worker.stdin is not None, "it is a pipe"
    # a name of its own, with the number at the end: see `is_temporary_name`
    temporary = layout.new_path(layout.incoming) + "0"
    try:
        marshal.dump((layout.objects, temporary, MTIME_NS, _MOST_BYTES, list(paths)), worker.stdin)
        worker.stdin.close()
    except BrokenPipeError:
        pass  # it ended at once: so there will be no answer
    return worker


def _answer(worker: "Popen[bytes]", paths: Sequence[str]) -> list[Stored | None]:
    """What WORKER tells of PATHS; nothing if it died."""
    assert worker.stdout is not None, "it is a pipe"
    try:
        results = marshal.load(worker.stdout)  # noqa: S302 - our own program's
    except (EOFError, ValueError, TypeError):
        return [None] * len(paths)
    return cast("list[Stored | None]", results)
