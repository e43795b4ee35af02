"""Projects that have to be fetched before they can be loaded."""

import os
from dataclasses import replace

from .._keys.elementkeys import KeyTable
from .._load.resolved import ResolvedElement
from .._plan.record import ElementRecord
from .._store.checkout import export_directory
from .._utils_atomic import temporary_directory
from .app import App
from .missing import fetch_missing


def stage_junction(app: App, junction: ResolvedElement) -> str:
    """Stages the sources of JUNCTION below its project, once for each of its keys; gives the directory.

    Raises:
        StreamError: The sources could not be fetched.
    """
    # junctions depend on nothing: a table of their own is enough to know their keys
    element = replace(junction, index=0)
    table = KeyTable([element])
    table.compute()
    record = ElementRecord(element, table.keys[0], strong_key=table.keys[0].strict)
    assert record.keys.weak is not None, "the sources of a junction have refs before they are staged"
    parent = os.path.join(element.project.directory, ".bst", "staged-junctions", element.name)
    directory = os.path.join(parent, record.keys.weak)
    if os.path.isdir(directory):
        return directory
    app.sources.query(record)
    fetch_missing(app, [record])
    tree = app.sources.combined_tree(record)
    assert tree is not None, "what has been fetched is in the store"
    os.makedirs(parent, exist_ok=True)
    with temporary_directory(parent) as scratch:
        staged = os.path.join(scratch, "sources")
        os.mkdir(staged)
        export_directory(app.cas, tree, staged)
        try:
            os.rename(staged, directory)
        except OSError:
            # another command was faster
            if not os.path.isdir(directory):
                raise
    return directory
