"""Taking host directories and overlays into the store."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import EMPTY_DIGEST, digest_from_bytes
from buildstream._store.cas import Cas

Make = Callable[..., str]

BASE = {
    "bin/tool": ("x", "#!/bin/sh\necho tool\n"),
    "bin/alias": ("->", "tool"),
    "etc/conf": "key=value\n",
    "empty": None,
}


def test_captures_the_reference_directories(cas: Cas, make_tree: Make) -> None:
    base = cas.import_directory(make_tree(BASE))
    lib = cas.import_directory(make_tree({"libx.so": "fake\n", "é.txt": "u\n"}))

    assert str(base) == "b4c34bf59b024b63b40cdcfbf3b180dcdbd8f742b9dda2bcab10183bda32e3d4/231"
    assert str(lib) == "bc1b902e1985d36882ca919d2d6e17b8dd0f3878b91445035fba5c089e874726/161"
    digests = {entry.name: str(entry.digest) for entry in cas.read_directory(base).directories}
    assert digests == {
        "bin": "656f482f69a583494de8d13a30a0e8a2b100e0772033440eacb122b0496008a6/95",
        "etc": "0e644211b411bf4fed865ab571741c9a40a0b22cf94bd579c64e6ab69c2bdb0d/78",
        "empty": str(EMPTY_DIGEST),
    }


def test_only_the_execute_bit_of_the_owner_counts(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({"f0": "0", "f1": "1", "f2": "2", "f3": "3"})
    for number, mode in enumerate((0o677, 0o100, 0o4755, 0o000)):
        os.chmod(f"{tree}/f{number}", mode)
    files = cas.read_directory(cas.import_directory(tree)).files
    assert [entry.is_executable for entry in files] == [False, True, True, False]
    assert [os.stat(f"{tree}/f{number}").st_mode & 0o7777 for number in (1, 3)] == [0o100, 0]


def test_special_files_are_left_out(cas: Cas, make_tree: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_tree({"f": "content"})
    expected = cas.import_directory(tree)
    os.mkfifo(f"{tree}/fifo")
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert cas.import_directory(tree) == expected


def test_hard_links_become_separate_files(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({"a": "content"})
    os.link(f"{tree}/a", f"{tree}/b")
    for consume in (False, True):
        directory = cas.read_directory(cas.import_directory(tree, consume=consume))
        assert [entry.digest for entry in directory.files] == [digest_from_bytes(b"content")] * 2


def test_names_may_have_any_valid_characters(cas: Cas, make_tree: Make) -> None:
    names = {" ", "\n", "*", "é", "\U0001f600", "-rf", "x" * 255}
    directory = cas.read_directory(cas.import_directory(make_tree(dict.fromkeys(names, "x"))))
    assert {entry.name for entry in directory.files} == names


@pytest.mark.parametrize("kind", ["file", "directory", "link", "target"])
def test_names_that_are_not_utf8_are_reported(cas: Cas, tmp_path: Path, kind: str) -> None:
    root = os.fsencode(tmp_path / "tree")
    os.makedirs(root + b"/sub")
    bad = root + b"/sub/caf\xe9"
    if kind == "file":
        os.close(os.open(bad, os.O_CREAT))
    elif kind == "directory":
        os.mkdir(bad)
    elif kind == "link":
        os.symlink(b"target", bad)
    else:
        os.symlink(b"caf\xe9", root + b"/sub/caf")
    with pytest.raises(CASError, match=r"sub/caf.* is not valid UTF-8"):
        cas.import_directory(os.fsdecode(root))


def test_modification_times_are_recorded_in_microseconds(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({"d/f": "x"})
    os.utime(f"{tree}/d/f", ns=(0, 1425445567_123456_789))
    os.utime(f"{tree}/d", ns=(0, 1425445568_000000_999))
    root = cas.read_directory(cas.import_directory(tree, mtimes=True))
    subdirectory = cas.read_directory(root.directories[0].digest)
    assert root.mtime_ns is None
    assert subdirectory.mtime_ns == 1425445568_000000_000
    assert subdirectory.files[0].mtime_ns == 1425445567_123456_000


def test_large_files_are_stored_by_threads(cas: Cas, make_tree: Make) -> None:
    contents = {f"d{number % 3}/f{number}": f"{number}" * 400_000 for number in range(8)}
    tree = make_tree(contents)
    digest = cas.import_directory(tree, consume=True)
    assert cas.contains_tree(digest)
    assert all(cas.contains(digest_from_bytes(content.encode())) for content in contents.values())


def test_a_missing_directory_is_reported(cas: Cas, tmp_path: Path) -> None:
    with pytest.raises(CASError, match="no such directory"):
        cas.import_directory(str(tmp_path / "missing"))


_AS_ORDINARY_USER = """
import os, sys
from buildstream._store.cas import Cas

