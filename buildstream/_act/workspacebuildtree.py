"""Build trees that workspaces are opened with: what the build made, among the sources.

The times of files tell tools such as `make` what is up to date.  Builds without a workspace
record none, so a source that the build has left as it was gets the time that all sources
have in a sandbox, and everything that the build made is a second younger.  Both are in the past:
whatever is edited afterwards is younger still.
"""

import json
import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import DirectoryEntry, FileEntry, TreeDirectory
from .._store.cas import Cas
from .._store.extract import copy_file
from .._store.filedigest import digest_of_known_file
from .._store.layout import EXECUTABLE_MODE, FILE_MODE, MTIME_NS

# In the workspace: names the products of the build, so that a build from scratch can leave them out.
PRODUCTS_FILE = ".bst-buildtree"
PRODUCT_MTIME_NS = MTIME_NS + 1_000_000_000

# By name: the time of a file, the target of a link, or what is in a directory.
_Products = dict[str, "int | str | _Products"]
# In the products of a directory: the build has made the directory as well.  No file has that name.
_IS_NEW = "/"


def lay_buildtree(cas: Cas, buildtree: Digest, directory: str, marks: Mapping[str, str]) -> None:
    """Puts BUILDTREE over the sources in DIRECTORY, and notes there what the build has made.

    What the build has changed replaces the source; one that the build has deleted stays.  Costs
    as much as reading all of the sources and copying the rest.

    Args:
        directory: Absolute, of files that nobody else uses.
        marks: Contents of more products, by path below DIRECTORY; left out where BUILDTREE has
            no directory for them.

    Raises:
        CASError: Something of the tree is not in the store.
        OSError: The disk refuses.
    """
    products = _lay_directory(cas, buildtree, directory)
    for path, text in marks.items():
        parent, name = os.path.split(path)
        place = os.path.join(os.path.realpath(directory), parent).rstrip("/")
        if os.path.realpath(place) != place or not os.path.isdir(place):
            continue  # links may lead out of the workspace
        _write(os.path.join(place, name), text)
        inner = products
        for part in filter(None, parent.split("/")):
            below = inner.setdefault(part, {})
            assert isinstance(below, dict), "it is a directory"
            inner = below
        inner[name] = PRODUCT_MTIME_NS
    products[PRODUCTS_FILE] = PRODUCT_MTIME_NS
    _write(os.path.join(directory, PRODUCTS_FILE), json.dumps(products, indent=0, sort_keys=True) + "\n")


def _write(path: str, text: str) -> None:
    _make_way(path)
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    os.utime(path, ns=(PRODUCT_MTIME_NS, PRODUCT_MTIME_NS))


def _lay_directory(cas: Cas, digest: Digest, path: str) -> _Products:
    products: _Products = {}
    directory = TreeDirectory() if digest == EMPTY_DIGEST else cas.read_directory(digest)
    for entry in directory.files:
        mtime_ns = _lay_file(cas, entry, f"{path}/{entry.name}")
        if mtime_ns is not None:
            products[entry.name] = mtime_ns
    for name, target in directory.symlinks:
        place = f"{path}/{name}"
        if os.path.islink(place) and os.readlink(place) == target:
            continue
        if not _make_way(place):
            products[name] = target
        os.symlink(target, place)
    for name, child in directory.directories:
        place = f"{path}/{name}"
        is_new = os.path.islink(place) or not os.path.isdir(place)
        if is_new:
            _make_way(place)
            os.mkdir(place)
        inner = _lay_directory(cas, child, place)
        if is_new:
            inner[_IS_NEW] = 1
        if inner:
            products[name] = inner
    mtime_ns = MTIME_NS if directory.mtime_ns is None else directory.mtime_ns
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return products


def _lay_file(cas: Cas, entry: FileEntry, place: str) -> int | None:
    """Puts one file in PLACE; its time if there was nothing before, None if it is, or was, a source."""
    if _is_same(entry, place):
        mtime_ns = MTIME_NS if entry.mtime_ns is None else entry.mtime_ns
        os.utime(place, ns=(mtime_ns, mtime_ns))
        return None
    was_there = _make_way(place)
    mtime_ns = PRODUCT_MTIME_NS if entry.mtime_ns is None else entry.mtime_ns
    mode = EXECUTABLE_MODE if entry.is_executable else FILE_MODE
    source = cas.object_path(entry.digest, executable=entry.is_executable)
    copy_file(source, place, mode=mode, mtime_ns=mtime_ns)
    return None if was_there else mtime_ns


def _is_same(entry: FileEntry, place: str) -> bool:
    try:
        status = os.lstat(place)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.digest.size:
        return False
    if bool(status.st_mode & stat.S_IXUSR) != entry.is_executable:
        return False
    return digest_of_known_file(place, status.st_size) == entry.digest


def _make_way(place: str) -> bool:
    """Removes what is in PLACE; False if there is nothing."""
    if not os.path.lexists(place):
        return False
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    else:
        os.unlink(place)
    return True


def without_products(cas: Cas, tree: Digest) -> Digest:
    """The workspace TREE without what it was opened with that is no source and nobody has changed since.

    A source that the build had changed stays as the build left it.

    Raises:
        CASError: A directory is not in the store.
    """
    if tree == EMPTY_DIGEST:
        return tree
    for entry in cas.read_directory(tree).files:
        if entry.name == PRODUCTS_FILE:
            products = None
            with suppress(ValueError, RecursionError):  # it is the user's by now
                products = json.loads(cas.read_bytes(entry.digest))
            if isinstance(products, dict):
                return _strip(cas, tree, products) or EMPTY_DIGEST
    return tree


def _strip(cas: Cas, tree: Digest, products: _Products) -> Digest | None:
    """TREE without PRODUCTS; None if nothing is left of a directory that is one of them."""
    directory = TreeDirectory() if tree == EMPTY_DIGEST else cas.read_directory(tree)
    directories = []
    for entry in directory.directories:
        inner = products.get(entry.name)
        child = _strip(cas, entry.digest, inner) if isinstance(inner, dict) else entry.digest
        if child is not None:
            directories.append(DirectoryEntry(entry.name, child))
    stripped = directory._replace(
        files=tuple(
            entry
            for entry in directory.files
            if entry.mtime_ns is None or products.get(entry.name) != entry.mtime_ns
        ),
        symlinks=tuple(entry for entry in directory.symlinks if products.get(entry.name) != entry.target),
        directories=tuple(directories),
    )
    if _IS_NEW in products and not (stripped.files or stripped.symlinks or stripped.directories):
        return None
    return cas.add_directory(stripped)
