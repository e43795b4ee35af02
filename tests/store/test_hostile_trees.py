"""Trees as a server, or a person with access to the store, may have made them to do harm."""

import os
import shutil
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory, encode_directory
from buildstream._store.cas import Cas
from buildstream._store.checkout import export_directory, export_tar
from buildstream._store.frozen import FrozenDirectory
from buildstream._store.layout import TreeForm
from buildstream._store.workers import WORTHWHILE

OUTSIDE = "what is outside"

BAD_NAMES = ["..", ".", "", "/", "/etc/passwd", "a/b", "../outside", "a\0b", "a/../../outside"]

# two entries of one name
DUPLICATES: dict[str, Callable[[Digest, Digest], TreeDirectory]] = {
    "files": lambda file, _: TreeDirectory(files=(FileEntry("a", file), FileEntry("a", EMPTY_DIGEST))),
    "file and directory": lambda file, folder: TreeDirectory(
        files=(FileEntry("a", file),), directories=(DirectoryEntry("a", folder),)
    ),
    "link and directory": lambda _, folder: TreeDirectory(
        directories=(DirectoryEntry("a", folder),), symlinks=(SymlinkEntry("a", "/"),)
    ),
    "directories": lambda _, folder: TreeDirectory(
        directories=(DirectoryEntry("a", folder), DirectoryEntry("a", EMPTY_DIGEST))
    ),
}

Export = Callable[[Cas, Digest, Path], object]
EXPORTS: dict[str, Export] = {
    "copies": lambda cas, digest, path: export_directory(cas, digest, str(path)),
    "links": lambda cas, digest, path: export_directory(cas, digest, str(path), hardlinks=True),
    "over files": lambda cas, digest, path: export_directory(cas, digest, str(path), force=True),
    "tar": lambda cas, digest, _: export_tar(cas, digest, BytesIO()),
    "extracted": lambda cas, digest, _: cas.extracted_tree(digest),
    "stubs": lambda cas, digest, _: cas.extracted_tree(digest, TreeForm.STUBS),
    "private": lambda cas, digest, path: cas.extract_private(FrozenDirectory(digest), str(path)),
}


@pytest.fixture
def cas(tmp_path: Path) -> Cas:
    (tmp_path / "outside").write_text(OUTSIDE, encoding="utf-8")
    return Cas(str(tmp_path / "store" / "cas"), durable=False)


def check_refused(cas: Cas, digest: Digest, export: Export, tmp_path: Path) -> None:
    with pytest.raises(CASError):
        export(cas, digest, tmp_path / "out")
    assert (tmp_path / "outside").read_text(encoding="utf-8") == OUTSIDE
    assert sorted(os.listdir(tmp_path)) in (["outside", "store"], ["out", "outside", "store"])
    for form in TreeForm:
        assert os.listdir(tmp_path / "store" / form.value) == []


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_names_that_lead_elsewhere(cas: Cas, tmp_path: Path, kind: str, name: str) -> None:
    file = cas.add_bytes(b"harm")
    if kind == "file":
        bad = TreeDirectory(files=(FileEntry(name, file),))
    elif kind == "directory":
        bad = TreeDirectory(directories=(DirectoryEntry(name, EMPTY_DIGEST),))
    else:
        bad = TreeDirectory(symlinks=(SymlinkEntry(name, "x"),))
    below = cas.add_bytes(encode_directory(bad))
    digest = cas.add_directory(TreeDirectory(directories=(DirectoryEntry("below", below),)))
    for export in EXPORTS.values():
        check_refused(cas, digest, export, tmp_path)


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_names_that_lead_elsewhere_from_a_large_tree(
    cas: Cas, tmp_path: Path, kind: str, name: str, crowd: Digest
) -> None:
    file = cas.add_bytes(b"harm")
    files = tuple(FileEntry(f"f{number}", file) for number in range(3))
    bad = {
        "file": TreeDirectory(files=(*files, FileEntry(name, file))),
        "directory": TreeDirectory(files, directories=(DirectoryEntry(name, EMPTY_DIGEST),)),
        "link": TreeDirectory(files, symlinks=(SymlinkEntry(name, "x"),)),
    }[kind]
    below = cas.add_bytes(encode_directory(bad))
    # the crowd is written first, and what comes then is left to workers
    digest = cas.add_directory(
        TreeDirectory(directories=(DirectoryEntry("below", below), DirectoryEntry("crowd", crowd)))
    )
    for export in ("copies", "links"):
        check_refused(cas, digest, EXPORTS[export], tmp_path)
        assert not (tmp_path / "out" / "below" / "f0").exists()
        shutil.rmtree(tmp_path / "out")
    cas.close()


@pytest.fixture
def crowd(cas: Cas) -> Digest:
    """A directory with so many files that workers make them."""
    files = tuple(FileEntry(f"f{number}", cas.add_bytes(b"%d" % number)) for number in range(WORTHWHILE))
    return cas.add_directory(TreeDirectory(files=files))


