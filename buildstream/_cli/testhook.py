"""Lets the test suite see the machine-readable side of errors that end a command."""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._exceptions import BstError


def record_errors(
    environment: Mapping[str, str], *, main: "BstError | None", task: "BstError | None"
) -> None:
    """Writes domain and reason of both errors as JSON to the file that BST_TEST_ERROR_FILE names.

    Does nothing outside the test suite, that is, without BST_TEST_SUITE.
    """
    path = environment.get("BST_TEST_ERROR_FILE")
    if path is None or "BST_TEST_SUITE" not in environment:
        return
    import json

    with open(path, "w", encoding="utf-8") as file:
        json.dump({"main": _identity(main), "task": _identity(task)}, file)


def _identity(error: "BstError | None") -> dict[str, str | None] | None:
    if error is None:
        return None
    reason = error.reason.name if isinstance(error.reason, Enum) else error.reason
    return {
        "domain": error.domain.name if error.domain is not None else None,
        "reason": str(reason) if reason is not None else None,
    }
