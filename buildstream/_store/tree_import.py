"""Importing a tree of the store into a directory, at the cost of what overlaps."""

from collections.abc import Callable

from .._model.digest import Digest
from .._model.tree import FileEntry, SymlinkEntry, TreeDirectory
from ..storage import DirectoryError, FileType
from ..utils import FileListResult
from .nodes import DirectoryNode, Entry, Tree, walk_paths


class ImportResult(FileListResult):
    """What an import did; the files of directories that were taken over whole are listed when asked for."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._grafts: list[tuple[str, Digest]] = []  # path and digest of directories taken over whole
        super().__init__()

    def add_graft(self, path: str, digest: Digest) -> None:
        """Notes that the directory at PATH was taken over whole."""
        self._grafts.append((path, digest))

    @property
    def files_written(self) -> list[str]:
        """Files and links which were written, relative to the root of the operation."""
        grafts, self._grafts = self._grafts, []
        for path, digest in grafts:
            self._written.extend(
                relative
                for relative, entry in walk_paths(self._tree, (digest, None), f"{path}/")
                if isinstance(entry, (FileEntry, SymlinkEntry))
            )
        return self._written

    @files_written.setter
    def files_written(self, paths: list[str]) -> None:
        self._written = paths


def import_tree(
    destination: DirectoryNode, digest: Digest, filter_callback: Callable[[str], bool] | None = None
) -> ImportResult:
    """Imports the tree DIGEST into DESTINATION, as plugin-api 14.4 tells.

    Args:
        destination: A directory, which is changed.
        digest: A tree of the same store.
        filter_callback: Called with the relative path of each entry, directories
            after their content; False leaves the entry out.

    Raises:
        DirectoryError: A directory was to be merged into something else; what
            came before it has been imported.
    """
    result = ImportResult(destination.tree)
    _TreeImport(destination.tree, filter_callback, result).merge(
        destination, destination.tree.cas.read_directory(digest), ""
    )
    return result


class _TreeImport:
    """One import."""

    def __init__(
        self, tree: Tree, filter_callback: Callable[[str], bool] | None, result: ImportResult
    ) -> None:
        self._tree = tree
        self._filter = filter_callback
        self._result = result
        self._written = result.files_written

    def merge(self, destination: DirectoryNode, source: TreeDirectory, prefix: str) -> None:
        """Imports one directory with all below it; PREFIX is empty or ends with a slash."""
        for name, digest in source.directories:
            self._import_directory(destination, name, digest, prefix + name)
        if source.files:
            self._import_files(destination, source.files, prefix)
        if source.symlinks:
            self._import_files(destination, source.symlinks, prefix)

    def _import_directory(self, destination: DirectoryNode, name: str, digest: Digest, relative: str) -> None:
        present = destination.load().get(name)
        is_new = present is None
        if present is None:
            if self._filter is None:
                destination.put_directory(name, digest)
                self._result.add_graft(relative, digest)
                return
            present = destination.put_directory(name)
        elif not isinstance(present, DirectoryNode):
            raise DirectoryError(f"Destination is a {_type_of(present)}, not a directory: /{relative}")
        self.merge(present, self._tree.cas.read_directory(digest), f"{relative}/")
        is_rejected = self._filter is not None and not self._filter(relative)
        if is_rejected and is_new and present.is_empty():
            destination.detach(name)

    def _import_files(
        self,
        destination: DirectoryNode,
        sources: tuple[FileEntry, ...] | tuple[SymlinkEntry, ...],
        prefix: str,
    ) -> None:
        entries: dict[str, Entry] | None = None  # fetched when something is written
        for source in sources:
            name = source.name
            relative = prefix + name
            if self._filter is not None and not self._filter(relative):
                continue
            if entries is None:
                entries = destination.mutable_entries()
            present = entries.get(name)
            if present is not None:
                if isinstance(present, DirectoryNode):
                    if not present.is_empty():
                        self._result.ignored.append(relative)
                        continue
                    present.parent = None
                self._result.overwritten.append(relative)
            entries[name] = source
            self._written.append(relative)


def _type_of(entry: FileEntry | SymlinkEntry) -> FileType:
    return FileType.REGULAR_FILE if isinstance(entry, FileEntry) else FileType.SYMLINK
