"""The source kind tar: base directories, permissions, and archives made to do harm."""

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from buildstream import SourceError
from buildstream.node import MappingNode
from buildstream.plugins.sources.tar import TarSource


def _member(name: str, content: str = "", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    data = content.encode()
    info.size = len(data)
    info.mtime = 1000
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def _directory(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, type=tarfile.DIRTYPE, mode=0o700)


def _symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, type=tarfile.SYMTYPE, linkname=target)


def _hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, type=tarfile.LNKTYPE, linkname=target)


def _archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _stage(host: Any, archive: bytes, base_dir: str | None = None) -> Path:
    """Stages ARCHIVE as if it had been fetched, into a directory beside the mirror directory."""
    config = {"url": "http://example.com/x-1.2.tar", "ref": "a" * 64}
    if base_dir is not None:
        config["base-dir"] = base_dir
    source = TarSource(host, "element.bst-0")
    source.configure(MappingNode.from_dict(config))
    path = Path(source._get_mirror_file())
    path.parent.mkdir()
    path.write_bytes(archive)
    assert source.is_cached()
    directory = Path(host.mirror_directory).parent / "stage"
    directory.mkdir()
    source.stage(str(directory))
    return directory


def _paths(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_the_first_directory_is_the_base(host: Any) -> None:
    archive = _archive(_member("./b/file"), _member("./a/file"), _member("./a/sub/deep"), _member("./top"))
    assert _paths(_stage(host, archive)) == ["file", "sub", "sub/deep"]


def test_an_entry_for_the_top_is_the_first_directory(host: Any) -> None:
    # as `tar -c .` makes it; recorded from BuildStream 2.8.1
    archive = _archive(_directory("."), _directory("./a"), _member("./a/x"), _member("./b"))
    assert _paths(_stage(host, archive)) == ["a", "a/x", "b"]


def test_slashes_may_be_repeated(host: Any) -> None:
    assert _paths(_stage(host, _archive(_member("a//b///c")))) == ["b", "b/c"]


@pytest.mark.parametrize(
    ("base_dir", "expected"),
    [
        ("", ["a", "a/b", "a/b/file", "top"]),
        ("a/b", ["file"]),
        ("a/*", ["file"]),
        ("**", ["b", "b/file"]),
    ],
)
def test_base_directories(host: Any, base_dir: str, expected: list[str]) -> None:
    archive = _archive(_member("a/b/file"), _member("top"))
    assert _paths(_stage(host, archive, base_dir)) == expected


def test_a_base_directory_must_match(host: Any) -> None:
    with pytest.raises(SourceError, match="Could not find base directory matching pattern: x"):
        _stage(host, _archive(_member("a/file")), "x")


def test_only_the_owner_execute_bit_counts(host: Any) -> None:
    umask = os.umask(0o027)
    try:
        directory = _stage(
            host,
            _archive(
                _directory("d"),
                _member("x", mode=0o4711),
                _member("group", mode=0o610),
                _member("y", mode=0o400),
            ),
            "",
        )
    finally:
        os.umask(umask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == {"d": 0o750, "x": 0o750, "group": 0o640, "y": 0o640}
    assert (directory / "x").stat().st_mtime == 1000


def test_links_are_relative_to_the_base(host: Any) -> None:
    archive = _archive(
        _member("a/file", "content"),
        _hard_link("a/hard", "./a/file"),
        _symlink("a/soft", "/etc/hostname"),
        _hard_link("a/hard-soft", "a/soft"),
    )
    directory = _stage(host, archive)
    assert (directory / "hard").read_text(encoding="utf-8") == "content"
    assert os.readlink(directory / "soft") == "/etc/hostname"
    assert os.readlink(directory / "hard-soft") == "/etc/hostname"


def test_a_hard_link_to_a_file_outside_the_base_becomes_a_copy(host: Any) -> None:
    archive = _archive(_member("b/file", "content"), _hard_link("a/hard", "b/file"))
    assert (_stage(host, archive, "a") / "hard").read_text(encoding="utf-8") == "content"


def test_devices_and_fifos_are_left_out(host: Any) -> None:
    archive = _archive(
        _member("null", type=tarfile.CHRTYPE),
        _member("disk", type=tarfile.BLKTYPE),
        _member("fifo", type=tarfile.FIFOTYPE),
    )
    assert _paths(_stage(host, archive, "")) == []


def test_a_later_member_replaces_an_earlier_one(host: Any) -> None:
    archive = _archive(_symlink("file", "other"), _member("other", "old"), _member("file", "new"))
    directory = _stage(host, archive, "")
    assert not (directory / "file").is_symlink()
    assert (directory / "other").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    "members",
    [
        [_member("../evil")],
        [_member("a/../../evil")],
        [_member("/tmp/evil-absolute")],
        [_hard_link("a", "../mirror")],
        [_hard_link("a", "/etc/passwd")],
        [_symlink("link", "../mirror"), _member("link/evil")],  # through a link made before
        [_symlink("link", "/tmp"), _directory("link/evil")],
        [_symlink("link", "../mirror"), _hard_link("copy", "link/evil")],
        # a link that was harmless when it was first passed through
        [_directory("d"), _symlink("l", "d"), _member("l/x"), _symlink("l", "../mirror"), _member("l/evil")],
    ],
)
def test_nothing_is_written_outside(host: Any, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with pytest.raises(SourceError, match="Tarfile attempts to extract outside the staging area"):
        _stage(host, _archive(*members), "")
    assert not list(Path(host.mirror_directory).parent.rglob("evil*"))


def test_links_within_the_archive_may_be_passed_through(host: Any) -> None:
    archive = _archive(_directory("usr/lib"), _symlink("lib", "usr/lib"), _member("lib/file"))
    assert (_stage(host, archive, "") / "usr" / "lib" / "file").exists()


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive at all",
        gzip.compress(_archive(_member("file", "x" * 100000)))[:-50],  # cut off
        gzip.compress(_archive(_member("file", "x" * 100000)))[:60] + b"garbage" * 20,
        _archive(_member("file", "x" * 100000))[:3000],
        _archive(_hard_link("a", "missing")),
        _archive(_hard_link("a", "a")),
        _archive(_directory("d"), _member("d")),  # a file where a directory is
        _archive(_member("f"), _member("f/child")),
        _archive(_member("n" * 300)),
        _archive(_member("time", mtime=1 << 70)),
    ],
)
def test_broken_archives_are_clean_errors(host: Any, archive: bytes) -> None:
    with pytest.raises(SourceError, match="Error staging source"):
        _stage(host, archive, "")


def test_unique_key(host: Any) -> None:
    source = TarSource(host, "element.bst-0")
    source.configure(
        MappingNode.from_dict({"url": "http://e.com/z.tar", "ref": "cccc", "base-dir": "", "version": "9"})
    )
    assert source.get_unique_key() == ["http://e.com/z.tar", "cccc", "9", ""]
