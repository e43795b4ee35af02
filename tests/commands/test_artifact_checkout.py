"""`bst artifact checkout`: directories and tarballs."""

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.testutils.space import RecordedError, TestSpace

_HELLO = ["usr/", "usr/share/", "usr/share/alias -> main.c", "usr/share/main.c", "usr/share/object.o"]
_PLAIN = ["etc/", "etc/conf", "usr/", "usr/bin/", "usr/bin/prog*"]


@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        (("--deps", "none"), ("usr/share/object.o",), ("etc/conf", "usr/bin/sh", "integrated")),
        (
            ("--deps", "run", "--no-integrate"),
            ("usr/share/object.o", "etc/conf"),
            ("usr/bin/sh", "integrated"),
        ),
        (("--deps", "build"), ("usr/bin/sh",), ("usr/share/object.o", "etc/conf")),
        (("--deps", "all"), ("usr/bin/sh", "usr/share/object.o", "etc/conf", "integrated"), ()),
    ],
)
def test_dependencies(
    built: TestSpace,
    tmp_path: Path,
    options: tuple[str, ...],
    present: tuple[str, ...],
    absent: tuple[str, ...],
) -> None:
    place = tmp_path / "out.bst"
    built.bst("artifact", "checkout", "hello.bst", "--directory", str(place), *options)
    assert [path for path in present if not (place / path).exists()] == []
    assert [path for path in absent if (place / path).exists()] == []


def test_default_directory_is_named_like_the_target(built: TestSpace) -> None:
    name = f"test/hello/{built.keys('hello.bst')['hello.bst']}"
    for target, place in (("plain.bst", "plain"), (name, name)):
        built.bst("artifact", "checkout", "--deps", "none", target)
        assert built.tree(place) == (_PLAIN if target == "plain.bst" else _HELLO)
        shutil.rmtree(built.project_directory / place.partition("/")[0])


