"""Work that goes on in a thread while a block of code runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def in_background(name: str, work: Callable[[Event], None]) -> Iterator[None]:
    """The block beside which WORK runs, in a thread called NAME.

    WORK gets an event that is set at the end of the block, which then waits for it: it has
    to return soon.
    """
    ended = Event()
    thread = Thread(target=work, args=(ended,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
