"""Large trees, whose directories workers read and make: the result is that of one process."""

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._model.tree import DirectoryEntry, FileEntry, TreeDirectory, encode_directory
from buildstream._store.cas import Cas
from buildstream._store.checkout import export_directory
from buildstream._store.workers import WORTHWHILE
from tests.testutils.reading import reads

_SIZE = 3000  # of a file: so much that what one process reads shows who has read the files
_COUNT = 1200


@pytest.fixture
def cas(tmp_path: Path) -> Iterator[Cas]:
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False)
    yield cas
    cas.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree in which everything comes that a directory may hold."""
    top = tmp_path / "tree"
    for number in range(_COUNT):
        path = top / f"z{number % 12}" / "sub" / f"f{number}"
        if number < 12:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"%d " % number * (_SIZE // 5))
    crowded = top / "a" / "b" / "crowded"
    crowded.mkdir(parents=True)
    for number in range(1000):
        (crowded / str(number)).write_text(str(number))
    (crowded / "inner").mkdir()
    (crowded / "inner" / "leaf").write_text("leaf")
    odd = top / "a" / "ödd"
    odd.mkdir()
    (odd / "über").write_text("x")
    (odd / "program").write_text("y")
    (odd / "program").chmod(0o755)
    (odd / "nothing").touch()
    (odd / "large").write_bytes(b"z" * (1 << 20) + b"z")
    (odd / "link").symlink_to("nowhere")
    (odd / "empty").mkdir()
    return top


@pytest.mark.parametrize("hardlinks", [False, True])
@pytest.mark.parametrize("mtimes", [False, True])
def test_everything_is_made(tmp_path: Path, tree: Path, cas: Cas, hardlinks: bool, mtimes: bool) -> None:
    for path in (*tree.rglob("*"), tree):
        if not path.is_symlink():
            os.utime(path, ns=(0, 1425445567_123456_000 + len(path.name)))
    digest = cas.store_directory(str(tree), mtimes=mtimes)
    again = Cas(cas.directory, durable=False)
    before = reads()
    export_directory(again, digest, str(tmp_path / "out"), hardlinks=hardlinks)
    assert reads() - before < _COUNT * _SIZE
    again.close()
    assert cas.store_directory(str(tmp_path / "out"), mtimes=mtimes) == digest
    links = {path.stat().st_nlink for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert (2 in links) == (hardlinks and not mtimes)


@pytest.mark.parametrize("hardlinks", [False, True])
def test_relative_destination(
    tmp_path: Path, tree: Path, cas: Cas, hardlinks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = cas.store_directory(str(tree))
    monkeypatch.chdir(tmp_path)
    again = Cas(cas.directory, durable=False)
    before = reads()
    export_directory(again, digest, "out", hardlinks=hardlinks)
    assert reads() - before < _COUNT * _SIZE, "workers are elsewhere, and must find it nevertheless"
    again.close()
    assert cas.store_directory(str(tmp_path / "out")) == digest


def unusual(cas: Cas, crowd: int) -> Digest:
    """A tree with a directory that is valid, but not as anybody writes it."""
    files = tuple(FileEntry(f"f{number}", cas.add_bytes(b"%d" % number)) for number in range(crowd))
    entries = [encode_directory(TreeDirectory(files=(each,))) for each in files[:20]]
    below = cas.add_bytes(b"".join(reversed(entries)) + b"\x98\x06\x01")  # an unknown field
    crowded = cas.add_directory(TreeDirectory(files=files))
    return cas.add_directory(
        TreeDirectory(directories=(DirectoryEntry("below", below), DirectoryEntry("crowd", crowded)))
    )


@pytest.mark.parametrize("hardlinks", [False, True])
def test_directory_in_another_encoding(tmp_path: Path, cas: Cas, hardlinks: bool) -> None:
    export_directory(cas, unusual(cas, WORTHWHILE), str(tmp_path / "out"), hardlinks=hardlinks)
    below = tmp_path / "out" / "below"
    assert {path.name: path.read_text() for path in below.iterdir()} == {f"f{n}": f"{n}" for n in range(20)}


@pytest.mark.parametrize("hardlinks", [False, True])
def test_directory_that_is_damaged(tmp_path: Path, tree: Path, cas: Cas, hardlinks: bool) -> None:
    digest = cas.store_directory(str(tree))
    directory = cas.read_directory(digest)
    inner = next(child for name, child in directory.directories if name == "a")
    again = Cas(cas.directory, durable=False)
    damage(Path(cas.object_path(inner)))
    with pytest.raises(CASError) as caught:
        export_directory(again, digest, str(tmp_path / "out"), hardlinks=hardlinks)
    again.close()
    assert caught.value.reason == "corrupt-blob"


def damage(path: Path) -> None:
    """Flips a bit behind the back of the store."""
    status = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


# --- Looking for names


def test_names_are_looked_for_by_workers(tree: Path, cas: Cas) -> None:
    digest = cas.store_directory(str(tree))
    blobs = [digest_from_bytes(data) for data in (b"leaf", b"y", b"999")]
    inner = digest_from_bytes(
        encode_directory(TreeDirectory(files=(FileEntry("leaf", digest_from_bytes(b"leaf")),)))
    )
    for missing in (*blobs, inner):
        (path,) = Path(cas.directory, "objects", missing.hash[:2]).glob(f"{missing.hash[2:]}*")
        path.rename(path.with_suffix(".away"))
        assert not contains(cas, digest), missing
        path.with_suffix(".away").rename(path)
        assert contains(cas, digest)


def contains(cas: Cas, digest: Digest) -> bool:
    """Whether a command that is about to check out takes the tree for complete."""
    again = Cas(cas.directory, durable=False)
    again.verify_on_use()
    try:
        return again.contains_tree(digest)
    finally:
        again.close()


def test_other_form_of_an_object_counts(tmp_path: Path, cas: Cas) -> None:
    top = tmp_path / "programs"
    for number in range(2 * WORTHWHILE):
        path = top / f"d{number % 9}" / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}")
    cas.store_directory(str(top))
    for path in top.rglob("*"):
        path.chmod(0o755)
    programs = cas.store_directory(str(top))
    assert contains(cas, programs)


# --- What was seen to be right


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A tree so large that it is remembered."""
    top = tmp_path / "many"
    for number in range(2500):
        path = top / f"d{number % 25}" / f"f{number}"
        if number < 25:
            path.parent.mkdir(parents=True)
        path.write_bytes(content(number))
    return top


