"""A disk that fails at any moment of a commit costs that commit, and nothing else."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._store.diskfiles import DiskFiles
from tests.fault.commits import NAMES, Session, whole_artifacts

_REPOSITORY = Path(__file__).parents[2]
_PAGE_BYTES = 4096
_MOST_PAGES = 16  # more than a commit takes


class FailingDisk(DiskFiles):
    """Fails at one call, or at that one and all that follow.

    Args:
        position: Of the call, from 0.
        number: The error, as errno gives it.
        stays: Whether all calls fail from then on.
    """

    def __init__(self, position: int, number: int, *, stays: bool) -> None:
        self._position = position
        self._number = number
        self._stays = stays
        self.calls = 0

    def create(self, path: str, mode: int) -> int:
        self._fail()
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes) -> None:
        if self._is_due():  # half of it arrives
            super().write(descriptor, data[: len(data) // 2])
        self._fail()
        super().write(descriptor, data)

    def rename(self, source: str, target: str) -> None:
        self._fail()
        super().rename(source, target)

    def link(self, source: str, target: str) -> None:
        self._fail()
        super().link(source, target)

    def synchronize_all(self, directory: str) -> None:
        self._fail()

    def _is_due(self) -> bool:
        return self.calls == self._position or (self._stays and self.calls > self._position)

    def _fail(self) -> None:
        is_due = self._is_due()
        self.calls += 1
        if is_due:
            raise OSError(self._number, os.strerror(self._number), "the disk")


def commit(top: Path, disk: DiskFiles, number: int) -> None:
    """Commits artifact NUMBER in a session of its own."""
    session = Session(top, disk)
    try:
        session.commit(number, session.add(number))
    finally:
        session.cas.close()


@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_disk_fails_at_each_call(tmp_path: Path, number: int, stays: bool) -> None:
    counting = FailingDisk(-1, number, stays=False)
    commit(tmp_path / "undisturbed", DiskFiles(), 0)
    commit(tmp_path / "undisturbed", counting, 1)
    assert counting.calls > 12
    for position in range(counting.calls):
        top = tmp_path / str(position)
        commit(top, DiskFiles(), 0)
        with pytest.raises(CASError) as caught:
            commit(top, FailingDisk(position, number, stays=stays), 1)
        assert (caught.value.reason == "cache-too-full") is (number == errno.ENOSPC)
        # it was not seen, or it is whole: the last call makes sure that it is on the disk
        assert {NAMES[0]} <= whole_artifacts(top) <= {NAMES[0], NAMES[1]}
        commit(top, DiskFiles(), 1)
        assert whole_artifacts(top) == {NAMES[0], NAMES[1]}
        assert os.listdir(top / "cas" / "tmp") == []


def test_disk_of_each_size(tmp_path: Path) -> None:
    # mounted in a namespace of the child, who needs no rights for that
    child = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, __file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    full, fits = map(int, child.stdout.split())
    assert full > 6
    assert fits > 0


def fill_disks(directory: Path) -> Iterator[bool]:
    """Commits on disks of every size; yields for each whether the commit fitted."""
    for pages in range(1, _MOST_PAGES):
        top = directory / "disk"
        top.mkdir()
        options = f"size={pages * _PAGE_BYTES},nr_inodes=4096"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(top)], check=True)
        try:
            yield _fits(top)
        finally:
            subprocess.run(["umount", "-l", str(top)], check=True)
            top.rmdir()


def _fits(top: Path) -> bool:
    failure = ""
    try:
        commit(top, DiskFiles(), 0)
    except (CASError, OSError) as error:  # the latter from making what is to be stored
        failure = str(error)
    assert not failure or "No space left on device" in failure
    subprocess.run(["mount", "-o", "remount,size=16M", str(top)], check=True)
    # without space, it may fail at the very end, when all was said
    assert failure or whole_artifacts(top) == {NAMES[0]}
    commit(top, DiskFiles(), 0)
    assert whole_artifacts(top) == {NAMES[0]}
    return not failure


if __name__ == "__main__":
    fitted = list(fill_disks(Path(sys.argv[1])))
    sys.stdout.write(f"{fitted.count(False)} {fitted.count(True)}\n")
