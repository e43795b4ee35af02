"""Writing the sources of an element into the directory of a workspace."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._load.pluginfaults import plugin_code
from .._load.resolved import ResolvedElement
from .._store.extract import copy_file
from .._store.host_directory import HostDirectory
from .._store.trash import delete_tree
from .sourcecache import destination_of

# where nobody looks for elements
_SCRATCH = os.path.join(".bst", "workspaces")


@contextmanager
def scratch_directory(project_directory: str, workspace: str) -> Iterator[str]:
    """Gives a new directory for files on their way to or from WORKSPACE, deleted at the end.

    It is below the project, or beside the workspace if only that is on the same file
    system.  What killed processes left there is deleted as well.
    """
    import fcntl

    parent = os.path.join(_neighbour(project_directory, workspace), _SCRATCH)
    os.makedirs(parent, exist_ok=True)
    path = os.path.join(parent, secrets.token_hex(8))
    os.mkdir(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _delete_abandoned(parent)
        yield path
    finally:
        os.close(descriptor)
        delete_tree(path)
        with suppress(OSError):  # another process has something in there
            os.removedirs(parent)


def _neighbour(project_directory: str, workspace: str) -> str:
    """The directory, of the two that come into question, from which files can be renamed into WORKSPACE."""
    device = os.stat(workspace).st_dev
    beside = os.path.dirname(workspace)
    if os.stat(project_directory).st_dev != device and os.access(beside, os.W_OK):
        return beside if os.stat(beside).st_dev == device else project_directory
    return project_directory


def _delete_abandoned(parent: str) -> None:
    """Deletes scratch directories whose process is gone; one that is just being made is not empty-handed."""
    import fcntl
    import time

    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                is_new = os.fstat(descriptor).st_ctime > time.time() - 60  # maybe not locked yet
                if not is_new:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    delete_tree(path)
            finally:
                os.close(descriptor)


def stage_originals(element: ResolvedElement, path: str) -> None:
    """Has each source of ELEMENT, whose originals are there, initialise the empty directory PATH.

    The files belong to the workspace alone afterwards, even if a plugin has linked them.

    Raises:
        BstError: A source can't be staged.
        OSError: The disk refuses.
    """
    for source in element.sources:
        plugin = source.plugin
        destination = os.path.join(path, destination_of(source))
        os.makedirs(destination, exist_ok=True)
        with plugin_code(plugin, "validate_cache"):
            plugin.validate_cache()
        with plugin_code(plugin, "init_workspace"):
            if plugin.BST_STAGE_VIRTUAL_DIRECTORY:
                plugin.init_workspace_directory(HostDirectory(destination))
            else:
                plugin.init_workspace(destination)
    _unlink_from_others(path)


def _unlink_from_others(path: str) -> None:
    """Makes copies of files below PATH that have more than one name."""
    for directory, _, names in os.walk(path):
        for name in names:
            file = os.path.join(directory, name)
            status = os.lstat(file)
            if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                copy = os.path.join(directory, f".{secrets.token_hex(8)}")
                copy_file(file, copy, mode=stat.S_IMODE(status.st_mode), mtime_ns=status.st_mtime_ns)
                os.rename(copy, file)


def replace_content(directory: str, staged: str, aside: str, *, keep: str | None) -> None:
    """Puts what is in STAGED into DIRECTORY, whose content is moved to the empty directory ASIDE.

    The directory itself stays: shells that are in there go on working.  If something
    can't be moved, what was there before comes back.

    Args:
        keep: An entry of DIRECTORY that stays.

    Raises:
        OSError: Something can't be moved.
    """
    try:
        _move_content(directory, aside, keep=keep)
        _move_content(staged, directory)
    except OSError:
        with suppress(OSError):
            _move_content(directory, staged, keep=keep)
        _move_content(aside, directory)
        raise


def _move_content(source: str, target: str, *, keep: str | None = None) -> None:
    import shutil

    for name in os.listdir(source):
        if name != keep:
            shutil.move(os.path.join(source, name), os.path.join(target, name))