def content(number: int) -> bytes:
    """Of a file of that tree."""
    return b"content %d".ljust(_SIZE) % number


def object_of(cas: Cas, number: int) -> Path:
    """The object of one file of the tree."""
    name = digest_from_bytes(content(number)).hash
    return Path(cas.directory, "objects", name[:2], name[2:])


def records(cas: Cas) -> list[Path]:
    """What is remembered about trees that were right."""
    return list((Path(cas.directory).parent / "stats").glob("verified-*"))


def delivered(cas: Cas, digest: Digest, out: Path) -> bool:
    """Whether another command writes the tree to OUT; if not, it says that something is damaged."""
    again = Cas(cas.directory, durable=False)
    try:
        export_directory(again, digest, str(out), hardlinks=True)
    except CASError as error:
        if error.reason != "corrupt-blob":
            raise
        return False
    finally:
        again.close()
    return True


@pytest.fixture(params=["stored", "checked out"])
def right(request: pytest.FixtureRequest, tmp_path: Path, many: Path, cas: Cas) -> Digest:
    """A tree of which it is remembered that it is right."""
    if request.param == "stored":
        digest = cas.digest_directory(str(many), stores_many=True)
    else:
        digest = cas.import_directory(str(many))
        assert records(cas) == []
        assert delivered(cas, digest, tmp_path / "first")
    (record,) = records(cas)
    assert record.name == f"verified-tree-{digest.hash}"
    return digest


