"""Power that is lost at any moment takes nothing that was promised, and leaves nothing half."""

import os
import random
import shutil
from pathlib import Path

import pytest

from buildstream._act.retention import artifact_references
from buildstream._exceptions import CASError
from buildstream._store.cas import Cas
from buildstream._store.layout import TreeForm
from buildstream._store.workers import WORTHWHILE
from tests.fault.commits import NAMES, Session, whole_artifacts
from tests.fault.powerloss import NotingDisk


@pytest.fixture
def disk(tmp_path: Path) -> NotingDisk:
    return NotingDisk(tmp_path / "store")


def test_records_that_are_left_are_complete(tmp_path: Path, disk: NotingDisk) -> None:
    # two sessions at once, the second of which finds much of what it needs there, not yet on the disk
    first, second = (Session(tmp_path / "store", disk) for _ in range(2))
    messages = [first.add(0), second.add(1), first.add(2), second.add(3)]
    for number, session in enumerate((first, second, first, second)):
        session.commit(number, messages[number])
    first.cas.close()
    second.cas.close()
    assert len(disk.snapshots) > 40
    promised = check_losses(tmp_path, disk)
    assert promised == set(NAMES), "all are safe once the sessions have ended"


def test_who_finds_all_there_flushes_nevertheless(tmp_path: Path, disk: NotingDisk) -> None:
    # what the first one has written is not on the disk yet
    first, second = (Session(tmp_path / "store", disk) for _ in range(2))
    first.add(0)
    message = second.add(0)
    before = len(disk.snapshots)
    second.commit(0, message)
    second.cas.close()
    assert check_losses(tmp_path, disk, first=before, seeds=60) == {NAMES[0]}


def test_what_workers_have_stored_is_flushed_before_the_record(tmp_path: Path, disk: NotingDisk) -> None:
    session = Session(tmp_path / "store", disk)
    message = session.add_many(0, WORTHWHILE)
    assert len(disk.snapshots[-1].unsafe_names) > WORTHWHILE
    before = len(disk.snapshots)
    session.commit(0, message)
    session.cas.close()
    assert check_losses(tmp_path, disk, first=before, seeds=2) == {NAMES[0]}


def test_without_durability_damage_is_found(tmp_path: Path, disk: NotingDisk) -> None:
    session = Session(tmp_path / "store", disk, durable=False)
    for number in range(2):
        session.commit(number, session.add(number))
    session.cas.close()
    damaged: set[object] = set()
    for seed in range(150):
        left = tmp_path / "left" / str(seed)
        disk.snapshots[-1].leave(left, random.Random(seed))
        try:
            whole_artifacts(left)
        except CASError as error:  # told when it is read, instead of giving it out
            damaged.add(error.reason)
        shutil.rmtree(left)
    assert damaged == {"corrupt-blob"}


def test_stubs_that_may_not_be_whole_are_made_again(tmp_path: Path, disk: NotingDisk) -> None:
    session = Session(tmp_path / "store", disk)
    (files,) = (each.digest for each in artifact_references(session.add(0)) if each.part == "files")
    tree = Path(session.cas.extracted_tree(files, TreeForm.STUBS))
    attributes = os.listxattr(tree / "file-0")
    for name in attributes:  # which a disk may lose as it may the content of a file
        os.removexattr(tree / "file-0", name)
    disk.boot = "second boot"
    again = Cas(session.cas.directory, disk=disk)
    assert os.listxattr(Path(again.extracted_tree(files, TreeForm.STUBS)) / "file-0") == attributes


def test_trees_that_may_not_be_whole_are_made_again(tmp_path: Path, disk: NotingDisk) -> None:
    session = Session(tmp_path / "store", disk)
    (files,) = (each.digest for each in artifact_references(session.add(0)) if each.part == "files")
    tree = Path(session.cas.extracted_tree(files))
    lose(tree / "file-0")
    disk.boot = "second boot"
    again = Cas(session.cas.directory, disk=disk)
    assert (Path(again.extracted_tree(files)) / "file-0").read_text() == "content 0\n" * 100


def test_trees_that_were_on_the_disk_are_kept(tmp_path: Path, disk: NotingDisk) -> None:
    session = Session(tmp_path / "store", disk)
    (files,) = (each.digest for each in artifact_references(session.add(0)) if each.part == "files")
    tree = Path(session.cas.extracted_tree(files))
    inode = tree.stat().st_ino
    session.cas.flush()
    note = tmp_path / "store" / "cas" / "synced"
    os.utime(note, ns=(note.stat().st_mtime_ns + 5 * 10**9,) * 2)  # the flush was some seconds after
    disk.boot = "second boot"
    assert Path(Cas(session.cas.directory, disk=disk).extracted_tree(files)).stat().st_ino == inode


def check_losses(tmp_path: Path, disk: NotingDisk, *, first: int = 0, seeds: int = 6) -> set[str]:
    """Loses the power at every moment from the FIRST on; the artifacts that were safe at the last one."""
    promised: set[str] = set()
    for position, snapshot in enumerate(disk.snapshots[first:], first):
        for seed in range(seeds):
            left = tmp_path / "left"
            snapshot.leave(left, random.Random(position * 1000 + seed))
            promised = {name for name in NAMES if f"artifacts/refs/{name}" in snapshot.safe_names}
            assert promised <= whole_artifacts(left), (position, seed)
            shutil.rmtree(left)
    return promised


def lose(path: Path) -> None:
    """Puts zeros in place of a content, as a disk may that got the size but not the data."""
    status = path.stat()
    path.unlink()
    path.write_bytes(bytes(status.st_size))
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    parent = path.parent  # as if it had been so when the tree was made
    os.utime(parent, ns=(parent.stat().st_atime_ns, parent.stat().st_mtime_ns))
