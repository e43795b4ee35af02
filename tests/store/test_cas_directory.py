"""Directories over trees of the store, as plugins see them."""

import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._store.cas import Cas
from buildstream._store.cas_directory import CasDirectory
from buildstream._store.host_directory import HostDirectory
from buildstream.storage import Directory, DirectoryError, FileStat, FileType

Make = Callable[..., str]

TREE = {
    "bin/tool": ("x", "tool"),
    "bin/alias": ("->", "tool"),
    "etc/conf": "conf",
    "etc/up": ("->", "../bin"),
    "abs": ("->", "/etc/conf"),
    "loop": ("->", "loop"),
    "dangling": ("->", "nowhere/at/all"),
    "empty": None,
}


@pytest.fixture
def directory(cas: Cas, make_tree: Make) -> CasDirectory:
    return CasDirectory(cas, cas.import_directory(make_tree(TREE)))


def write(directory: Directory, path: str, text: str) -> None:
    with directory.open_file(path, mode="w") as file:
        file.write(text)


def read(directory: Directory, path: str) -> str:
    with directory.open_file(path) as file:
        text = file.read()
        assert isinstance(text, str)
        return text


# --- Looking


def test_it_is_a_collection_of_names(directory: CasDirectory, cas: Cas) -> None:
    # Directories come first, then files, then links.
    assert list(directory) == ["bin", "empty", "etc", "abs", "dangling", "loop"]
    assert len(directory) == 6
    assert directory
    assert not CasDirectory(cas)
    write(directory, "zz", "new")
    write(directory, "aa", "new")
    assert list(directory)[-2:] == ["zz", "aa"]


def test_its_name_tells_the_path(directory: CasDirectory) -> None:
    assert str(directory) == "[CAS:/]"
    assert str(directory.open_directory("a/b", create=True)) == "[CAS://a/b]"


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("bin", True),
        ("bin/tool", True),
        ("bin//tool", True),
        ("./bin/../etc/./conf", True),
        ("../../bin/tool", True),
        ("", False),
        (".", False),
        ("bin/", False),
        ("bin/..", False),
        ("missing", False),
        ("missing/tool", False),
        ("bin/tool/x", False),
        ("etc/up/tool", False),
        ("dangling", True),
    ],
)
def test_exists(directory: CasDirectory, path: str, is_there: bool) -> None:
    assert directory.exists(path) is is_there


@pytest.mark.parametrize(
    ("path", "is_there"),
    [("etc/up/tool", True), ("abs", True), ("loop", False), ("dangling", False), ("etc/up", True)],
)
def test_exists_behind_links(directory: CasDirectory, path: str, is_there: bool) -> None:
    assert directory.exists(path, follow_symlinks=True) is is_there


def test_absolute_links_start_at_the_root_of_the_tree(directory: CasDirectory) -> None:
    subdirectory = directory.open_directory("empty")
    assert subdirectory.isfile("../abs", follow_symlinks=True)
    assert directory.islink("abs")
    assert not directory.islink("abs", follow_symlinks=True)


@pytest.mark.parametrize("call", ["open_directory", "exists", "stat", "readlink", "remove", "isfile"])
def test_absolute_paths_are_refused(directory: CasDirectory, call: str) -> None:
    for path in ("/", "/bin", "/bin/tool"):
        with pytest.raises(ValueError, match="Invalid path"):
            getattr(directory, call)(path)


def test_types(directory: CasDirectory) -> None:
    for path, kind in (("bin", "isdir"), ("bin/tool", "isfile"), ("abs", "islink")):
        for method in ("isdir", "isfile", "islink"):
            assert getattr(directory, method)(path) is (method == kind)


def test_stat(directory: CasDirectory, cas: Cas, make_tree: Make) -> None:
    assert directory.stat("bin") == FileStat(FileType.DIRECTORY, executable=True)
    assert directory.stat("bin/tool") == FileStat(FileType.REGULAR_FILE, executable=True, size=4)
    assert directory.stat("etc/conf") == FileStat(FileType.REGULAR_FILE, size=4)
    assert directory.stat("bin/alias") == FileStat(FileType.SYMLINK, size=4)
    with pytest.raises(DirectoryError, match="missing not found in"):
        directory.stat("missing")
    tree = make_tree({"f": "x"})
    os.utime(f"{tree}/f", ns=(0, 1425445567_500000_000))
    with_times = CasDirectory(cas, cas.import_directory(tree, mtimes=True))
    assert with_times.stat("f").mtime == 1425445567.5


