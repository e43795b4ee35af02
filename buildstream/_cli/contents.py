"""The report of `bst artifact list-contents`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._ui.style import LABEL, VALUE, Paint

if TYPE_CHECKING:
    from .._commands.artifact_list_contents import ArtifactContents, ContentEntry

# artifacts record no more of a mode than this
_MODES = {"dir": "drwxr-xr-x", "exe": "-rwxr-xr-x", "reg": "-rw-r--r--", "link": "lrwxrwxrwx"}


def render_contents(artifacts: "Iterable[ArtifactContents]", *, paint: Paint, is_long: bool) -> str:
    """Each artifact's name and its entries, one a line, and an empty line at the end."""
    lines = []
    for artifact in artifacts:
        lines.append(f"  {paint(f'{artifact.name}:', LABEL)}\n")
        if not artifact.entries:
            lines.append("\tThis element has no associated artifacts\n")
        else:
            lines += [f"\t{paint(_entry(entry, is_long=is_long), VALUE)}\n" for entry in artifact.entries]
    return "".join([*lines, "\n"])


def _entry(entry: "ContentEntry", *, is_long: bool) -> str:
    if not is_long:
        return entry.path
    target = f" -> {entry.target}" if entry.target is not None else ""
    return f"{_MODES[entry.kind]}  {entry.kind:<7}{entry.size:<11} {entry.path}{target}"