def capture(directory):
    cas = Cas(directory + "/cas")
    tree = directory + "/tree"
    os.makedirs(tree + "/closed")
    for path, mode in (("closed/f", 0o000), ("g", 0o111)):
        with open(f"{tree}/{path}", "w") as file:
            file.write(path)
        os.chmod(f"{tree}/{path}", mode)
    os.chmod(tree + "/closed", 0)
    digest = cas.import_directory(tree)
    print(digest, oct(os.stat(tree + "/closed").st_mode), oct(os.stat(tree + "/g").st_mode))
    os.chmod(tree + "/closed", 0o500)
    cas.import_directory(tree, consume=True)
    cas.discard(tree)
    cas.empty_trash()

if os.geteuid() == 0:
    # once as root, so that all modules are loaded: their files may be closed to others
    capture(sys.argv[1] + "/root")
    os.setgid(1234)
    os.setuid(1234)
capture(sys.argv[1] + "/user")
"""


def test_unreadable_files_and_directories_of_an_ordinary_user_are_captured(
    cas: Cas, make_tree: Make, tmp_path: Path
) -> None:
    import sys
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        for name in ("root", "user"):
            os.mkdir(f"{place}/{name}")
        os.chmod(place, 0o711)
        os.chmod(f"{place}/user", 0o777)
        output = subprocess.run(
            [sys.executable, "-c", _AS_ORDINARY_USER, place], check=True, capture_output=True, text=True
        ).stdout
    expected = cas.import_directory(make_tree({"closed/f": "closed/f", "g": ("x", "g")}))
    assert output.splitlines()[-1] == f"{expected} 0o40000 0o100111"


# --- Overlays


def whiteout(path: str) -> None:
    os.mknod(path, 0o020000, os.makedev(0, 0))


def opaque(path: str) -> None:
    os.makedirs(path, exist_ok=True)
    os.setxattr(path, "user.overlay.opaque", b"y")


LOWER = {"keep/a": "a", "keep/b": "b", "gone/x": "x", "file": "old", "replaced/y": "y", "deep/one/two": "2"}


def test_an_overlay_is_its_base_with_the_changes(cas: Cas, make_tree: Make) -> None:
    base = cas.import_directory(make_tree(LOWER))
    upper = make_tree({"file": "new", "keep/c": ("x", "c"), "new/sub": None, "link": ("->", "x")})
    whiteout(f"{upper}/gone")
    whiteout(f"{upper}/keep/a")
    opaque(f"{upper}/replaced")
    os.makedirs(f"{upper}/deep/one")

    captured = cas.capture_overlay(base, upper)

    expected = cas.import_directory(
        make_tree(
            {
                "keep/b": "b",
                "keep/c": ("x", "c"),
                "file": "new",
                "replaced": None,
                "deep/one/two": "2",
                "new/sub": None,
                "link": ("->", "x"),
            }
        )
    )
    assert captured == expected


def test_other_types_replace_what_is_below(cas: Cas, make_tree: Make) -> None:
    base = cas.import_directory(make_tree({"a": "file", "b/c": "in directory", "d": "file", "e": "file"}))
    upper = make_tree({"a/new": "x", "b": "now a file"})
    os.symlink("a", f"{upper}/d")
    os.mkfifo(f"{upper}/e")
    expected = make_tree({"a/new": "x", "b": "now a file", "d": ("->", "a")})
    assert cas.capture_overlay(base, upper) == cas.import_directory(expected)


def test_an_overlay_without_changes_keeps_every_digest(cas: Cas, make_tree: Make) -> None:
    from buildstream._model.tree import DirectoryEntry, TreeDirectory

    # Properties of unchanged directories stay, although a copied-up directory has none.
    inner = cas.add_directory(TreeDirectory(subtree_read_only=False))
    base = cas.add_directory(TreeDirectory(directories=(DirectoryEntry("d", inner),)))
    assert cas.capture_overlay(base, make_tree({"d": None})) == base
    assert cas.capture_overlay(base, make_tree({})) == base


def test_an_overlay_over_nothing_is_its_upper_directory(cas: Cas, make_tree: Make) -> None:
    upper = make_tree(LOWER)
    assert cas.capture_overlay(None, upper) == cas.import_directory(upper)


_REAL_OVERLAY = """
set -e
mount -t overlay overlay -o "userxattr,lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
rm -r gone
echo new > keep/a
rm keep/b
rm -r replaced && mkdir replaced && echo z > replaced/z
mv deep/one/two two
chmod 755 file
rm -r deep && echo now-a-file > deep
ln keep/a keep/linked
"""


def test_a_real_overlay_is_captured_as_it_looks(cas: Cas, make_tree: Make, tmp_path: Path) -> None:
    base = cas.import_directory(make_tree(LOWER))
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    script = ["sh", "-c", _REAL_OVERLAY, "sh", cas.extracted_tree(base), str(tmp_path)]
    subprocess.run(["unshare", "--user", "--map-root-user", "--mount", *script], check=True)

    captured = cas.capture_overlay(base, str(tmp_path / "upper"), consume=True)

    expected = {
        "keep/a": "new\n",
        "keep/linked": "new\n",
        "file": ("x", "old"),
        "replaced/z": "z\n",
        "two": "2",
        "deep": "now-a-file\n",
    }
    assert captured == cas.import_directory(make_tree(expected))