def test_open_directory(directory: CasDirectory) -> None:
    assert list(directory.open_directory("")) == list(directory)
    assert list(directory.open_directory("bin/../etc")) == ["conf", "up"]
    assert directory.open_directory("etc/up", follow_symlinks=True).exists("tool")
    for path, reason in (
        ("missing", "directory-not-found"),
        ("bin/tool", "not-a-directory"),
        ("etc/up", "not-a-directory"),
        ("bin/alias/x", "not-a-directory"),
    ):
        with pytest.raises(DirectoryError) as raised:
            directory.open_directory(path)
        assert raised.value.reason == reason
    with pytest.raises(DirectoryError):
        directory.open_directory("loop", follow_symlinks=True)


def test_open_directory_creates(directory: CasDirectory) -> None:
    created = directory.open_directory("etc/up/new/deep", create=True, follow_symlinks=True)
    write(created, "f", "x")
    assert read(directory, "bin/new/deep/f") == "x"
    assert not directory.open_directory("a/b", create=True)


def test_listing_has_files_before_directories(directory: CasDirectory) -> None:
    assert list(directory.list_relative_paths()) == [
        "abs",
        "dangling",
        "loop",
        "bin",
        "bin/alias",
        "bin/tool",
        "empty",
        "etc",
        "etc/conf",
        "etc/up",
    ]


def test_content_of_entries(directory: CasDirectory) -> None:
    assert directory.file_digest("etc/conf") == digest_from_bytes(b"conf").hash
    assert directory.readlink("etc/up") == "../bin"
    assert read(directory, "bin/tool") == "tool"
    for call, path in (
        (directory.file_digest, "bin"),
        (directory.file_digest, "abs"),
        (directory.readlink, "bin/tool"),
        (directory.readlink, "missing"),
    ):
        with pytest.raises(DirectoryError):
            call(path)


# --- Changing


def test_open_file_writes_when_the_body_ends(directory: CasDirectory) -> None:
    with directory.open_file("new", mode="w+") as file:
        file.write("é")
        assert not directory.exists("new")
        assert os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
        os.chmod(file.name, 0o755)
        name = file.name
    assert not os.path.exists(name)
    assert directory.stat("new") == FileStat(FileType.REGULAR_FILE, executable=True, size=2)
    with directory.open_file("new", mode="rb") as binary:
        assert binary.read() == "é".encode()


def test_open_file_writes_nothing_if_the_body_fails(directory: CasDirectory, tmp_path: Path) -> None:
    def write_half() -> None:
        with directory.open_file("etc/conf", mode="w") as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert read(directory, "etc/conf") == "conf"
    assert os.listdir(tmp_path / "cache" / "tmp") == []


def test_open_file_may_close_the_file_itself(directory: CasDirectory) -> None:
    with directory.open_file("new", mode="wb") as file:
        file.write(b"x")
        file.close()
    assert read(directory, "new") == "x"


def test_open_file_refuses(directory: CasDirectory) -> None:
    for mode in ("a", "r+", "rw", ""):
        with pytest.raises(ValueError, match="Unsupported mode"), directory.open_file("f", mode=mode):
            pass
    for path, mode in (
        ("missing", "r"),
        ("bin", "r"),
        ("abs", "r"),
        ("bin", "w"),
        ("abs", "w"),
        ("etc/conf", "x"),
        ("missing/f", "w"),
    ):
        with pytest.raises(DirectoryError), directory.open_file(path, mode=mode):
            pass


def test_changes_show_in_every_view_and_in_the_digest(cas: Cas, make_tree: Make) -> None:
    directory = CasDirectory(cas)
    subdirectory = directory.open_directory("a/b", create=True)
    write(subdirectory, "f", "x")
    assert directory._digest() == cas.import_directory(make_tree({"a/b/f": "x"}))
    write(subdirectory, "g", "y")
    assert directory._digest() == cas.import_directory(make_tree({"a/b/f": "x", "a/b/g": "y"}))
    assert subdirectory._digest() == cas.import_directory(make_tree({"f": "x", "g": "y"}))
    directory.remove("a", recursive=True)
    assert directory._digest() == EMPTY_DIGEST


def test_remove(directory: CasDirectory) -> None:
    directory.remove("bin/tool")
    directory.remove("empty")
    assert not directory.exists("bin/tool")
    with pytest.raises(DirectoryError, match="is not empty"):
        directory.remove("bin")
    directory.remove("bin", recursive=True)
    assert sorted(directory) == ["abs", "dangling", "etc", "loop"]
    for path in ("missing", "", "etc/.."):
        with pytest.raises(DirectoryError):
            directory.remove(path)


