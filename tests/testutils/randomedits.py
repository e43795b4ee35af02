"""Random changes of a directory, of all kinds that editors, tools and people make."""

import ctypes
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

_NAMES = "abcdü"
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def change_something(tree: Path, chance: random.Random) -> None:
    """One change below TREE, which may come to nothing."""
    everything = [path for path in tree.rglob("*") if not path.is_symlink()]
    directories = [tree, *(path for path in everything if path.is_dir())]
    _Change(tree, chance, directories, everything).make()


class _Change:
    def __init__(
        self, tree: Path, chance: random.Random, directories: list[Path], everything: list[Path]
    ) -> None:
        self._tree = tree
        self._chance = chance
        self._directories = directories
        self._everything = everything
        self._files = [path for path in everything if path.is_file()]

    def make(self) -> None:
        name = self._chance.choice(self._directories) / self._chance.choice(_NAMES)
        file = self._chance.choice(self._files) if self._files else None
        other = self._chance.choice(self._everything) if self._everything else None
        kinds: list[Callable[[], object]] = [lambda: self._write(name)] * 3
        if not os.path.lexists(name):
            kinds += [name.mkdir, lambda: name.symlink_to(self._chance.choice(_NAMES)), lambda: _fifo(name)]
            if file is not None:
                kinds.append(lambda: os.link(file, name))
        elif name.is_symlink():
            kinds.append(lambda: self._retarget(name))
        if other is not None:
            kinds += [lambda: _remove(other), lambda: os.utime(other, (1e9, self._chance.randrange(3)))]
            kinds.append(
                lambda: (
                    other.rename(name) if not os.path.lexists(name) and other not in name.parents else None
                )
            )
            kinds.append(lambda: self._exchange(other))
        if file is not None:
            kinds.append(lambda: file.chmod(self._chance.choice((0o644, 0o755, 0o400))))
            kinds.append(lambda: self._edit_keeping_the_times(file))
            kinds.append(lambda: self._replace_by_a_twin(file))
            kinds.append(lambda: self._append(file))
        self._chance.choice(kinds)()

    def _write(self, path: Path) -> None:
        if path.is_dir() or path.is_symlink() or path.is_fifo():
            return
        if path.exists():
            path.chmod(0o644)
        path.write_text(self._chance.choice(("x", "y", "zz")))

    def _append(self, path: Path) -> None:
        path.chmod(0o644)
        with path.open("a") as file:
            file.write(self._chance.choice("xyz"))

    def _edit_keeping_the_times(self, path: Path) -> None:
        """Other content of the same size, and the times set back."""
        status = path.stat()
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.write(self._chance.choice((b"x", b"y"))[: status.st_size])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _replace_by_a_twin(self, path: Path) -> None:
        """Renames a new file of equal size and time over PATH."""
        status = path.stat()
        new = path.with_name(".new")
        new.write_bytes(self._chance.choice((b"x", b"y")) * status.st_size)
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        new.rename(path)

    def _retarget(self, link: Path) -> None:
        link.unlink()
        link.symlink_to(self._chance.choice(_NAMES))

    def _exchange(self, path: Path) -> None:
        """Swaps PATH with something beside it, which has its own content and times."""
        others = [other for other in path.parent.iterdir() if other != path]
        if others:
            other = self._chance.choice(sorted(others))
            libc = ctypes.CDLL(None, use_errno=True)
            arguments = (_AT_FDCWD, os.fsencode(path), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
            assert libc.renameat2(*arguments) == 0, os.strerror(ctypes.get_errno())


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
