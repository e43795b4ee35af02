"""Named byte strings: records of artifacts and sources."""

import os
from pathlib import Path
from threading import Thread

import pytest

from buildstream._exceptions import CASError
from buildstream._store.records import (
    Records,
    artifact_records,
    element_source_records,
    source_records,
)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return artifact_records(str(tmp_path))


def test_records_are_where_the_layout_says(tmp_path: Path) -> None:
    for records, directory in (
        (artifact_records(str(tmp_path)), "artifacts/refs"),
        (element_source_records(str(tmp_path)), "elementsources"),
        (source_records(str(tmp_path)), "source_protos"),
    ):
        records.write("a/b", b"x")
        assert (tmp_path / directory / "a" / "b").read_bytes() == b"x"


@pytest.mark.parametrize("durable", [False, True])
def test_what_was_written_can_be_read(tmp_path: Path, durable: bool) -> None:
    records = Records(str(tmp_path / "r"), durable=durable)
    assert records.read("p/e/k") is None
    assert not records.exists("p/e/k")
    records.write("p/e/k", b"one")
    records.write("p/e/k", b"two")
    assert records.read("p/e/k") == b"two"
    assert records.exists("p/e/k")
    assert not records.exists("p/e")
    assert records.read("p/e/k/deeper") is None


def test_linked_names_share_the_content_until_one_is_replaced(records: Records) -> None:
    records.write("p/e/strong", b"one")
    records.write("p/e/weak", b"old")
    for _ in range(2):
        records.link("p/e/strong", "p/e/weak")
        assert os.path.samefile(records.path("p/e/strong"), records.path("p/e/weak"))
    records.link("p/e/strong", "p/e/strong")
    records.write("p/e/weak", b"two")
    assert records.read("p/e/strong") == b"one"
    assert os.listdir(os.path.dirname(records.path("p/e/weak"))).sort() == ["strong", "weak"].sort()
    with pytest.raises(CASError):
        records.link("p/e/missing", "p/e/weak")


def test_the_least_recently_used_comes_first(records: Records) -> None:
    for number, name in enumerate(("p/b/1", "p/a/1", "q/c/1", "q/c/2")):
        records.write(name, b"x")
        os.utime(records.path(name), (0, 1000 - number // 2))
    assert records.names() == ["q/c/1", "q/c/2", "p/a/1", "p/b/1"]
    assert records.names("q/c") == ["q/c/1", "q/c/2"]
    assert records.names("nothing") == []
    records.read("q/c/1", is_use=False)
    assert records.names()[0] == "q/c/1"
    records.read("q/c/1")
    assert records.names()[-1] == "q/c/1"
    assert records.names_with_times("p/a") == [("p/a/1", 1000 * 10**9)]


def test_half_written_records_are_not_listed(records: Records) -> None:
    records.write("p/e/k", b"x")
    Path(os.path.dirname(records.path("p/e/k")), "tmp-1234").write_text("half")
    assert records.names() == ["p/e/k"]


def test_removing_prunes_empty_directories(records: Records) -> None:
    records.write("p/e/k", b"x")
    records.write("p/f/k", b"x")
    assert records.remove("p/e/k")
    assert not records.remove("p/e/k")
    assert os.listdir(records.path("p")) == ["f"]
    assert records.remove("p/f/k")
    assert os.listdir(records.directory) == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../outside", "a//b", "a/./b", "a\0b"])
def test_names_stay_inside(records: Records, name: str) -> None:
    with pytest.raises(CASError, match="Invalid name"):
        records.read(name)


def test_writers_and_removers_may_race(records: Records) -> None:
    def work(number: int) -> None:
        for _ in range(200):
            records.write(f"p/e/{number}", b"x")
            assert records.read(f"p/e/{number}") == b"x"
            assert records.remove(f"p/e/{number}")

    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [Thread(target=guarded, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_unwritable_places_are_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CASError, match="Failed to write"):
        Records(str(tmp_path / "file")).write("a/b", b"x")
