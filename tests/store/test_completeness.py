"""Trees that were seen to be complete are not looked at again, as long as nothing of them can have gone."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._store.cas import Cas
from buildstream._store.completeness import CompleteTrees
from buildstream._store.statrecords import is_settled, read_values, write_values

_FILES = 500  # of a tree, so many that to list all objects is worth it
_HOUR_NS = 3600 * 1_000_000_000
_OTHER = Digest("ab" * 32, 1)

TreeMaker = Callable[[str], Digest]


@pytest.fixture
def make(cas: Cas, tmp_path: Path) -> TreeMaker:
    """Stores a tree of many files, among them one in a subdirectory, and one that is executable."""

    def store(name: str) -> Digest:
        directory = tmp_path / name
        (directory / "below").mkdir(parents=True)
        for number in range(_FILES):
            (directory / str(number)).write_text(f"{name} {number}")
        (directory / "below" / "file").write_text(f"{name} below")
        (directory / "program").write_text(f"{name} program")
        (directory / "program").chmod(0o755)
        return cas.import_directory(str(directory))

    return store


@pytest.fixture
def tree(make: TreeMaker, cas: Cas) -> Digest:
    """A tree in a store that has been at rest."""
    digest = make("tree")
    rest(cas)
    return digest


def rest(cas: Cas) -> None:
    """Waits until a change of the store gets other times than all before."""
    newest_ns = max(directory.stat().st_ctime_ns for directory in objects(cas).iterdir())
    while not is_settled(newest_ns, newest_ns, time.time_ns()):
        time.sleep(0.01)


def objects(cas: Cas) -> Path:
    return Path(cas.directory) / "objects"


def record_of(cas: Cas) -> Path:
    return Path(cas.directory).parent / "stats" / "complete-trees"


def object_of(cas: Cas, content: str) -> Path:
    """The object of a file of a tree, plain or executable."""
    name = digest_from_bytes(content.encode()).hash
    plain = objects(cas) / name[:2] / name[2:]
    return plain if plain.exists() else plain.with_name(f"{plain.name}.x")


@contextmanager
def command(cas: Cas) -> Iterator[Cas]:
    """The store as another command sees it."""
    other = Cas(cas.directory)
    other.begin_session()
    try:
        yield other
    finally:
        other.close()


def knows(cas: Cas, *trees: Digest) -> bool:
    """What another command says, whether it has to look or not."""
    with command(cas) as other:
        return all(map(other.contains_tree, trees))


def is_remembered(cas: Cas, tree: Digest) -> bool:
    """Whether the record tells another command that TREE is complete."""
    return CompleteTrees(str(objects(cas)), str(record_of(cas).parent)).is_known(tree)


def test_later_commands_need_not_look(cas: Cas, tree: Digest) -> None:
    assert not is_remembered(cas, tree)
    assert knows(cas, tree)
    assert is_remembered(cas, tree)
    object_of(cas, "tree 3").write_bytes(b"")
    assert knows(cas, tree), "it has not looked"


def test_small_trees_are_remembered_too(cas: Cas, make_tree: Callable[..., str]) -> None:
    small = [cas.import_directory(make_tree({"file": f"small {number}"})) for number in range(3)]
    rest(cas)
    assert knows(cas, *small)
    assert all(is_remembered(cas, digest) for digest in small)
    object_of(cas, "small 1").unlink()
    with command(cas) as other:
        assert [other.contains_tree(digest) for digest in small] == [True, False, True]


@pytest.mark.parametrize("lost", ["tree 3", "tree below", "tree program", "a directory", "the root"])
@pytest.mark.parametrize("rests", [True, False])
def test_a_deletion_is_noticed(cas: Cas, tree: Digest, lost: str, *, rests: bool) -> None:
    assert knows(cas, tree)
    if rests:
        rest(cas)
    root = cas.read_directory(tree)
    names = {"a directory": root.directories[0].digest.hash, "the root": tree.hash}
    if lost in names:
        (objects(cas) / names[lost][:2] / names[lost][2:]).unlink()
    else:
        object_of(cas, lost).unlink()
    assert not knows(cas, tree)
    assert not knows(cas, tree), "by each command"


def test_all_of_a_directory_gone_is_noticed(cas: Cas, tree: Digest) -> None:
    assert knows(cas, tree)
    directory = object_of(cas, "tree 3").parent
    directory.rename(directory.with_name("elsewhere"))
    assert not knows(cas, tree)


def test_a_twin_stands_for_the_object(cas: Cas, tree: Digest) -> None:
    assert knows(cas, tree)
    plain = object_of(cas, "tree 3")
    cas.object_path(digest_from_bytes(b"tree 3"), executable=True)
    plain.unlink()
    assert knows(cas, tree)


def test_what_is_added_takes_nothing_away(cas: Cas, make: TreeMaker, tree: Digest) -> None:
    assert knows(cas, tree)
    added = make("added")
    assert is_remembered(cas, tree)
    assert knows(cas, tree, added)
    assert is_remembered(cas, added)
    assert is_remembered(cas, tree)


def test_a_session_that_adds_remembers_what_it_saw_before(cas: Cas, tree: Digest) -> None:
    with command(cas) as session:
        assert session.contains_tree(tree)
        for number in range(100):
            session.add_bytes(b"new %d" % number)
    assert is_remembered(cas, tree)


def test_what_is_lost_while_a_session_lasts_is_noticed(cas: Cas, tree: Digest) -> None:
    with command(cas) as session:
        assert session.contains_tree(tree)
        object_of(cas, "tree 3").unlink()
        for number in range(100):
            session.add_bytes(b"new %d" % number)
    assert not knows(cas, tree)


def test_what_a_session_has_stored_is_complete(cas: Cas, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    for number in range(2_500):
        (tmp_path / "new" / str(number)).write_text(f"new {number}")
    with command(cas) as session:
        digest = session.digest_directory(str(tmp_path / "new"), stores_many=True)
    assert is_remembered(cas, digest)
    object_of(cas, "new 3").unlink()
    assert not knows(cas, digest)


def test_incomplete_trees_are_not_remembered(cas: Cas, tree: Digest) -> None:
    path = object_of(cas, "tree 3")
    path.rename(path.with_name("elsewhere"))
    assert not knows(cas, tree)
    path.with_name("elsewhere").rename(path)
    assert not is_remembered(cas, tree)


def test_a_command_about_few_trees_does_not_forget_the_others(
    cas: Cas, make: TreeMaker, tree: Digest
) -> None:
    second = make("second")
    rest(cas)
    assert knows(cas, tree, second)
    third = make("third")
    assert knows(cas, second, third)
    assert is_remembered(cas, tree)
    assert is_remembered(cas, third)


def test_commands_at_the_same_time_remember_all(cas: Cas, make: TreeMaker, tree: Digest) -> None:
    second = make("second")
    rest(cas)
    with command(cas) as one, command(cas) as other:
        assert one.contains_tree(tree)
        assert other.contains_tree(second)
        one.add_bytes(b"something")
    assert is_remembered(cas, tree)
    assert is_remembered(cas, second)


def test_a_clean_up_of_another_process_is_noticed(cas: Cas, tree: Digest) -> None:
    for path in objects(cas).rglob("??*"):
        if path.is_file():
            os.utime(path, ns=(time.time_ns() - _HOUR_NS, path.stat().st_mtime_ns))
    with command(cas) as session:
        assert session.contains_tree(tree)
        with command(cas) as other:
            assert other.cleaner([]).run(0).deleted_objects > _FILES
    assert not knows(cas, tree)


def test_a_bad_object_is_found_when_it_is_used(cas: Cas, make: TreeMaker, tree: Digest) -> None:
    second = make("second")
    rest(cas)
    assert knows(cas, tree, second)
    path = object_of(cas, "tree 3")
    times = path.stat()
    path.write_bytes(b"")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with command(cas) as session:
        assert session.contains_tree(tree)
        with pytest.raises(CASError) as caught:
            session.object_path(digest_from_bytes(b"tree 3"))
        assert caught.value.reason == "corrupt-blob"
        assert not session.contains_tree(tree), "it knows now"
        assert session.missing_blobs(tree) == [digest_from_bytes(b"tree 3")]
        assert session.contains_tree(second)
    assert not knows(cas, tree)
    assert knows(cas, second)


def test_what_turns_out_missing_is_not_believed_again(cas: Cas, make: TreeMaker, tree: Digest) -> None:
    with command(cas) as session:
        assert session.contains_tree(tree)
        new = make("new")
        assert session.contains_tree(new)
        object_of(cas, "new 3").unlink()  # by hand: no program deletes what was added in a session
    with command(cas) as session:
        assert session.contains_tree(new)
        with pytest.raises(CASError):
            session.read_bytes(digest_from_bytes(b"new 3"))
    assert not knows(cas, new)


def test_nothing_is_remembered_after_objects_were_deleted_on_purpose(cas: Cas, tree: Digest) -> None:
    with command(cas) as session:
        assert session.contains_tree(tree)
        object_of(cas, "tree 3").unlink()
        session.forget_presence()
        assert not session.contains_tree(tree)
    assert not record_of(cas).exists()


@pytest.mark.parametrize("size", [0, 10, 60, 5_000, -1])
def test_a_damaged_record_is_none(cas: Cas, tree: Digest, size: int) -> None:
    assert knows(cas, tree)
    data = record_of(cas).read_bytes()
    assert len(data) > 5_000
    record_of(cas).write_bytes(data[:size])
    assert not is_remembered(cas, tree)
    assert knows(cas, tree)
    assert is_remembered(cas, tree)


@pytest.mark.parametrize("position", [0, 1], ids=["boot", "no times"])
def test_what_was_seen_before_a_crash_does_not_count(cas: Cas, tree: Digest, position: int) -> None:
    assert knows(cas, tree)
    format_line = record_of(cas).read_bytes().partition(b"\n")[0] + b"\n"
    values = read_values(str(record_of(cas)), format_line)
    assert isinstance(values, tuple)
    assert values
    changed = [b"another boot", values[0]][position : position + 1] + list(values[1 + position :])
    write_values(str(record_of(cas)), format_line, tuple(changed))
    assert not is_remembered(cas, tree)


def test_where_nothing_can_be_written_commands_look(cas: Cas, tree: Digest) -> None:
    record_of(cas).parent.write_text("in the way")
    assert knows(cas, tree)
    object_of(cas, "tree 3").unlink()
    assert not knows(cas, tree)


# --- What it costs


@pytest.fixture
def place(tmp_path: Path) -> tuple[str, str]:
    """A directory of 10,000 objects, as far as their names are looked at, and one for records."""
    for number in range(10_000):
        name = digest_from_bytes(b"%d" % number).hash
        path = tmp_path / "objects" / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(tmp_path / "objects"), str(tmp_path / "records")


def in_an_hour() -> int:
    return time.time_ns() + _HOUR_NS


def add_name(objects_path: str, digest: Digest) -> None:
    path = Path(objects_path) / digest.hash[:2] / digest.hash[2:]
    path.touch()


@pytest.mark.parametrize(("blob_count", "is_listed"), [(3, False), (5_000, True)])
def test_names_are_listed_only_if_that_is_worth_it(
    place: tuple[str, str], blob_count: int, *, is_listed: bool
) -> None:
    tree = digest_from_bytes(b"tree")
    first = CompleteTrees(*place, in_an_hour)
    assert not first.is_known(tree)
    first.note(tree, blob_count)
    first.save()
    assert CompleteTrees(*place, in_an_hour).is_known(tree)
    add_name(place[0], _OTHER)
    assert CompleteTrees(*place, in_an_hour).is_known(tree) == is_listed


def test_a_small_project_keeps_what_a_large_one_has_found_out(place: tuple[str, str]) -> None:
    large, small = digest_from_bytes(b"large"), digest_from_bytes(b"small")
    first = CompleteTrees(*place, in_an_hour)
    first.note(large, 5_000)
    first.save()
    for number in range(1_000):  # in all directories
        add_name(place[0], digest_from_bytes(b"added %d" % number))
    second = CompleteTrees(*place, in_an_hour)
    second.note(small, 3)
    second.save()
    assert CompleteTrees(*place, in_an_hour).is_known(large)


def test_what_was_lost_before_names_were_listed_is_not_believed(place: tuple[str, str]) -> None:
    small, large = digest_from_bytes(b"small"), digest_from_bytes(b"large")
    first = CompleteTrees(*place, in_an_hour)
    first.note(small, 3)
    next(Path(place[0]).glob("*/*")).unlink()  # perhaps of the small tree
    first.note(large, 5_000)  # now names are listed
    first.note(digest_from_bytes(b"looked at later"), 3)
    first.save()
    later = CompleteTrees(*place, in_an_hour)
    assert not later.is_known(small)
    assert later.is_known(digest_from_bytes(b"looked at later"))


def test_times_that_may_stay_the_same_do_not_count(place: tuple[str, str]) -> None:
    tree = digest_from_bytes(b"tree")
    first = CompleteTrees(*place, lambda: 0)  # all has changed just now
    first.note(tree, 3)
    first.save()
    assert not CompleteTrees(*place, lambda: 0).is_known(tree)


def test_nothing_is_written_that_is_known_already(place: tuple[str, str]) -> None:
    tree = digest_from_bytes(b"tree")
    first = CompleteTrees(*place, in_an_hour)
    first.note(tree, 5_000)
    first.save()
    path = Path(place[1]) / "complete-trees"
    before = path.stat().st_ino
    second = CompleteTrees(*place, in_an_hour)
    assert second.is_known(tree)
    second.save()
    assert path.stat().st_ino == before
