"""The file that records open workspaces."""

import os

from .._exceptions import LoadError
from ..exceptions import LoadErrorReason
from ..node import MappingNode
from .yaml import load_file

_FORMAT_VERSION = 4


def load_workspaces(project_directory: str) -> dict[str, MappingNode]:
    """From the full name of each element with an open workspace to what is recorded of it, in order.

    An entry has a `path`, absolute or relative to the project, and maybe `last_build`, a key.

    Raises:
        LoadError: INVALID_YAML, or INVALID_DATA for another format.
    """
    path = os.path.join(project_directory, ".bst2", "workspaces.yml")
    try:
        node = load_file(path, "workspaces.yml")
    except LoadError as error:
        if error.reason == LoadErrorReason.MISSING_FILE:
            return {}
        raise
    version = node.get_int("format-version", 0)
    if version != _FORMAT_VERSION:
        advice = "recreate the workspaces" if version < _FORMAT_VERSION else "use a later BuildStream"
        raise LoadError(
            f"Workspace configuration format version {version} not supported, only version "
            f"{_FORMAT_VERSION} is; {advice}",
            LoadErrorReason.INVALID_DATA,
        )
    entries = node.get_mapping("workspaces", {})
    workspaces = {name: entries.get_mapping(name) for name in entries.keys()}
    for entry in workspaces.values():
        entry.get_str("path")
        entry.get_str("last_build", "")
    return workspaces
