"""Extracting an archive that anyone may have made.

Nothing is written outside the target directory, neither by the names of members
nor through links that the archive makes; no devices, FIFOs or special permissions
are made.  Symbolic links keep their targets, whatever these are: they are content.
"""

import os
import stat
import tarfile
from collections.abc import Iterator

from buildstream import utils

_COPY_BUFFER_SIZE_BYTES = 1 << 20


class BaseDirectoryNotFound(Exception):
    """No directory of the archive matches the pattern."""


class OutsideStagingArea(Exception):
    """A member would be written outside the target directory.

    Args:
        path: What the archive says.
        final: Absolute path where it would be written.
    """

    def __init__(self, path: str, final: str) -> None:
        super().__init__(path, final)
        self.path = path
        self.final = final


class TarExtraction:
    """Extracts the members of ARCHIVE below one of its directories into DIRECTORY.

    Args:
        archive: An archive open for reading.
        directory: Absolute path of an existing directory.
        umask: What to leave out of the permissions.
    """

    def __init__(self, archive: tarfile.TarFile, directory: str, umask: int) -> None:
        self._archive = archive
        self._directory = os.path.realpath(directory)
        self._executable_mode = 0o777 & ~umask
        self._plain_mode = 0o666 & ~umask
        # directories known to be reached without any symbolic link
        self._real_directories = {self._directory}

    def extract(self, pattern: str) -> None:
        """Extracts what is below the first directory that matches the glob PATTERN, all if it is empty.

        Raises:
            BaseDirectoryNotFound: no directory matches.
            OutsideStagingArea: the archive is hostile.
        """
        base = self._find_base(pattern) if pattern else ""
        base = f"{base}/" if base else ""
        for member in self._archive:
            path = member.name.removeprefix("./")
            if not path.startswith(base):
                continue
            path = path[len(base) :].lstrip("/") if base else path
            if path not in ("", "."):
                self._extract_member(member, path, base)

    def _find_base(self, pattern: str) -> str:
        """The first directory that matches PATTERN; "" if that is an entry for the top itself."""
        directories: set[str] = set()
        for member in self._archive:
            name = member.name.lstrip("./")
            if member.isdir():
                directories.add(name)
                continue
            while name := os.path.dirname(name):
                directories.add(name)
        matches = utils.glob(directories, pattern)
        base = min(matches, default=None)
        if base is None:
            raise BaseDirectoryNotFound
        return base

    def _extract_member(self, member: tarfile.TarInfo, path: str, base: str) -> None:
        final = self._path_inside(path)
        if member.isdir():
            os.makedirs(final, mode=self._executable_mode, exist_ok=True)
            return
        if not (member.isreg() or member.issym() or member.islnk()):
            return
        if member.isreg():
            self._write_file(member, final)
            return
        if os.path.lexists(final):
            os.unlink(final)
        if member.issym():
            os.symlink(member.linkname, final)
        else:
            self._extract_hard_link(member, final, base)

    def _path_inside(self, path: str) -> str:
        """The absolute path for PATH; its parent exists."""
        final = os.path.normpath(os.path.join(self._directory, path))
        self._check_inside(path, final)
        parent = os.path.dirname(final)
        if parent not in self._real_directories:
            real_parent = os.path.realpath(parent)
            self._check_inside(path, real_parent)
            os.makedirs(parent, mode=self._executable_mode, exist_ok=True)
            if real_parent == parent:
                self._real_directories.add(parent)
        return final

    def _check_inside(self, path: str, final: str) -> None:
        if final != self._directory and not final.startswith(self._directory + os.sep):
            raise OutsideStagingArea(path, final)

    def _extract_hard_link(self, member: tarfile.TarInfo, final: str, base: str) -> None:
        """Links to what was extracted before, or copies what the archive has under that name."""
        linked_path = member.linkname.removeprefix("./").removeprefix(base)
        target = os.path.normpath(os.path.join(self._directory, linked_path))
        self._check_inside(linked_path, target)
        self._check_inside(linked_path, os.path.realpath(os.path.dirname(target)))
        try:
            mode = os.lstat(target).st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = 0
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(target), final)
        elif stat.S_ISREG(mode):
            os.link(target, final)
            # the permissions of the last member count for all names, as with BuildStream 2.8
            self._set_mode(member, final)
        else:
            self._write_file(member, final)

    def _write_file(self, member: tarfile.TarInfo, final: str) -> None:
        """Writes what the archive has for MEMBER to FINAL, in place of what is there.

        An archive may have very many members: a file costs five system calls.
        """
        descriptor = self._create(final, self._mode(member))
        try:
            for chunk in self._content(member):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(descriptor, view) :]
            # seen in workspaces, where build systems compare times
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)

    @staticmethod
    def _create(final: str, mode: int) -> int:
        """A descriptor of the new file FINAL, whose permissions are MODE."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(final, flags, mode)
        except FileExistsError:
            os.unlink(final)
            return os.open(final, flags, mode)

    def _content(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """The bytes of MEMBER, or of what it is a hard link to."""
        if not member.isreg() or member.issparse():
            file = self._archive.extractfile(member)
            if file is None:
                raise tarfile.ExtractError(f"{member.name} has no content")
            with file:
                while chunk := file.read(_COPY_BUFFER_SIZE_BYTES):
                    yield chunk
            return
        stream = self._archive.fileobj
        assert stream is not None, "the archive is open for reading"
        stream.seek(member.offset_data)
        left = member.size
        while left:
            chunk = stream.read(min(left, _COPY_BUFFER_SIZE_BYTES))
            if not chunk:
                raise tarfile.ReadError(f"{member.name} is cut off")
            left -= len(chunk)
            yield chunk

    def _mode(self, member: tarfile.TarInfo) -> int:
        """What counts of MEMBER's permissions."""
        return self._executable_mode if member.mode & stat.S_IXUSR else self._plain_mode

    def _set_mode(self, member: tarfile.TarInfo, final: str) -> None:
        """Gives the file FINAL what counts of MEMBER's permissions."""
        os.chmod(final, self._mode(member))