def test_force_replaces_files_and_links_and_keeps_the_rest(built: TestSpace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    place = tmp_path / "out"
    (place / "etc").mkdir(parents=True)
    (place / "etc" / "conf").symlink_to("/absent")
    (place / "usr").symlink_to(outside)
    (place / "other").write_text("kept")
    arguments = ("artifact", "checkout", "plain.bst", "--directory", str(place))
    assert built.bst(*arguments, expect=255).error == RecordedError("STREAM", None)
    built.bst(*arguments, "--force")
    assert (place / "etc" / "conf").read_text() == "conf\n"
    assert (place / "usr" / "bin" / "prog").exists()
    assert (place / "other").read_text() == "kept"
    assert list(outside.iterdir()) == [], "no link leads a check-out elsewhere"


@pytest.mark.parametrize(
    ("name", "options", "magic"),
    [
        ("out.tar", (), b"./etc"),
        ("out.foo", (), b"./etc"),
        ("out.tgz", (), b"./etc"),
        ("out.tar.gz", (), b"\x1f\x8b"),
        ("out.gz", (), b"\x1f\x8b"),
        ("out.tar.xz", (), b"\xfd7zXZ"),
        ("out.tar.bz2", (), b"BZh"),
        ("out.tar", ("--compression", "xz"), b"\xfd7zXZ"),
        ("out.tar.gz", ("--compression", "bz2"), b"BZh"),
    ],
)
def test_compression_by_name_and_option(
    built: TestSpace, tmp_path: Path, name: str, options: tuple[str, ...], magic: bytes
) -> None:
    built.bst("artifact", "checkout", "plain.bst", "--tar", str(tmp_path / name), *options)
    assert (tmp_path / name).read_bytes().startswith(magic)
    with tarfile.open(tmp_path / name) as archive:
        assert "./usr/bin/prog" in archive.getnames()


def test_tarball_has_the_same_bytes_as_ever(built: TestSpace, tmp_path: Path) -> None:
    path = tmp_path / "out.tar"
    built.bst("artifact", "checkout", "plain.bst", "--tar", str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with tarfile.open(path) as archive:
        facts = [(m.name, m.mode, m.mtime, m.uid, m.gid, m.uname, m.gname) for m in archive]
    assert facts == [
        ("./etc", 0o755, 1321009871, 0, 0, "", ""),
        ("./etc/conf", 0o644, 1321009871, 0, 0, "", ""),
        ("./usr", 0o755, 1321009871, 0, 0, "", ""),
        ("./usr/bin", 0o755, 1321009871, 0, 0, "", ""),
        ("./usr/bin/prog", 0o755, 1321009871, 0, 0, "", ""),
    ]
    # as recorded from BuildStream 2.8
    assert digest == "fb27ce119b013ebb73083a05b10c962f8a308a96cdb86f5afbab4a79eb71a16d"


def test_tarball_on_standard_output(built: TestSpace) -> None:
    # every byte of this tarball is ASCII
    stdout = built.bst("artifact", "checkout", "plain.bst", "--tar", "-").stdout
    with tarfile.open(fileobj=io.BytesIO(stdout.encode())) as archive:
        assert archive.getnames()[-1] == "./usr/bin/prog"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--hardlinks", "--tar", "x"), "ERROR: options --hardlinks and --tar conflict"),
        (("--directory", "x", "--tar", "x"), "ERROR: options --directory and --tar conflict"),
        (("--compression", "gz"), "ERROR: --compression can only be provided if --tar is provided"),
        (
            ("--tar", "x.tar.foo"),
            "Expected compression with unknown file extension ('.foo'), supported extensions are ('.tar'), ",
        ),
        (("--directory", "host"), "Error: Invalid value for '--directory': Directory 'host' is a file."),
        (("--tar", "elements/plain.bst"), "Output file 'elements/plain.bst' already exists"),
        (("--directory", "files"), "Destination directory 'files' not empty"),
    ],
)
def test_conflicts(built: TestSpace, arguments: tuple[str, ...], text: str) -> None:
    expected = 2 if text.startswith("Error:") else 255
    assert text in built.bst("artifact", "checkout", "plain.bst", *arguments, expect=expected).stderr


@pytest.mark.parametrize(
    ("arguments", "domain", "reason"),
    [
        (("needs-broken.bst",), "STREAM", "uncached-checkout-attempt"),
        ((f"test/absent/{'0' * 64}", "--deps", "none"), "STREAM", "missing-sandbox-config"),
        ((f"test/absent/{'0' * 64}",), "STREAM", "deps-not-supported"),
        (("test/absent/0",), "STREAM", "unrecognized-target-format"),
        (("absent.bst",), "LOAD", "MISSING_FILE"),
        (("data.bst",), "STREAM", "missing-command"),
    ],
)
def test_errors_leave_nothing_behind(
    built: TestSpace, tmp_path: Path, arguments: tuple[str, ...], domain: str, reason: str
) -> None:
    place = tmp_path / "out"
    result = built.bst("artifact", "checkout", *arguments, "--directory", str(place), expect=255)
    assert result.error == RecordedError(domain, reason)
    assert not place.exists()


def test_failed_artifacts_can_be_checked_out(built: TestSpace, tmp_path: Path) -> None:
    built.bst("artifact", "checkout", "--deps", "none", "broken.bst", "--directory", str(tmp_path / "out"))


def test_artifact_name_needs_no_project(built: TestSpace, tmp_path: Path) -> None:
    name = f"test/hello/{built.keys('hello.bst')['hello.bst']}"
    for deps, expected in (("none", "usr/share/object.o"), ("build", "usr/bin/sh")):
        place = tmp_path / deps
        arguments = ("artifact", "checkout", name, "--deps", deps, "--directory", str(place))
        built.bst(*arguments, cwd=tmp_path)
        assert (place / expected).exists()
