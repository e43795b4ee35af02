"""What the server tells its administrator."""

import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TextIO

Log = Callable[[str], None]  # takes one line


def line_log(stream: TextIO | None = None) -> Log:
    """Writes each line with its time to STREAM, or to the standard error; may be called from any thread."""
    lock = threading.Lock()

    def log(text: str) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{now} {''.join(c if c.isprintable() else '?' for c in text)}\n"
        with lock:
            target = stream or sys.stderr
            target.write(line)
            target.flush()

    return log
