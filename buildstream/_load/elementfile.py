"""Opening the file of an element, and helping where there is none."""

import os
from typing import TYPE_CHECKING

from .._exceptions import LoadError
from .._utils_nearmiss import nearest_word
from ..exceptions import LoadErrorReason
from ..node import MappingNode, Node
from .yaml import load_file

if TYPE_CHECKING:
    from .project import Project

_FORBIDDEN_CHARACTERS = frozenset('<>"|?*')


def load_element_file(project: "Project", name: str, node: Node | None) -> MappingNode:
    """The content of the file of the element NAME, as written.

    Args:
        project: Whose element it is.
        name: Normalised.
        node: What names the element; None for the command line.

    Raises:
        LoadError: The name can't be that of an element, there is no such file, or it is no YAML.
    """
    _check_name(name, node)
    path = os.path.join(project.element_path, name)
    try:
        tree = load_file(path, name, displayname=project.display(name), project=project)
        project.settings.amend(tree)
        return tree
    except LoadError as error:
        if error.reason == LoadErrorReason.MISSING_FILE and not os.path.exists(path):
            raise _missing_element(project, name, node) from error
        if error.reason in (LoadErrorReason.MISSING_FILE, LoadErrorReason.LOADING_DIRECTORY):
            raise LoadError(
                f"{prefix_of(node)}{error}", LoadErrorReason(error.reason), detail=error.detail
            ) from error
        raise


def prefix_of(node: Node | None) -> str:
    """What errors about something that NODE names begin with: nothing for the command line."""
    return f"{node.get_provenance()}: " if node else ""


def _check_name(name: str, node: Node | None) -> None:
    if not name.endswith(".bst"):
        raise LoadError(
            f"{prefix_of(node)}Element '{name}' does not have expected file extension `.bst`",
            LoadErrorReason.BAD_ELEMENT_SUFFIX,
        )
    if not (name.isascii() and name.isprintable() and _FORBIDDEN_CHARACTERS.isdisjoint(name)):
        bad = [c for c in name if c in _FORBIDDEN_CHARACTERS or not 32 <= ord(c) <= 126]
        raise LoadError(
            f"{prefix_of(node)}Element '{name}' has invalid characters in its name: "
            f"{', '.join(map(repr, bad))}",
            LoadErrorReason.BAD_CHARACTERS_IN_NAME,
        )


def _missing_element(project: "Project", name: str, node: Node | None) -> LoadError:
    where = f"elements directory '{project.element_path}'"
    if project.junction:
        where = f"project referred to by junction element '{project.junction.full_name}'"
    suggestion = (
        _within_element_path(project, name) or _elsewhere(project, name) or _similar_name(project, name)
    )
    return LoadError(
        f"{prefix_of(node)}Could not find element '{name}' in {where}",
        LoadErrorReason.MISSING_FILE,
        detail=f"Did you mean '{suggestion}'?" if suggestion else None,
    )


def _within_element_path(project: "Project", name: str) -> str | None:
    """A common slip mended: NAME is the path of an element as seen from the project directory."""
    relative = os.path.relpath(project.element_path, project.directory)
    stripped = name.removeprefix(relative + os.sep)
    if stripped != name and os.path.exists(os.path.join(project.element_path, stripped)):
        return stripped
    return None


def _similar_name(project: "Project", name: str) -> str | None:
    """The most similar name of a file in the same folder."""
    folder, base = os.path.split(name)
    try:
        files = os.listdir(os.path.join(project.element_path, folder))
    except OSError:
        return None
    # the suffix would make all short names alike
    stems = [file.removesuffix(".bst") for file in files if file.endswith(".bst")]
    word = base.removesuffix(".bst")
    alike = (stem for stem in stems if stem.casefold() == word.casefold())
    nearest = next(alike, None) or nearest_word(word, stems)
    return os.path.join(folder, f"{nearest}.bst") if nearest is not None else None


def _elsewhere(project: "Project", name: str) -> str | None:
    """The element in another folder whose file is called the same."""
    base = os.path.basename(name)
    for folder, folders, files in os.walk(project.element_path):
        folders.sort()
        if base in files:
            return os.path.relpath(os.path.join(folder, base), project.element_path)
    return None
