"""Finding entries of a tree by path."""

from .._model.tree import FileEntry, SymlinkEntry
from ..storage import DirectoryError, FileType
from .nodes import DirectoryNode, Entry

_LINKS_FOLLOWED_AT_MOST = 40  # as the kernel does


def find_directory(
    start: DirectoryNode, path: str, *, create: bool = False, follow_symlinks: bool = False
) -> DirectoryNode:
    """The directory at PATH, seen from START.

    Raises:
        DirectoryError: With reason `directory-not-found` or `not-a-directory`.
        ValueError: PATH is absolute.
    """
    _check_relative(path)
    return _Walk(create=create, follow_symlinks=follow_symlinks).directory(start, path)


def find_entry(start: DirectoryNode, path: str, *, follow_symlinks: bool = False) -> Entry:
    """The entry at PATH, whose last component must be a name.

    Raises:
        DirectoryError: There is none.
        ValueError: PATH is absolute.
    """
    parent, name = find_parent(start, path, follow_symlinks=follow_symlinks)
    return _Walk(create=False, follow_symlinks=follow_symlinks).entry(parent, name)


def find_parent(
    start: DirectoryNode, path: str, *, follow_symlinks: bool = False
) -> tuple[DirectoryNode, str]:
    """The directory that holds the last component of PATH, and that component.

    Raises:
        DirectoryError: There is no such directory, or the last component is no name.
        ValueError: PATH is absolute.
    """
    _check_relative(path)
    directory_path, _, name = path.rpartition("/")
    parent = find_directory(start, directory_path, follow_symlinks=follow_symlinks)
    if name in ("", ".", ".."):
        raise not_found(parent, name)
    return parent, name


def not_found(directory: DirectoryNode, name: str) -> DirectoryError:
    """The error for an entry that is missing."""
    return DirectoryError(f"{name} not found in {describe(directory)}")


def describe(directory: DirectoryNode) -> str:
    """A directory as messages show it, for example `[CAS://usr/lib]`."""
    return f"[CAS:/{directory.path()}]"


def type_of(entry: Entry) -> FileType:
    """What an entry is."""
    if isinstance(entry, DirectoryNode):
        return FileType.DIRECTORY
    return FileType.REGULAR_FILE if isinstance(entry, FileEntry) else FileType.SYMLINK


def _check_relative(path: str) -> None:
    if path.startswith("/"):
        raise ValueError(f"Invalid path '{path}'")


class _Walk:
    """One look-up, which counts the links it follows."""

    def __init__(self, *, create: bool, follow_symlinks: bool) -> None:
        self._create = create
        self._follow_symlinks = follow_symlinks
        self._links_followed = 0

    def directory(self, start: DirectoryNode, path: str) -> DirectoryNode:
        node = start
        waiting = path.split("/")[::-1]  # components, the next one last
        while waiting:
            name = waiting.pop()
            if name in ("", "."):
                continue
            if name == "..":
                node = node.parent or node
                continue
            entry = node.load().get(name)
            if entry is None:
                if not self._create:
                    raise DirectoryError(
                        f"'{name}' not found in {describe(node)}", reason="directory-not-found"
                    )
                entry = node.put_directory(name)
            if isinstance(entry, SymlinkEntry) and self._follow_symlinks:
                self._count_link(node, name)
                if entry.target.startswith("/"):
                    node = node.root()
                waiting.extend(entry.target.split("/")[::-1])
                continue
            if not isinstance(entry, DirectoryNode):
                raise DirectoryError(
                    f"'{name}' in {describe(node)} is a {type_of(entry)}, not a directory",
                    reason="not-a-directory",
                )
            node = entry
        return node

    def entry(self, parent: DirectoryNode, name: str) -> Entry:
        entry = parent.load().get(name)
        if entry is None:
            raise not_found(parent, name)
        if not isinstance(entry, SymlinkEntry) or not self._follow_symlinks:
            return entry
        self._count_link(parent, name)
        start = parent.root() if entry.target.startswith("/") else parent
        directory_path, _, last = entry.target.rpartition("/")
        if last in ("", ".", ".."):
            return self.directory(start, entry.target)
        return self.entry(self.directory(start, directory_path), last)

    def _count_link(self, node: DirectoryNode, name: str) -> None:
        self._links_followed += 1
        if self._links_followed > _LINKS_FOLLOWED_AT_MOST:
            raise DirectoryError(f"Too many symbolic links on the way from '{name}' in {describe(node)}")