def test_rename(directory: CasDirectory) -> None:
    directory.rename("etc/conf", "bin/tool")
    assert read(directory, "bin/tool") == "conf"
    directory.rename("bin", "etc")  # a directory that is not empty is replaced
    assert sorted(directory.open_directory("etc")) == ["alias", "tool"]
    assert not directory.exists("bin")
    directory.rename("etc", "etc")
    assert directory.exists("etc/tool")
    for source, target in (("missing", "x"), ("etc", "etc/inside"), ("abs", "missing/x")):
        with pytest.raises(DirectoryError):
            directory.rename(source, target)
    write(directory.open_directory("etc"), "later", "x")
    assert read(directory, "etc/later") == "x"


def test_create_empty_file(directory: CasDirectory) -> None:
    directory._create_empty_file("bin/tool")
    assert directory.stat("bin/tool") == FileStat(FileType.REGULAR_FILE)
    with pytest.raises(DirectoryError):
        directory._create_empty_file("bin")


def test_subtree_read_only_is_a_property_of_one_directory(cas: Cas) -> None:
    directory = CasDirectory(cas)
    directory.open_directory("dev", create=True)._set_subtree_read_only(False)
    directory._set_subtree_read_only(True)
    again = CasDirectory(cas, directory._digest())
    assert str(again.open_directory("dev")._digest()).startswith("26c02bd88d2b")
    write(again, "f", "x")  # written again, the property stays
    assert cas.read_directory(again._digest()).subtree_read_only is True
    again.open_directory("dev")._set_subtree_read_only(None)
    again._set_subtree_read_only(None)
    again.remove("f")
    plain = CasDirectory(cas)
    plain.open_directory("dev", create=True)
    assert again._digest() == plain._digest()


# --- Importing


def test_import_merges_and_tells_what_it_did(directory: CasDirectory, make_tree: Make) -> None:
    result = directory.import_files(
        make_tree(
            {"bin/tool": "new", "bin/other": "x", "empty": "now a file", "etc": None, "lib/a/b": "deep"}
        )
    )
    assert result is not None
    assert sorted(result.files_written) == ["bin/other", "bin/tool", "empty", "lib/a/b"]
    assert sorted(result.overwritten) == ["bin/tool", "empty"]
    assert result.ignored == []
    assert read(directory, "bin/tool") == "new"
    assert directory.stat("bin/tool").executable is False
    assert directory.exists("etc/conf")
    assert read(directory, "lib/a/b") == "deep"


def test_files_do_not_replace_directories_with_content(directory: CasDirectory, make_tree: Make) -> None:
    result = directory.import_files(make_tree({"bin": "a file", "etc": ("->", "bin"), "f": "x"}))
    assert result is not None
    assert sorted(result.ignored) == ["bin", "etc"]
    assert result.files_written == ["f"]
    assert directory.isdir("bin")


@pytest.mark.parametrize(("name", "kind"), [("bin/tool", "regular file"), ("abs", "symlink")])
def test_directories_do_not_replace_files(
    directory: CasDirectory, make_tree: Make, name: str, kind: str
) -> None:
    with pytest.raises(DirectoryError, match=f"Destination is a {kind}, not a directory: /{name}"):
        directory.import_files(make_tree({f"{name}/x": "x"}))


def test_the_filter_sees_directories_after_their_content(directory: CasDirectory, make_tree: Make) -> None:
    seen: list[str] = []

    def wanted(path: str) -> bool:
        seen.append(path)
        return path in ("new/kept", "accepted", "bin/tool")

    result = directory.import_files(
        make_tree(
            {"new/kept": "x", "new/dropped": "x", "rejected/sub": None, "accepted": None, "bin/tool": "t"}
        ),
        filter_callback=wanted,
    )
    assert result is not None
    assert seen.index("new/kept") < seen.index("new")
    assert seen.index("rejected/sub") < seen.index("rejected")
    assert result.files_written == ["bin/tool", "new/kept"]
    assert sorted(directory.open_directory("new")) == ["kept"]
    assert directory.isdir("accepted")
    assert not directory.exists("rejected")
    assert directory.isdir("bin")


def test_what_is_imported_may_be_another_directory(
    directory: CasDirectory, cas: Cas, make_tree: Make
) -> None:
    target = CasDirectory(cas)
    target.import_files(directory.open_directory("etc"))
    target.import_files(HostDirectory(make_tree({"host": "x"})))
    assert target.import_files(make_tree({"quiet": "x"}), collect_result=False) is None
    assert sorted(target) == ["conf", "host", "quiet", "up"]
    with pytest.raises(DirectoryError):
        target.import_files("/does/not/exist")