@pytest.mark.parametrize("make", DUPLICATES.values(), ids=DUPLICATES)
def test_names_that_come_twice(
    cas: Cas, tmp_path: Path, make: Callable[[Digest, Digest], TreeDirectory]
) -> None:
    file = cas.add_bytes(b"harm")
    folder = cas.add_directory(TreeDirectory(files=(FileEntry("outside", file),)))
    digest = cas.add_bytes(encode_directory(make(file, folder)))
    for export in EXPORTS.values():
        check_refused(cas, digest, export, tmp_path)


def test_link_and_files_behind_it_cannot_meet(cas: Cas, tmp_path: Path) -> None:
    # a link of an earlier check-out, where a later one has a directory
    (tmp_path / "victim").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").symlink_to(tmp_path / "victim")
    folder = cas.add_directory(TreeDirectory(files=(FileEntry("f", cas.add_bytes(b"x")),)))
    digest = cas.add_directory(TreeDirectory(directories=(DirectoryEntry("a", folder),)))
    with pytest.raises(CASError, match="there is a file already"):
        export_directory(cas, digest, str(out))
    export_directory(cas, digest, str(out), force=True)
    assert os.listdir(tmp_path / "victim") == []
    assert not (out / "a").is_symlink()


def test_file_is_not_written_through_a_link(cas: Cas, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "f").symlink_to(tmp_path / "outside")
    digest = cas.add_directory(TreeDirectory(files=(FileEntry("f", cas.add_bytes(b"harm")),)))
    export_directory(cas, digest, str(out), force=True)
    assert (tmp_path / "outside").read_text(encoding="utf-8") == OUTSIDE
    assert (out / "f").read_bytes() == b"harm"


def test_links_are_written_as_they_are(cas: Cas, tmp_path: Path) -> None:
    links = (SymlinkEntry("abs", str(tmp_path / "outside")), SymlinkEntry("up", "../outside"))
    digest = cas.add_directory(TreeDirectory(symlinks=links))
    export_directory(cas, digest, str(tmp_path / "out"))
    assert [(tmp_path / "out" / name).readlink() for name, _ in links] == [Path(to) for _, to in links]
    stream = BytesIO()
    export_tar(cas, digest, stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        names = archive.getnames()
    assert not any(name.startswith("/") or ".." in name.split("/") for name in names)


def test_directory_that_contains_itself(cas: Cas, tmp_path: Path) -> None:
    # there is no such hash; whoever can write to the store can pretend that there is
    inner = digest_from_bytes(b"pretended")
    data = encode_directory(TreeDirectory(directories=(DirectoryEntry("again", inner),)))
    path = Path(cas.directory, "objects", inner.hash[:2], inner.hash[2:])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    digest = cas.add_bytes(data)
    assert not cas.contains_tree(digest)
    for export in EXPORTS.values():
        check_refused(cas, digest, export, tmp_path)


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_many_entries(cas: Cas, count: int) -> None:
    entries = tuple(SymlinkEntry(f"{number:07}", "x") for number in range(count))
    digest = cas.add_directory(TreeDirectory(symlinks=entries))
    reader = Cas(cas.directory, durable=False)
    assert reader.contains_tree(digest)
    assert len(reader.read_directory(digest).symlinks) == count
    # the same folder ten thousand times over is looked at once
    folders = tuple(DirectoryEntry(f"{number:07}", digest) for number in range(10_000))
    assert reader.missing_blobs(cas.add_directory(TreeDirectory(directories=folders))) == []


def test_deeper_than_any_path(cas: Cas, tmp_path: Path) -> None:
    digest = cas.add_directory(TreeDirectory(files=(FileEntry("f", cas.add_bytes(b"x")),)))
    for _ in range(3000):
        digest = cas.add_directory(TreeDirectory(directories=(DirectoryEntry("deep", digest),)))
    reader = Cas(cas.directory, durable=False)
    assert reader.contains_tree(digest)
    for name in ("copies", "links", "extracted", "private"):
        with pytest.raises(CASError, match="File name too long"):
            EXPORTS[name](reader, digest, tmp_path / name)
    EXPORTS["tar"](reader, digest, tmp_path)  # has no limit


def test_size_that_is_not_true(cas: Cas, tmp_path: Path) -> None:
    file = cas.add_bytes(b"content")
    lie = TreeDirectory(files=(FileEntry("f", Digest(file.hash, 1 << 60)),))
    digest = cas.add_bytes(encode_directory(lie))
    assert not cas.contains_tree(digest)
    for export in EXPORTS.values():
        check_refused(cas, digest, export, tmp_path)
    assert cas.read_bytes(file) == b"content", "who tells a wrong size harms nothing"
