"""Broken inputs: a table of small projects, the commands that trip over them, and the error each must give.

A case is a mapping in one of the files `errors/*.yaml`:

    id          unique in its file
    project     lines added to a project.conf that has but a name and a min-version
    element     text of a.bst; without it a.bst is an empty element of kind manual
    files       path to text of further files; null leaves out one of the two above
    symlinks    path to target of symbolic links
    fifos       paths of named pipes
    argv        arguments; `show a.bst` if absent
    error       domain and reason (a LoadErrorReason, the reason's text, or `-` for none)
    at          the place that the message of BuildStream 2.8 names first, if it names one
    instead     what BuildStream 2.8 does where it gives no orderly error: `crashes`, `takes it` or what it says
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.vectors.recording import VECTORS

PROJECT_CONF = "name: test\nmin-version: 2.0\n"
ELEMENT = "kind: manual\n"

_PLACE = re.compile(r"([^\s\[\]'\"(]*) \[(line \d+ column \d+|synthetic node)\]")
_LOG_LINE = re.compile(r"\[[-\d:]{8}\]")


@dataclass(frozen=True, slots=True)
class ErrorCase:
    """One broken input and the error that it must give."""

    identifier: str
    """File and id, as `options/unknown-type`."""
    files: dict[str, str]
    symlinks: dict[str, str]
    fifos: tuple[str, ...]
    arguments: tuple[str, ...]
    domain: str
    reason: str | None
    place: str | None
    """`FILE [line L column C]` if the message must name one."""

    def lay_out(self, directory: Path) -> None:
        """Writes the files of the case into a directory."""
        for name, text in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        for name, target in self.symlinks.items():
            (directory / name).symlink_to(target)
        for name in self.fifos:
            os.mkfifo(directory / name)


def first_place(stderr: str) -> str | None:
    """The first place that an error message names; log lines are not looked at."""
    message = "\n".join(line for line in stderr.splitlines() if not _LOG_LINE.match(line))
    found = _PLACE.search(message)
    return found.group(0).strip() if found else None


def load_error_cases() -> list[ErrorCase]:
    """All cases, by file and in file order."""
    return [
        _case_from_mapping(path.stem, mapping)
        for path in sorted((VECTORS / "errors").glob("*.yaml"))
        for mapping in yaml.load(
            path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
    ]


def _case_from_mapping(stem: str, mapping: dict[str, Any]) -> ErrorCase:
    texts = {
        "project.conf": PROJECT_CONF + mapping.get("project", ""),
        "a.bst": mapping.get("element", ELEMENT),
        **mapping.get("files", {}),
    }
    domain, reason = mapping["error"].split()
    return ErrorCase(
        identifier=f"{stem}/{mapping['id']}",
        files={name: text for name, text in texts.items() if text is not None},
        symlinks=mapping.get("symlinks", {}),
        fifos=tuple(mapping.get("fifos", ())),
        arguments=tuple(mapping.get("argv", ("show", "a.bst"))),
        domain=domain,
        reason=None if reason == "-" else reason,
        place=mapping.get("at"),
    )
