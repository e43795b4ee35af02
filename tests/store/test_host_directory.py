"""Directories of the host, as plugins see them."""

import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from buildstream._model.digest import digest_from_bytes
from buildstream._store.cas import Cas
from buildstream._store.cas_directory import CasDirectory
from buildstream._store.host_directory import HostDirectory
from buildstream.storage import Directory, DirectoryError, FileStat, FileType
from buildstream.utils import UtilError

Make = Callable[..., str]
Read = Callable[[str], dict[str, object]]

TREE = {
    "bin/tool": ("x", "tool"),
    "bin/alias": ("->", "tool"),
    "etc/conf": "conf",
    "etc/up": ("->", "../bin"),
    "abs": ("->", "/etc/conf"),
    "loop": ("->", "loop"),
}


@pytest.fixture
def directory(make_tree: Make) -> HostDirectory:
    return HostDirectory(make_tree(TREE))


def test_it_is_a_collection_of_names(directory: HostDirectory, tmp_path: Path) -> None:
    assert sorted(directory) == ["abs", "bin", "etc", "loop"]
    assert len(directory) == 4
    (tmp_path / "nothing").mkdir()
    assert not HostDirectory(str(tmp_path / "nothing"))
    assert str(directory) == directory.host_path


@pytest.mark.parametrize("path", ["", ".", "bin", "bin/", "bin/..", "bin//tool", "../bin/tool", "loop"])
def test_exists(directory: HostDirectory, path: str) -> None:
    assert directory.exists(path)


def test_links_are_followed_inside_the_tree_only(directory: HostDirectory) -> None:
    assert directory.isfile("abs", follow_symlinks=True)
    assert directory.isfile("etc/up/tool", follow_symlinks=True)
    assert not directory.exists("etc/up/tool")
    assert not directory.exists("loop", follow_symlinks=True)
    assert directory.open_directory("etc").isfile("../abs", follow_symlinks=True)
    os.symlink("../../../../../../../etc/passwd", f"{directory.host_path}/out")
    assert not directory.exists("out", follow_symlinks=True)


def test_absolute_paths_are_refused(directory: HostDirectory) -> None:
    for call in (directory.open_directory, directory.exists, directory.stat, directory.remove):
        for path in ("/", "/bin", "/bin/tool"):
            with pytest.raises(ValueError, match="Invalid path"):
                call(path)


def test_open_directory(directory: HostDirectory) -> None:
    assert sorted(directory.open_directory("bin/../etc")) == ["conf", "up"]
    directory.open_directory("a/b", create=True)
    assert directory.isdir("a/b")
    for path, reason in (
        ("missing", "directory-not-found"),
        ("bin/tool", "not-a-directory"),
        ("etc/up", "not-a-directory"),
        ("loop", "not-a-directory"),
    ):
        with pytest.raises(DirectoryError) as raised:
            directory.open_directory(path)
        assert raised.value.reason == reason


def test_stat(directory: HostDirectory) -> None:
    os.utime(f"{directory.host_path}/bin/tool", (0, 1234.5))
    assert directory.stat("bin/tool") == FileStat(
        FileType.REGULAR_FILE, executable=True, size=4, mtime=1234.5
    )
    assert directory.stat("bin").file_type is FileType.DIRECTORY
    assert directory.stat("abs").size == len("/etc/conf")
    with pytest.raises(DirectoryError):
        directory.stat("missing")


def test_content_of_entries(directory: HostDirectory) -> None:
    assert directory.file_digest("etc/conf") == digest_from_bytes(b"conf").hash
    assert directory.readlink("etc/up") == "../bin"
    for call, path in ((directory.file_digest, "bin"), (directory.readlink, "bin/tool")):
        with pytest.raises(DirectoryError):
            call(path)


def test_open_file(directory: HostDirectory) -> None:
    with directory.open_file("etc/new", mode="x") as file:
        file.write("é")
        os.fchmod(file.fileno(), 0o755)
        assert not directory.exists("etc/new")
    assert directory.stat("etc/new").executable
    with directory.open_file("etc/new", mode="rb") as file:
        assert file.read() == "é".encode()
    with pytest.raises(FileNotFoundError), directory.open_file("missing"):
        pass
    for path, mode in (("abs", "r"), ("bin", "w"), ("etc/conf", "x"), ("missing/f", "w")):
        with pytest.raises(DirectoryError), directory.open_file(path, mode=mode):
            pass
    with pytest.raises(ValueError, match="Unsupported mode"), directory.open_file("f", mode="a"):
        pass
    assert sorted(directory.open_directory("etc")) == ["conf", "new", "up"]


def test_remove_and_rename(directory: HostDirectory) -> None:
    with pytest.raises(DirectoryError):
        directory.remove("bin")
    directory.rename("etc/conf", "bin/conf")
    with pytest.raises(DirectoryError):
        directory.rename("etc", "bin")
    directory.remove("bin", recursive=True)
    directory.remove("abs")
    assert sorted(directory) == ["etc", "loop"]
    with pytest.raises(DirectoryError):
        directory.remove("missing")


def test_imports_from_the_host_and_from_the_store(
    directory: HostDirectory, cas: Cas, make_tree: Make, read_tree: Read, tmp_path: Path
) -> None:
    stored = CasDirectory(cas)
    stored.import_files(directory)
    expected = {**TREE, "bin": None, "etc": None}
    sources: list[Directory | str] = [directory, directory.host_path, stored]
    for number, source in enumerate(sources):
        (tmp_path / f"target{number}").mkdir()
        target = HostDirectory(str(tmp_path / f"target{number}"))
        result = target.import_files(source)
        assert result is not None
        assert "bin/tool" in result.files_written
        assert read_tree(target.host_path) == expected
        again = target.import_files(source, filter_callback=lambda path: path == "etc/conf")
        assert again is not None
        assert again.overwritten == ["etc/conf"]
        blocked = target.import_files(HostDirectory(make_tree({"bin": "file"})))
        assert blocked is not None
        assert blocked.ignored == ["bin"]
        with pytest.raises(UtilError):
            target.import_files(CasDirectory(cas, cas.import_directory(make_tree({"abs/x/y": "x"}))))


def test_import_single_file(directory: HostDirectory, make_tree: Make) -> None:
    tree = make_tree({"f": ("x", "x"), "abs": "y", "bin": "z"})
    assert directory.import_single_file(f"{tree}/f").files_written == ["f"]
    assert directory.stat("f").executable
    assert directory.import_single_file(f"{tree}/abs").overwritten == ["abs"]
    assert directory.import_single_file(f"{tree}/bin").ignored == ["bin"]


def test_archives_are_those_of_the_same_tree_in_the_store(directory: HostDirectory, cas: Cas) -> None:
    archives: list[bytes] = []
    for source in (directory, CasDirectory(cas, cas.import_directory(directory.host_path))):
        stream = BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            source.export_to_tar(archive, "p")
        archives.append(stream.getvalue())
        assert list(source.list_relative_paths())[:2] == ["abs", "loop"]
    assert archives[0] == archives[1]