def test_objects_that_have_not_changed_are_not_read(tmp_path: Path, cas: Cas, right: Digest) -> None:
    before = reads()
    assert delivered(cas, right, tmp_path / "out")
    assert reads() - before < 1000 * _SIZE
    assert (tmp_path / "out" / "d7" / "f7").samefile(object_of(cas, 7))


@pytest.mark.parametrize("number", [0, 7, 2499])
def test_flipped_bit_is_found(tmp_path: Path, cas: Cas, right: Digest, number: int) -> None:
    damage(object_of(cas, number))
    assert not delivered(cas, right, tmp_path / "out")
    assert not (tmp_path / "out" / f"d{number % 25}" / f"f{number}").exists()


def test_all_flipped_bits_are_found(tmp_path: Path, cas: Cas, right: Digest) -> None:
    numbers = random.Random(1).sample(range(2500), 300)
    for number in numbers:
        damage(object_of(cas, number))
    contents = {digest_from_bytes(content(number)): content(number) for number in numbers}
    again = Cas(cas.directory, durable=False)
    found: list[Digest] = []

    def heal(digest: Digest) -> bool:
        found.append(digest)
        again.insert(digest, contents[digest])
        return True

    again.heal = heal
    export_directory(again, right, str(tmp_path / "out"), hardlinks=True)
    again.close()
    assert sorted(found) == sorted(contents)
    assert cas.import_directory(str(tmp_path / "out")) == right


def test_change_through_a_link_is_found(tmp_path: Path, cas: Cas, right: Digest) -> None:
    assert delivered(cas, right, tmp_path / "out")
    damage(tmp_path / "out" / "d7" / "f7")
    assert not delivered(cas, right, tmp_path / "again")


def test_changed_mode_is_repaired(tmp_path: Path, cas: Cas, right: Digest) -> None:
    object_of(cas, 7).chmod(0o666)
    assert delivered(cas, right, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "d7" / "f7").stat().st_mode) == 0o644


def test_object_that_became_something_else(tmp_path: Path, cas: Cas, right: Digest) -> None:
    path = object_of(cas, 7)
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert not delivered(cas, right, tmp_path / "out")


@pytest.mark.parametrize("right", ["stored"], indirect=True)
@pytest.mark.parametrize(
    "what", ["another boot", "another format", "nothing", "no number", "many digits", "the future"]
)
def test_record_that_does_not_count(tmp_path: Path, cas: Cas, right: Digest, what: str) -> None:
    (record,) = records(cas)
    lines = record.read_bytes().split(b"\n")
    assert cas.verified_ns(right) > 0
    record.write_bytes(
        {
            "another boot": b"\n".join([lines[0], b"0" * len(lines[1]), *lines[2:]]),
            "another format": b"\n".join([b"bst-verified-0", *lines[1:]]),
            "nothing": b"",
            "no number": b"\n".join([*lines[:-1], b"x"]),
            "many digits": b"\n".join([*lines[:-1], b"1" * 5000]),
            "the future": b"\n".join([*lines[:-1], b"9" + lines[-1]]),
        }[what]
    )
    assert cas.verified_ns(right) == 0
    before = reads()
    assert delivered(cas, right, tmp_path / "out")
    assert reads() - before > 2500 * _SIZE


def test_what_was_there_before_is_not_taken_to_be_right(tmp_path: Path, many: Path, cas: Cas) -> None:
    cas.add_bytes(content(7))
    damage(object_of(cas, 7))
    again = Cas(cas.directory, durable=False)
    digest = again.digest_directory(str(many), stores_many=True)
    again.close()
    assert records(cas) == []
    assert not delivered(cas, digest, tmp_path / "out")


def test_small_trees_are_not_remembered(tmp_path: Path, cas: Cas) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "file").write_text("x")
    assert delivered(cas, cas.import_directory(str(tmp_path / "small")), tmp_path / "out")
    assert records(cas) == []