def test_import_single_file(directory: CasDirectory, make_tree: Make) -> None:
    tree = make_tree({"f": "x", "abs": "y", "bin": "z"})
    os.chmod(f"{tree}/f", 0o755)
    assert directory.import_single_file(f"{tree}/f").files_written == ["f"]
    assert directory.stat("f").executable
    assert directory.import_single_file(f"{tree}/abs").overwritten == ["abs"]
    assert directory.import_single_file(f"{tree}/bin").ignored == ["bin"]


def test_import_tree_reads_only_what_overlaps(cas: Cas, make_tree: Make) -> None:
    # The grafted subtree is not in the store at all: looking into it would fail.
    from buildstream._model.tree import DirectoryEntry, TreeDirectory

    absent = Digest("0" * 64, 100)
    tree = cas.add_directory(
        TreeDirectory(directories=(DirectoryEntry("far", absent), DirectoryEntry("usr", EMPTY_DIGEST)))
    )
    directory = CasDirectory(cas, cas.import_directory(make_tree({"usr/f": "x"})))
    result = directory._import_tree(tree)
    assert result.overwritten == []
    assert {entry.name: entry.digest for entry in cas.read_directory(directory._digest()).directories}[
        "far"
    ] == absent


def test_import_tree_at_a_path(directory: CasDirectory, cas: Cas, make_tree: Make) -> None:
    tree = cas.import_directory(make_tree({"a/f": "x"}))
    assert directory._import_tree(tree, path="opt/../srv//deep").files_written == ["a/f"]
    assert read(directory, "srv/deep/a/f") == "x"
    assert directory.isdir("opt")


# --- Content that comes later


def test_pending_content_is_resolved_once_and_late(
    directory: CasDirectory, cas: Cas, make_tree: Make
) -> None:
    tree = cas.import_directory(make_tree({"out": "x"}))
    calls: list[int] = []

    def resolve() -> Digest:
        calls.append(1)
        return tree

    handle = directory.open_directory("bin")
    directory._attach_pending("bin", resolve)
    directory._attach_pending("new/place", resolve)
    assert directory.exists("etc/conf")
    assert directory.isdir("bin")
    assert calls == []
    assert list(handle) == ["out"]
    assert calls == [1]
    directory._digest()
    directory._digest()
    assert calls == [1, 1]
    assert read(directory, "new/place/out") == "x"


def test_pending_content_may_replace_the_root(directory: CasDirectory, cas: Cas, make_tree: Make) -> None:
    stale = directory.open_directory("bin")
    tree = cas.import_directory(make_tree({"out": "x"}))
    directory._attach_pending("", lambda: tree)
    write(stale, "late", "x")
    assert directory._digest() == tree
    write(directory, "more", "y")
    assert sorted(directory) == ["more", "out"]


def test_pending_content_that_fails_fails_again(directory: CasDirectory) -> None:
    calls: list[int] = []

    def resolve() -> Digest:
        calls.append(1)
        raise DirectoryError("lost")

    directory._attach_pending("bin", resolve)
    for _ in range(2):
        with pytest.raises(DirectoryError, match="lost"):
            directory._digest()
    assert calls == [1]


# --- Exporting


def test_export_to_tar(directory: CasDirectory) -> None:
    def export(prefix: str) -> bytes:
        stream = BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            directory.export_to_tar(archive, prefix)
        return stream.getvalue()

    assert export("p") == export("p")
    with tarfile.open(fileobj=BytesIO(export("p/q"))) as archive:
        assert archive.getnames() == [
            f"p/q/{name}"
            for name in [
                "abs",
                "bin",
                "bin/alias",
                "bin/tool",
                "dangling",
                "empty",
                "etc",
                "etc/conf",
                "etc/up",
                "loop",
            ]
        ]
        tool = archive.getmember("p/q/bin/tool")
        assert (tool.mode, tool.mtime, tool.uid, tool.gid, tool.uname) == (0o755, 1321009871, 0, 0, "")
        assert archive.getmember("p/q/etc/conf").mode == 0o644
        assert archive.getmember("p/q/abs").linkname == "/etc/conf"
        content = archive.extractfile(tool)
        assert content is not None
        assert content.read() == b"tool"
    with tarfile.open(fileobj=BytesIO(export(""))) as archive:
        assert archive.getnames()[0] == "abs"
