"""What the words on a command line mean: elements, artifacts, globs of either (format 7.11)."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .._dataclass import dataclass
from .._exceptions import StreamError
from .._utils_glob import glob

if TYPE_CHECKING:
    from .project import Project

_NAME_RULE = "Element names and element glob expressions must end in '.bst'"
_KEY_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Targets:
    """Target words sorted out; each list without duplicates, in the order given."""

    elements: tuple[str, ...]
    artifacts: tuple[str, ...]  # <project>/<normal name>/<key>
    element_globs: tuple[str, ...]
    artifact_globs: tuple[str, ...]


def classify(words: Sequence[str], *, accepts_artifacts: bool) -> Targets:
    """Sorts out WORDS.

    Raises:
        StreamError: An artifact where only elements are accepted, or something that is neither.
    """
    unique = list(dict.fromkeys(words))
    globs = [word for word in unique if any(c in word for c in "*?[")]
    names = [word for word in unique if word not in globs]
    elements = [word for word in names if word.endswith(".bst")]
    artifacts = [word for word in names if not word.endswith(".bst")]
    element_globs = [word for word in globs if word.endswith(".bst")]
    artifact_globs = [word for word in globs if not word.endswith(".bst")]
    if not accepts_artifacts and (artifacts or artifact_globs):
        raise StreamError(
            "Invalid element names or element glob patterns were specified: "
            + ", ".join([*artifacts, *artifact_globs]),
            reason="invalid-element-names",
            detail="\n".join([_NAME_RULE, *_meant(artifacts)]),
        )
    for name in artifacts:
        _check_artifact_name(name)
    return Targets(tuple(elements), tuple(artifacts), tuple(element_globs), tuple(artifact_globs))


def _meant(names: Sequence[str]) -> list[str]:
    """A question about NAMES that only lack the suffix of elements, if there are any."""
    full = [f"'{name}.bst'" for name in names if name[-1:] not in ("", "/", ".")]
    return [f"Did you mean {', '.join(full)}?"] if full else []


def _check_artifact_name(name: str) -> None:
    parts = name.split("/", 2)
    if len(parts) == 3 and len(parts[2]) == 64 and set(parts[2]) <= _KEY_DIGITS:
        return
    raise StreamError(
        f"Specified target does not appear to be an artifact or element name: {name}",
        reason="unrecognized-target-format",
        detail=_NAME_RULE,
    )


def match_elements(project: "Project", patterns: Sequence[str]) -> dict[str, list[str]]:
    """For each of PATTERNS the elements of PROJECT that it matches, in the order of a directory walk."""
    names = list(_walk(project.element_path, skips_metadata=False))
    return {pattern: list(glob(names, pattern)) for pattern in patterns}


def all_elements(project: "Project") -> list[str]:
    """The name of every element file of PROJECT, sorted."""
    return sorted(_walk(project.element_path, skips_metadata=True))


def default_targets(project: "Project") -> tuple[list[str], bool]:
    """What a command without targets is about, and whether these are simply all elements there are."""
    if project.default_targets:
        return list(project.default_targets), False
    return list(_walk(project.element_path, skips_metadata=True)), True


def _walk(directory: str, *, skips_metadata: bool) -> Iterator[str]:
    for folder, folders, files in os.walk(directory):
        if skips_metadata and ".bst" in folders:
            folders.remove(".bst")
        relative = os.path.relpath(folder, directory)
        for name in files:
            if name.endswith(".bst"):
                yield name if relative == "." else os.path.join(relative, name)
