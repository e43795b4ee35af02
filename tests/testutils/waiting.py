"""Waiting for what other processes do."""

import os
import time
from collections.abc import Callable

PATIENCE_S = 120.0  # a machine that does much else may take long


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns when CONDITION is true; fails after a long time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        os.sched_yield()
