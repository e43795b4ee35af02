"""The public functions on files, versions and URLs."""

import os
import re
import stat
from pathlib import Path

import pytest

from buildstream import UtilError, utils
from buildstream._utils_atomic import temporary_directory
from buildstream._utils_glob import regex_from_glob


def _write(path: Path, text: str = "", mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def test_list_relative_paths_gives_files_before_subdirectories(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "b" / "f")
    _write(tmp_path / "ff")
    (tmp_path / "emp").mkdir()
    (tmp_path / "dang").symlink_to("nowhere")
    (tmp_path / "a" / "l").symlink_to("b")
    expected = ["dang", "ff", "a", "a/l", "a/b", "a/b/f", "emp"]
    assert list(utils.list_relative_paths(str(tmp_path))) == expected


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*", ["a", "/b", ".hid"], ["x/y"]),  # a leading dot is nothing special
        ("**", ["a", "x/y"], []),
        ("***", ["x/y"], []),
        ("x?z", ["xyz"], ["x/z", "xz"]),
        ("[ab]", ["a"], ["c", "[ab]"]),
        ("[!ab]", ["c"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^a]", ["^", "a"], ["b"]),
        (r"[\]", ["\\"], ["a"]),
        ("[ab", ["[ab"], ["a"]),  # never closed
        ("/usr/lib/lib*.so*", ["/usr/lib/libx.so.1"], ["/usr/lib/x/liby.so", "/usr/lib/libxso"]),
        ("a\nb", ["a\nb"], ["a"]),
    ],
)
def test_glob(pattern: str, matching: list[str], other: list[str]) -> None:
    assert list(utils.glob(matching + other, pattern)) == matching


def test_glob_regex_text() -> None:
    assert regex_from_glob("/usr/lib/lib*.so*") == r"/usr/lib/lib[^/]*\.so[^/]*\Z"


def test_a_bad_set_is_a_clean_error() -> None:
    with pytest.raises(UtilError):
        list(utils.glob(["a"], "[z-a]"))


@pytest.mark.parametrize(
    ("text", "pattern", "version"),
    [
        ("v1.2/foo-1.2.3.tgz", None, "1.2.3"),
        ("1.2.3/4.5.6", None, "1.2.3"),
        ("1.2.3.4", None, "1.2.3"),
        ("nothing", None, None),
        ("foo-12", r"\d+", "12"),
        ("foo_1_2", r"(\d+)_(\d+)", "1.2"),
    ],
)
def test_guess_version(text: str, pattern: str | None, version: str | None) -> None:
    assert utils.guess_version(text, pattern=re.compile(pattern) if pattern else None) == version


def test_small_functions(tmp_path: Path) -> None:
    assert utils.url_directory_name("https://foo.com/a%20b/é.tar") == "https___foo_com_a%20b___tar"
    assert utils.get_bst_version() >= (2, 8)
    assert os.path.isabs(utils.get_host_tool("sh"))
    with pytest.raises(utils.ProgramNotFoundError):
        utils.get_host_tool("no-such-program")
    with pytest.raises(UtilError):
        utils.sha256sum(str(tmp_path / "missing"))


def test_copy_files_replaces_files_but_not_full_directories(tmp_path: Path) -> None:
    src, dest = tmp_path / "src", tmp_path / "dest"
    _write(src / "same", "new", 0o755)
    _write(src / "full", "file")
    _write(src / "sub" / "deep", "deep")
    (src / "link").symlink_to("same")
    (src / "sub").chmod(0o750)
    _write(dest / "same", "old")
    _write(dest / "full" / "child")

    result = utils.copy_files(str(src), str(dest), report_written=True)

    assert (dest / "same").read_text(encoding="utf-8") == "new"
    assert os.access(dest / "same", os.X_OK)
    assert os.readlink(dest / "link") == "same"
    assert stat.S_IMODE((dest / "sub").stat().st_mode) == 0o750
    assert result.overwritten == ["same"]
    assert result.ignored == ["full"]
    assert sorted(result.files_written) == ["full", "link", "same", "sub", "sub/deep"]


def test_copy_files_does_not_follow_links_of_the_destination(tmp_path: Path) -> None:
    _write(tmp_path / "src" / "sub" / "file")
    (tmp_path / "dest").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "dest" / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(UtilError, match="Destination is a symlink, not a directory: /sub"):
        utils.copy_files(str(tmp_path / "src"), str(tmp_path / "dest"))
    assert not list((tmp_path / "outside").iterdir())


def test_link_files_links_and_filters(tmp_path: Path) -> None:
    _write(tmp_path / "src" / "keep" / "file")
    _write(tmp_path / "src" / "drop")
    utils.link_files(
        str(tmp_path / "src"), str(tmp_path / "dest"), filter_callback=lambda path: path == "keep/file"
    )
    assert (tmp_path / "dest" / "keep" / "file").samefile(tmp_path / "src" / "keep" / "file")
    assert not (tmp_path / "dest" / "drop").exists()


def test_safe_remove(tmp_path: Path) -> None:
    _write(tmp_path / "full" / "child")
    (tmp_path / "link").symlink_to("full")
    assert utils.safe_remove(str(tmp_path / "missing"))
    assert utils.safe_remove(str(tmp_path / "link"))
    assert not utils.safe_remove(str(tmp_path / "full"))


def test_save_file_atomic_writes_all_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with utils.save_file_atomic(str(target)) as file:
        file.write("whole")
        assert not target.exists()
        assert os.path.dirname(file.name) == str(tmp_path)
        assert file.real_filename == str(target)
    assert target.read_text(encoding="utf-8") == "whole"

    def fail_halfway() -> None:
        with utils.save_file_atomic(str(target)) as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert target.read_text(encoding="utf-8") == "whole"
    assert os.listdir(tmp_path) == ["file"]


def test_move_atomic_refuses_to_replace_a_full_directory(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "file")
    _write(tmp_path / "b" / "file")
    with pytest.raises(utils.DirectoryExistsError):
        utils.move_atomic(tmp_path / "a", tmp_path / "b")
    utils.move_atomic(tmp_path / "a", tmp_path / "new" / "parent" / "a")
    assert (tmp_path / "new" / "parent" / "a" / "file").exists()


def test_temporary_directory_is_removed_even_if_read_only(tmp_path: Path) -> None:
    with temporary_directory(str(tmp_path)) as directory:
        _write(Path(directory) / "locked" / "file")
        os.chmod(os.path.join(directory, "locked"), 0o500)
    assert not os.path.exists(directory)
