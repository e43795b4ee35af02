"""Large objects: what one command has seen to be right, the next one need not read."""

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import Digest
from buildstream._model.tree import FileEntry, TreeDirectory
from buildstream._store.cas import Cas
from buildstream._store.checkout import export_directory, export_tar
from buildstream._store.layout import TreeForm
from tests.testutils.largeobjects import KNOWN_BYTES, flip, flip_silently, object_of, record_of
from tests.testutils.reading import reads

_SIZE = KNOWN_BYTES
_CONTENT = b"large " * (_SIZE // 6)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "store" / "cas")


@contextmanager
def command(directory: str) -> Iterator[Cas]:
    """The store, as one command uses it."""
    cas = Cas(directory, durable=False)
    try:
        yield cas
    finally:
        cas.close()


@pytest.fixture
def large(directory: str) -> Digest:
    """A blob that a command has stored."""
    with command(directory) as cas:
        return cas.add_bytes(_CONTENT)


def add_tree(cas: Cas, *digests: Digest) -> Digest:
    files = tuple(FileEntry(f"large{number}", digest) for number, digest in enumerate(digests))
    return cas.add_directory(TreeDirectory(files=files))


def check_out(cas: Cas, tree: Digest, out: Path) -> bytes:
    export_directory(cas, tree, str(out))
    return (out / "large0").read_bytes()


def archive(cas: Cas, tree: Digest, out: Path) -> bytes:
    with out.open("wb") as stream:
        export_tar(cas, tree, stream)
    with tarfile.open(out) as found:
        member = found.extractfile("./large0")
        assert member is not None
        return member.read()


Way = Callable[[Cas, Digest, Path], bytes]
_WAYS = [pytest.param(check_out, id="directory"), pytest.param(archive, id="tar")]


def test_the_next_command_does_not_read_it(directory: str, large: Digest) -> None:
    before = reads()
    with command(directory) as cas:
        cas.object_path(large)
        assert cas.verify(large)
    assert reads() - before < _SIZE // 2


def test_a_link_is_made_without_reading_it(tmp_path: Path, directory: str, large: Digest) -> None:
    for number in range(3):  # each link sets the change time, which is remembered anew
        before = reads()
        with command(directory) as cas:
            assert cas.link(FileEntry("x", large), str(tmp_path / f"link{number}"))
        assert reads() - before < _SIZE // 2


def test_use_in_a_session_keeps_it_known(directory: str, large: Digest) -> None:
    for _ in range(2):
        before = reads()
        with command(directory) as cas:
            cas.begin_session()
            os.utime(object_of(directory, large), ns=(0, object_of(directory, large).stat().st_mtime_ns))
            cas.verify(large)  # its change time is another: it is read once
            assert cas.claim(large)  # which notes the use, and changes it again
        assert reads() - before > _SIZE // 2
        before = reads()
        with command(directory) as cas:
            assert cas.verify(large)
        assert reads() - before < _SIZE // 2


@pytest.mark.parametrize("what", ["discarded", "deleted", "adopted as stubs", "adopted as links"])
def test_a_file_that_became_an_object_is_known(tmp_path: Path, directory: str, what: str) -> None:
    """To delete its first name, or to make it a stub, changes the object."""
    top = tmp_path / "store" / "made"
    top.mkdir(parents=True)
    (top / "file").write_bytes(_CONTENT)
    with command(directory) as cas:
        tree = cas.import_directory(str(top), consume=True)
        if what == "discarded":
            cas.discard(str(top))
            cas.empty_trash()
        elif what == "deleted":
            cas.let_go(str(top))
            shutil.rmtree(top)
        else:
            form = TreeForm.STUBS if what == "adopted as stubs" else TreeForm.LINKS
            assert cas.adopt_tree(tree, str(top), form)
    with command(directory) as cas:
        (entry,) = cas.read_directory(tree).files
        before = reads()
        assert Path(cas.object_path(entry.digest)).stat().st_size == len(_CONTENT)
    assert reads() - before < _SIZE // 2


def test_a_changed_object_is_found(directory: str, large: Digest) -> None:
    flip(object_of(directory, large))
    with command(directory) as cas, pytest.raises(CASError) as caught:
        cas.object_path(large)
    assert caught.value.reason == "corrupt-blob"
    assert not object_of(directory, large).exists()


def test_both_forms_are_known_apart(directory: str, large: Digest) -> None:
    with command(directory) as cas:
        cas.object_path(large, executable=True)
    assert record_of(directory, large, ".x").exists()
    flip(object_of(directory, large))
    with command(directory) as cas:
        before = reads()
        cas.object_path(large, executable=True)
        assert reads() - before < _SIZE // 2
        assert Path(cas.object_path(large)).read_bytes() == _CONTENT  # made of the other


@pytest.mark.parametrize("what", ["another boot", "cut off", "gone"])
def test_record_that_does_not_count(directory: str, large: Digest, what: str) -> None:
    record = record_of(directory, large)
    head, boot, number = record.read_bytes().split(b"\n", 1)[0], b"0" * 37, b"9" * 19
    if what == "gone":
        record.unlink()
    else:
        record.write_bytes(b"\n".join([head, boot, number]) if what == "another boot" else head)
    before = reads()
    with command(directory) as cas:
        cas.object_path(large)
    assert reads() - before > _SIZE // 2


def test_small_objects_have_no_record(directory: str) -> None:
    with command(directory) as cas:
        cas.add_bytes(b"small")
    assert not list((Path(directory).parent / "stats").glob("verified-object-*"))


# --- What a disk has lost without telling


@pytest.mark.parametrize("way", _WAYS)
def test_it_does_not_leave_the_store(tmp_path: Path, directory: str, large: Digest, way: Way) -> None:
    with command(directory) as cas:
        tree = add_tree(cas, large)
        assert way(cas, tree, tmp_path / "right") == _CONTENT
    flip_silently(directory, large)
    with command(directory) as cas, pytest.raises(CASError) as caught:
        way(cas, tree, tmp_path / "wrong")
    assert caught.value.reason == "corrupt-blob"
    assert not object_of(directory, large).exists()


def test_it_is_got_from_elsewhere(tmp_path: Path, directory: str, large: Digest) -> None:
    with command(directory) as cas:
        tree = add_tree(cas, large)
    flip_silently(directory, large)
    with command(directory) as cas:

        def heal(digest: Digest) -> bool:
            cas.insert(digest, _CONTENT)
            return True

        cas.heal = heal
        assert check_out(cas, tree, tmp_path / "out") == _CONTENT


def test_a_check_of_the_store_finds_it(directory: str, large: Digest) -> None:
    flip_silently(directory, large)
    with command(directory) as cas:
        assert cas.verify(large)
        assert not cas.recheck(large)
    assert not object_of(directory, large).exists()


# --- Several at once


def test_large_files_are_made_together(tmp_path: Path, directory: str) -> None:
    contents = [bytes([number]) * _SIZE for number in range(5)]
    with command(directory) as cas:
        digests = [cas.add_bytes(content) for content in contents]
        tree = add_tree(cas, *digests)
        check_out(cas, tree, tmp_path / "out")
        assert [(tmp_path / "out" / f"large{number}").read_bytes() for number in range(5)] == contents
        flip(object_of(directory, digests[3]))
        with pytest.raises(CASError) as caught:
            check_out(cas, tree, tmp_path / "wrong")
    assert digests[3].hash in str(caught.value)


def test_an_archive_needs_no_position(directory: str, large: Digest) -> None:
    class Pipe(BytesIO):
        def tell(self) -> int:
            raise OSError("a pipe has none")

    stream = Pipe()
    with command(directory) as cas:
        export_tar(cas, add_tree(cas, large), stream)
    with tarfile.open(fileobj=BytesIO(stream.getvalue())) as found:
        assert found.getmember("./large0").size == len(_CONTENT)
    assert len(stream.getvalue()) % tarfile.RECORDSIZE == 0
