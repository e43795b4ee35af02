"""Trees written to host directories and tar archives."""

import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._store.cas import Cas
from buildstream._store.checkout import export_directory, export_tar

Make = Callable[..., str]
Read = Callable[[str], dict[str, object]]

TREE = {"bin/tool": ("x", "tool"), "bin/alias": ("->", "tool"), "conf": "conf", "empty": None}


@pytest.fixture
def digest(cas: Cas, make_tree: Make) -> Digest:
    return cas.import_directory(make_tree(TREE))


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_modes_are_what_the_umask_leaves(
    cas: Cas, digest: Digest, tmp_path: Path, read_tree: Read, umask: int
) -> None:
    out = str(tmp_path / "new" / "out")
    previous = os.umask(umask)
    try:
        export_directory(cas, digest, out)
    finally:
        os.umask(previous)
    assert read_tree(out) == {**TREE, "bin": None}
    for path, mode in (("bin/tool", 0o777), ("conf", 0o666), ("empty", 0o777), ("bin", 0o777)):
        assert stat.S_IMODE(os.stat(f"{out}/{path}").st_mode) == mode & ~umask
    assert os.stat(f"{out}/conf").st_mtime > 1500000000


def test_recorded_times_are_restored(cas: Cas, make_tree: Make, tmp_path: Path) -> None:
    tree = make_tree({"d/f": "x"})
    os.utime(f"{tree}/d/f", ns=(0, 1425445567_123456_000))
    os.utime(f"{tree}/d", ns=(0, 1425445568_000000_000))
    recorded = cas.import_directory(tree, mtimes=True)
    for name, hardlinks in (("copies", False), ("links", True)):
        export_directory(cas, recorded, str(tmp_path / name), hardlinks=hardlinks)
        assert os.stat(tmp_path / name / "d" / "f").st_mtime_ns == 1425445567_123456_000
        assert os.stat(tmp_path / name / "d").st_mtime_ns == 1425445568_000000_000


def test_hard_links_share_the_objects(cas: Cas, digest: Digest, tmp_path: Path) -> None:
    export_directory(cas, digest, str(tmp_path / "out"), hardlinks=True)
    assert os.path.samefile(tmp_path / "out" / "conf", cas.object_path(digest_from_bytes(b"conf")))
    assert cas.verify(digest_from_bytes(b"tool"))


def test_existing_files_are_replaced_only_by_force(
    cas: Cas, digest: Digest, make_tree: Make, read_tree: Read, tmp_path: Path
) -> None:
    out = make_tree({"conf": "old", "other": "stays", "bin/alias": "was a file"})
    (tmp_path / "outside").mkdir()
    os.symlink(tmp_path / "outside", f"{out}/empty")
    with pytest.raises(CASError, match="there is a file already"):
        export_directory(cas, digest, out)
    export_directory(cas, digest, out, force=True)
    assert read_tree(out) == {**TREE, "bin": None, "other": "stays"}


def test_existing_directories_are_never_replaced_by_files(cas: Cas, digest: Digest, make_tree: Make) -> None:
    with pytest.raises(CASError, match="there is a directory already"):
        export_directory(cas, digest, make_tree({"conf/x": "x"}), force=True)


def tar(cas: Cas, digest: Digest, compression: str = "") -> bytes:
    stream = BytesIO()
    export_tar(cas, digest, stream, compression=compression)
    assert not stream.closed
    return stream.getvalue()


def test_archives_are_deterministic(cas: Cas, digest: Digest) -> None:
    for compression in ("", "gz", "xz", "bz2"):
        first = tar(cas, digest, compression)
        assert first == tar(cas, digest, compression)
        with tarfile.open(fileobj=BytesIO(first), mode="r:*") as archive:
            assert archive.getnames() == ["./bin", "./bin/alias", "./bin/tool", "./conf", "./empty"]
            assert {member.mtime for member in archive} == {1321009871}


def test_archives_have_the_bytes_of_buildstream(cas: Cas, make_tree: Make) -> None:
    tree = {
        "bin/a": ("x", "a\n"),
        "m": "m\n",
        "aa": ("->", "m"),
        "z/q": "q\n",
        "z/e": ("->", "/etc"),
        "Empty": None,
    }
    archive = tar(cas, cas.import_directory(make_tree(tree)))
    # as BuildStream 2.8 wrote it with `artifact checkout --tar`
    assert digest_from_bytes(archive).hash == (
        "69981125129ce8a600ad7afd347f65418aeb5b3dc93b8c3e2f8274509574d3d2"
    )


def test_an_empty_tree_is_an_empty_archive(cas: Cas) -> None:
    with tarfile.open(fileobj=BytesIO(tar(cas, EMPTY_DIGEST))) as archive:
        assert archive.getnames() == []


def test_archives_can_be_written_to_a_pipe(cas: Cas, digest: Digest) -> None:
    with subprocess.Popen(["tar", "t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        export_tar(cas, digest, cast("BinaryIO", process.stdin))
        process.stdin.close()
        assert process.stdout.read().startswith(b"./bin/\n./bin/alias\n")
    assert process.returncode == 0


def test_a_broken_pipe_is_an_error(cas: Cas, digest: Digest) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as stream, pytest.raises(CASError, match="Failed to write"):
        export_tar(cas, digest, cast("BinaryIO", stream))


def test_corrupt_files_are_not_delivered(cas: Cas, digest: Digest, tmp_path: Path) -> None:
    path = cas.object_path(digest_from_bytes(b"conf"))
    with open(path, "r+b") as file:
        file.write(b"junk")
    with pytest.raises(CASError) as raised:
        export_directory(cas, digest, str(tmp_path / "out"))
    assert raised.value.reason == "corrupt-blob"
    with pytest.raises(CASError):
        tar(cas, digest)
