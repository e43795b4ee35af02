"""Staging of dependencies at several places of a sandbox, for build and script elements."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .element import Element
    from .sandbox import Sandbox

Layout = dict[str, list[tuple["Element", str]]]
"""Location in the sandbox -> (dependency, dependency as written), in dependency order."""


def add_to_layout(layout: Layout, element: "Element", path: str, location: str) -> None:
    """Adds ELEMENT, which was written as PATH, to those staged at LOCATION."""
    layout.setdefault(location, []).append((element, path))


def layout_key(layout: Layout) -> dict[str, list[str]]:
    """LAYOUT as it enters cache keys: location -> dependencies as written."""
    return {location: [path for _, path in entries] for location, entries in layout.items()}


def stage_layout(owner: "Element", sandbox: "Sandbox", layout: Layout) -> None:
    """Stages what OWNER wants at each location, with what it needs at run time, then integrates the root."""
    for location in sorted(layout):
        with owner.timed_activity(f"Staging dependencies at: {location}", silent_nested=True):
            owner.stage_dependency_artifacts(sandbox, _elements(layout, location), path=location)
    if os.sep in layout:
        with owner.timed_activity("Integrating sandbox", silent_nested=True), sandbox.batch():
            for element in owner.dependencies(_elements(layout, os.sep)):
                element.integrate(sandbox)


def run_commands(sandbox: "Sandbox", commands: Sequence[str], *, root_read_only: bool) -> None:
    """Runs each of COMMANDS in a shell of its own that stops at the first error."""
    for command in commands:
        sandbox.run(["sh", "-c", "-e", command + "\n"], root_read_only=root_read_only, label=command)


def script_from_commands(groups: Mapping[str, Sequence[str]]) -> str:
    """Shell text that runs the commands of all GROUPS, in order, and stops at the first error."""
    return "".join(
        f"(set -ex; {command}\n) || exit 1\n" for commands in groups.values() for command in commands
    )


def _elements(layout: Layout, location: str) -> "list[Element]":
    return [element for element, _ in layout[location]]
