"""Blobs that a remote gave wrong, remembered over the end of the program."""

from pathlib import Path

from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._remote.suspects import Suspects

ONE, TWO = digest_from_bytes(b"one"), digest_from_bytes(b"two")


def test_suspects_are_known_to_the_next_program(tmp_path: Path) -> None:
    path = str(tmp_path / "suspects")
    Suspects(path, "http://a").update([ONE, TWO])
    Suspects(path, "http://b").update([TWO])
    assert set(Suspects(path, "http://a")) == {ONE, TWO}
    Suspects(path, "http://a").difference_update([TWO])
    assert set(Suspects(path, "http://a")) == {ONE}
    assert TWO in Suspects(path, "http://b")


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "suspects"
    for content in (b"\xff\xfe", b"../../etc 1 http://a\n", b"one two\n"):
        path.write_bytes(content)
        assert not Suspects(str(path), "http://a")
        Suspects(str(path), "http://a").update([ONE])


def test_what_is_not_known_is_not_suspect(tmp_path: Path) -> None:
    suspects = Suspects(str(tmp_path / "absent" / "suspects"), "http://a")
    assert Digest("0" * 64, 1) not in suspects
    suspects.update([ONE])  # can't be written
    assert ONE in suspects
