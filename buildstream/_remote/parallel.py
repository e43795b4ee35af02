"""Several parts of one transfer at a time."""

import threading
from collections.abc import Callable, Sequence

from .retry import Cancellation

Part = Callable[[], None]


def run_parts(parts: Sequence[Part], width: int, cancellation: Cancellation) -> None:
    """Calls every one of PARTS, at most WIDTH at a time.

    After a failure no further part is begun; those that run are waited for.
    The calling thread does the first one and then its share, so that a single part costs no thread.

    Raises:
        BaseException: The first that a part raised.
    """
    if not parts:
        return
    waiting = iter(parts[1:])
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work(part: Part | None = None) -> None:
        while not failures and not cancellation.event.is_set():
            if part is None:
                with lock:
                    part = next(waiting, None)
            if part is None:
                return
            try:
                part()
            except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
                failures.append(error)
            part = None

    threads = [
        threading.Thread(target=work, name="transfer", daemon=True) for _ in range(min(width, len(parts)) - 1)
    ]
    for thread in threads:
        thread.start()
    work(parts[0])
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    cancellation.check()
