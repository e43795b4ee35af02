"""The directory of plugins over a tree of the content store."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from .._model.digest import EMPTY_DIGEST, Digest
from .._model.tree import FileEntry, SymlinkEntry
from ..storage import Directory, DirectoryError, FileStat, FileType
from ..utils import BST_ARBITRARY_TIMESTAMP, FileListResult
from .cas import Cas
from .frozen import FrozenDirectory
from .host_directory import HostDirectory
from .lookup import describe, find_directory, find_entry, find_parent, not_found, type_of
from .nodes import DirectoryNode, Tree, walk_paths
from .openfile import check_mode, is_reading, new_host_file, open_host_file
from .stagedtrees import StagedTrees
from .staging_plan import LayerHistory, StagingPlan
from .tarexport import add_tree_to_tar
from .tree_import import import_tree

if TYPE_CHECKING:
    from tarfile import TarFile


class CasDirectory(Directory):
    """A directory that lives in the content store and in memory.

    Subdirectories are loaded when they are looked at; what an import takes
    over whole is held by its digest alone.  Nothing is stored of directories
    that changed until the digest is asked for.  Not for several threads.

    Args:
        cas: The store.
        digest: The tree to start from; None is an empty one.
    """

    def __init__(self, cas: Cas, digest: Digest | None = None) -> None:
        self._cas = cas
        self._node = DirectoryNode(Tree(cas), None, "", EMPTY_DIGEST if digest is None else digest)
        self._history = LayerHistory(self._node, digest)

    def _at(self, node: DirectoryNode) -> "CasDirectory":
        """Another directory of the same tree."""
        directory = CasDirectory.__new__(type(self))
        directory._cas = self._cas
        directory._node = node
        directory._history = self._history
        return directory

    def __str__(self) -> str:
        return describe(self._node)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._node.load()))

    def __len__(self) -> int:
        return len(self._node.load())

    # --- The public interface

    def open_directory(
        self, path: str, *, create: bool = False, follow_symlinks: bool = False
    ) -> "CasDirectory":
        if not path:
            return self
        return self._at(find_directory(self._node, path, create=create, follow_symlinks=follow_symlinks))

    def import_files(
        self,
        external_pathspec: Directory | str,
        *,
        filter_callback: Callable[[str], bool] | None = None,
        collect_result: bool = True,
    ) -> FileListResult | None:
        if isinstance(external_pathspec, CasDirectory):
            digest = external_pathspec._digest()
        else:
            digest = self._capture(external_pathspec)
        result = self._import_tree(digest, filter_callback=filter_callback)
        return result if collect_result else None

    def import_single_file(self, external_pathspec: str) -> FileListResult:
        result = FileListResult()
        name = os.path.basename(external_pathspec)
        present = self._node.load().get(name)
        if isinstance(present, DirectoryNode) and not present.is_empty():
            result.ignored.append(name)
            return result
        executable = os.access(external_pathspec, os.X_OK)
        digest = self._cas.add_file(os.path.realpath(external_pathspec), executable=executable)
        self._node.put(FileEntry(name, digest, executable))
        if present is not None:
            result.overwritten.append(name)
        result.files_written.append(name)
        return result

    def export_to_tar(
        self, tarfile: "TarFile", destination_dir: str, mtime: int = BST_ARBITRARY_TIMESTAMP
    ) -> None:
        add_tree_to_tar(tarfile, self._node, destination_dir, mtime)

    def list_relative_paths(self) -> Iterator[str]:
        for path, _ in walk_paths(self._node.tree, self._node.view()):
            yield path

    def exists(self, path: str, *, follow_symlinks: bool = False) -> bool:
        try:
            find_entry(self._node, path, follow_symlinks=follow_symlinks)
        except DirectoryError:
            return False
        return True

    def stat(self, path: str, *, follow_symlinks: bool = False) -> FileStat:
        entry = find_entry(self._node, path, follow_symlinks=follow_symlinks)
        if isinstance(entry, DirectoryNode):
            return FileStat(FileType.DIRECTORY, executable=True)
        if isinstance(entry, SymlinkEntry):
            return FileStat(FileType.SYMLINK, size=len(entry.target))
        mtime = BST_ARBITRARY_TIMESTAMP if entry.mtime_ns is None else entry.mtime_ns / 1_000_000_000
        return FileStat(
            FileType.REGULAR_FILE, executable=entry.is_executable, size=entry.digest.size, mtime=mtime
        )

    @contextmanager
    def open_file(self, path: str, *, mode: str = "r") -> Iterator[IO[Any]]:
        check_mode(mode)
        parent, name = find_parent(self._node, path)
        present = parent.load().get(name)
        if present is not None and not isinstance(present, FileEntry):
            raise DirectoryError(f"{name} in {describe(parent)} is a {type_of(present)}, not a file")
        if is_reading(mode):
            if present is None:
                raise not_found(parent, name)
            with open_host_file(self._cas.object_path(present.digest), mode) as file:
                yield file
            return
        if mode.startswith("x") and present is not None:
            raise DirectoryError(f"{name} already exists in {describe(parent)}")
        with new_host_file(self._cas.new_temporary_path(), mode) as file:
            yield file
            file.close()
            executable = os.access(file.name, os.X_OK)
            digest = self._cas.add_file(file.name, executable=executable, consume=True)
            self._cas.let_go(file.name)
            parent.put(FileEntry(name, digest, executable))

    def file_digest(self, path: str) -> str:
        entry = find_entry(self._node, path)
        if not isinstance(entry, FileEntry):
            raise DirectoryError(f"Unsupported file type for digest: {path} is a {type_of(entry)}")
        return entry.digest.hash

    def readlink(self, path: str) -> str:
        entry = find_entry(self._node, path)
        if not isinstance(entry, SymlinkEntry):
            raise DirectoryError(f"Unsupported file type for readlink: {path} is a {type_of(entry)}")
        return entry.target

    def remove(self, path: str, *, recursive: bool = False) -> None:
        parent, name = find_parent(self._node, path)
        entry = parent.load().get(name)
        if entry is None:
            raise not_found(parent, name)
        if isinstance(entry, DirectoryNode) and not recursive and not entry.is_empty():
            raise DirectoryError(f"{describe(entry)} is not empty")
        parent.detach(name)

    def rename(self, src: str, dest: str) -> None:
        old_parent, old_name = find_parent(self._node, src)
        new_parent, new_name = find_parent(self._node, dest)
        entry = old_parent.load().get(old_name)
        if entry is None:
            raise not_found(old_parent, old_name)
        if isinstance(entry, DirectoryNode) and _is_inside(new_parent, entry):
            raise DirectoryError(f"{describe(entry)} can't be moved into itself")
        if (old_parent, old_name) != (new_parent, new_name):
            old_parent.detach(old_name)
            new_parent.move_in(new_name, entry)

    # --- For the engine

    def _digest(self) -> Digest:
        """The digest of the tree; directories that changed are stored.

        Raises:
            CASError: They can't be stored.
        """
        return self._node.compute_digest()

    def _import_tree(
        self, digest: Digest, *, path: str = "", filter_callback: Callable[[str], bool] | None = None
    ) -> FileListResult:
        """Imports a tree of the store, with the rules of `import_files`.

        Costs the overlap: directories that are only in the imported tree are
        neither loaded nor, unless `files_written` is asked for, listed.

        Args:
            digest: The tree.
            path: Where to import it; directories are created.
            filter_callback: As for `import_files`.

        Raises:
            DirectoryError: A directory was to be merged into something else.
            CASError: A directory of the tree can't be read.
        """
        target = find_directory(self._node, path, create=True)
        if target is not self._history.root or filter_callback is not None:
            return import_tree(target, digest, filter_callback)
        self._history.begin_layer()
        is_exact = False
        try:
            result = import_tree(target, digest)
            is_exact = not result.ignored
        finally:
            self._history.end_layer(digest, is_exact=is_exact)
        return result

    def _import_trees(self, digests: Sequence[Digest]) -> Iterator[FileListResult]:
        """Imports trees of the store, one after the other: each when its result is asked for.

        Into the empty root of a tree, those that another such directory began with
        are taken over at once, without work for each of them; their results do not
        list the files that were written.

        Raises:
            DirectoryError: A directory was to be merged into something else.
            CASError: A directory of a tree can't be read.
        """
        is_fresh = self._node is self._history.root and self._history.is_untouched()
        known = self._cas.staged_trees.longest(digests) if is_fresh else None
        if known is not None:
            self._node.thaw(known.content)
            self._history.take_over(known.layers)
            for _ in known.imported:
                yield FileListResult()
        is_plain = True  # nothing met a file of another
        rest = digests[len(known.imported) if known is not None else 0 :]
        for digest in rest:
            result = self._import_tree(digest)
            is_plain = is_plain and not (result.overwritten or result.ignored)
            yield result
        if is_fresh and is_plain and rest:
            layers = self._history.plan().layers
            self._cas.staged_trees.keep(StagedTrees(tuple(digests), layers, self._node.freeze()))

    def _staging_plan(self) -> StagingPlan:
        """Layers of trees that give exactly the root of this tree, when they are laid over each other.

        Costs what changed since the last import of a whole tree at the root.
        """
        return self._history.plan()

    def _under(self, path: str) -> FrozenDirectory:
        """What the layers of the staging plan show at the absolute PATH without its changes."""
        return self._history.under(path)

    def _entry_types(self, path: str) -> list[tuple[str, FileType]]:
        """Names and types of the entries of the directory at PATH, much faster than one by one."""
        return [(name, type_of(entry)) for name, entry in find_directory(self._node, path).load().items()]

    def _freeze(self) -> FrozenDirectory:
        """What it is now."""
        return self._node.freeze()

    def _attach_pending(self, path: str, resolve: Callable[[], Digest]) -> None:
        """Replaces the content of a directory by a tree that is not known yet.

        Args:
            path: The directory, created if it is missing; "" is this one.
            resolve: Gives the digest.  Called once, when the directory or
                something below it is looked at, or a digest is asked for.
        """
        find_directory(self._node, path, create=True).replace_content(resolve)

    def _create_empty_file(self, path: str) -> None:
        """Makes PATH an empty file, in place of a file or link.

        Raises:
            DirectoryError: There is no directory for it, or a directory in its place.
        """
        parent, name = find_parent(self._node, path)
        if isinstance(parent.load().get(name), DirectoryNode):
            raise DirectoryError(f"{name} in {describe(parent)} is a directory, not a file")
        parent.put(FileEntry(name, EMPTY_DIGEST))

    def _set_subtree_read_only(self, value: bool | None) -> None:
        """Sets the property `SubtreeReadOnly` of this directory; None removes it."""
        self._node.set_subtree_read_only(value)

    def _capture(self, external_pathspec: Directory | str) -> Digest:
        """Stores a host directory."""
        path = (
            external_pathspec.host_path if isinstance(external_pathspec, HostDirectory) else external_pathspec
        )
        if isinstance(path, Directory):
            raise DirectoryError(f"Can't import '{path}': it is neither in the store nor on the host")
        if not os.path.isdir(path):
            raise DirectoryError(f"Can't import '{path}': it is not a directory")
        return self._cas.import_directory(path)


def _is_inside(node: DirectoryNode, ancestor: DirectoryNode) -> bool:
    current: DirectoryNode | None = node
    while current is not None and current is not ancestor:
        current = current.parent
    return current is ancestor
