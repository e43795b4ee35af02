"""A store in a temporary directory, and host trees to put into it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._store.cas import Cas

# By path: content of a file, ("x", content) of an executable, ("->", target) of a link, None of a directory.
HostTree = dict[str, str | tuple[str, str] | None]


@pytest.fixture
def cas(tmp_path: Path) -> Cas:
    return Cas(str(tmp_path / "cache" / "cas"))


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., str]:
    """Creates a host directory and gives its path."""
    counter = iter(range(1_000_000))

    def make(tree: HostTree, path: str | None = None) -> str:
        root = str(tmp_path / f"tree{next(counter)}") if path is None else path
        os.makedirs(root, exist_ok=True)
        for name, what in tree.items():
            target = os.path.join(root, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if what is None:
                os.makedirs(target, exist_ok=True)
            elif isinstance(what, tuple) and what[0] == "->":
                os.symlink(what[1], target)
            else:
                with open(target, "x", encoding="utf-8") as file:
                    file.write(what if isinstance(what, str) else what[1])
                os.chmod(target, 0o644 if isinstance(what, str) else 0o755)
        return root

    return make


@pytest.fixture
def read_tree() -> Callable[[str], HostTree]:
    """Reads a host directory back into the form that `make_tree` takes."""

    def read(root: str) -> HostTree:
        tree: HostTree = {}
        for directory, directories, files in os.walk(root):
            for name in [*directories, *files]:
                path = os.path.join(directory, name)
                relative = os.path.relpath(path, root)
                if os.path.islink(path):
                    tree[relative] = ("->", os.readlink(path))
                elif os.path.isdir(path):
                    tree[relative] = None
                else:
                    with open(path, encoding="utf-8") as file:
                        content = file.read()
                    tree[relative] = ("x", content) if os.stat(path).st_mode & 0o100 else content
        return tree

    return read
