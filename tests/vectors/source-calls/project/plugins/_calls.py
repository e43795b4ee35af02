"""Writes down what is called, in which order and with what."""

import json
import os
from typing import Any

_ROOTS = {"PROJECT_ROOT": "PROJECT", "CACHE_ROOT": "CACHE"}


def note(who: str, *what: Any) -> None:
    """Appends a line to the file that the environment names, without paths of this machine."""
    line = json.dumps([who, *what])
    for variable, name in _ROOTS.items():
        line = line.replace(os.environ[variable], name)
    with open(os.environ["CALLS_FILE"], "a", encoding="utf-8") as file:
        file.write(line + "\n")
