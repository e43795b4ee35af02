"""Whatever commands do to a store, a tree that is remembered to be complete is complete.

To be run by hand for longer, in the directory above `tests`:
`python -m tests.store.test_remembered_trees FIRST_SEED ROUNDS`.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._model.tree import DirectoryEntry, FileEntry, TreeDirectory
from buildstream._store.cas import Cas
from buildstream._store.completeness import CompleteTrees

_CONTENTS = 2_000
_SIZES = (1, 5, 60, 900, 1_400)  # files of trees: to list all names is worth it for the larger ones
_STEPS = 40
_MOST_SESSIONS = 3
_HOUR_NS = 3600 * 1_000_000_000


class Round:
    """One store, and sessions that use it at the same time; SEED tells what they do.

    Objects are deleted by hand too, but not those that a session which still lasts has added.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        self._objects = directory / "cas" / "objects"
        self._chance = random.Random(seed)
        self._trees: dict[Digest, list[str]] = {}  # and the hashes of all that is in them
        self._sessions: list[tuple[Cas, frozenset[str]]] = []  # and what was there when they began
        self.remembered = 0  # how many right answers came from what is remembered

    def run(self) -> None:
        """Does random things, and looks after each whether what is remembered is true."""
        steps: list[Callable[[], None]] = [
            *(
                self._open,
                self._open,
                self._look,
                self._look,
                self._look,
                self._store,
                self._close,
                self._close,
            ),
            *(self._delete, self._replace_by_twin, self._rest, self._clean_up),
        ]
        for _ in range(_STEPS):
            self._chance.choice(steps)()
            self._check()
        while self._sessions:
            self._close()
            self._check()
        self._see_all()

    def _see_all(self) -> None:
        """Has one command store a large tree, and another look at it: the next one knows it."""
        self._trees.clear()
        for step in (self._open, lambda: self._store(_SIZES[-1]), self._close, self._rest):
            step()
        for step in (self._open, self._look, self._close):
            step()
        before = self.remembered
        self._check()
        assert self.remembered == before + 1

    def _check(self) -> None:
        remembered = CompleteTrees(str(self._objects), str(self._directory / "stats"))
        for tree, hashes in self._trees.items():
            if remembered.is_known(tree):
                assert all(map(self._paths, hashes)), f"{tree} is not complete"
                self.remembered += 1

    def _paths(self, hash_: str) -> list[Path]:
        """The objects of a blob."""
        path = self._objects / hash_[:2] / hash_[2:]
        found = [each for each in (path, path.with_name(f"{path.name}.x")) if each.exists()]
        return found or ([path] if hash_ == EMPTY_DIGEST.hash else [])

    # what happens

    def _open(self) -> None:
        if len(self._sessions) < _MOST_SESSIONS:
            cas = Cas(str(self._directory / "cas"), durable=False)
            cas.begin_session()
            names = (path.parent.name + path.name.removesuffix(".x") for path in self._objects.glob("*/*"))
            self._sessions.append((cas, frozenset(names)))

    def _close(self) -> None:
        if self._sessions:
            self._sessions.pop(self._chance.randrange(len(self._sessions)))[0].close()

    def _look(self) -> None:
        if self._sessions:
            cas, _ = self._chance.choice(self._sessions)
            for tree in self._chance.sample(list(self._trees), min(len(self._trees), 4)):
                cas.contains_tree(tree)

    def _store(self, size: int = 0) -> None:
        if not self._sessions:
            return
        cas, _ = self._chance.choice(self._sessions)
        contents = [
            b"%d" % number
            for number in self._chance.sample(range(_CONTENTS), size or self._chance.choice(_SIZES))
        ]
        files = tuple(FileEntry(data.decode(), cas.add_bytes(data), False) for data in sorted(contents))
        below = cas.add_directory(TreeDirectory(files=files[: len(files) // 2]))
        root = TreeDirectory(files=files[len(files) // 2 :], directories=(DirectoryEntry("below", below),))
        tree = cas.add_directory(root)
        self._trees[tree] = [tree.hash, below.hash, *(digest_from_bytes(data).hash for data in contents)]

    def _delete(self) -> None:
        hash_ = self._any_old()
        for path in self._paths(hash_) if hash_ else ():
            path.unlink(missing_ok=True)

    def _replace_by_twin(self) -> None:
        hash_ = self._any_old()
        for path in self._paths(hash_)[:1] if hash_ else ():
            if path.exists() and not path.name.endswith(".x"):
                path.rename(path.with_name(f"{path.name}.x"))

    def _any_old(self) -> str | None:
        """A hash of a tree, if all sessions that last have found its object."""
        if not self._trees:
            return None
        hash_ = self._chance.choice(self._chance.choice(list(self._trees.values())))
        return hash_ if all(hash_ in names for _, names in self._sessions) else None

    def _rest(self) -> None:
        time.sleep(0.11)  # times count only if they are older

    def _clean_up(self) -> None:
        """Deletes what nobody has used, which is made to be some of what is there."""
        if not self._sessions:
            for path in self._objects.glob("*/*"):
                if self._chance.random() < 0.01:
                    os.utime(path, ns=(time.time_ns() - _HOUR_NS, path.stat().st_mtime_ns))
        cas = Cas(str(self._directory / "cas"), durable=False)
        cas.begin_session()
        cas.cleaner([]).run(0)
        cas.close()


@pytest.mark.parametrize("seed", range(8))
def test_what_is_remembered_is_true(tmp_path: Path, seed: int) -> None:
    Round(tmp_path, seed).run()


def main() -> None:
    """The program."""
    first_seed, rounds = map(int, sys.argv[1:])
    remembered = 0
    for seed in range(first_seed, first_seed + rounds):
        sys.stdout.write(f"seed {seed}\n")
        with tempfile.TemporaryDirectory() as directory:
            one = Round(Path(directory), seed)
            one.run()
            remembered += one.remembered
    sys.stdout.write(f"{rounds} rounds, {remembered} answers from what is remembered, all right\n")


if __name__ == "__main__":
    main()
