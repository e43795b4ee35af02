"""Taking over what another directory began with: the same as importing it again."""

import random
from collections.abc import Callable

import pytest

from buildstream._model.digest import Digest
from buildstream._store.cas import Cas
from buildstream._store.cas_directory import CasDirectory
from buildstream.storage import DirectoryError

Make = Callable[..., str]


@pytest.fixture
def tree(cas: Cas, make_tree: Make) -> Callable[..., Digest]:
    return lambda content: cas.import_directory(make_tree(content))


def import_alone(cas: Cas, digests: list[Digest]) -> CasDirectory:
    """A directory made by one import after the other."""
    directory = CasDirectory(cas)
    for digest in digests:
        directory._import_tree(digest)
    return directory


def import_together(cas: Cas, digests: list[Digest]) -> tuple[CasDirectory, list[list[str]]]:
    """A directory made by one call, and what each tree has overwritten."""
    directory = CasDirectory(cas)
    return directory, [result.overwritten for result in directory._import_trees(digests)]


def distinct(tree: Callable[..., Digest], count: int) -> list[Digest]:
    """Trees without common files, but with common directories."""
    return [
        tree({f"usr/share/{number}/f": "x", f"usr/lib/{number}": f"{number}", "empty/": None})
        for number in range(count)
    ]


def check_same(one: CasDirectory, other: CasDirectory) -> None:
    plan, expected = one._staging_plan(), other._staging_plan()
    assert (plan.layers, plan.private, plan.removed) == (expected.layers, expected.private, expected.removed)
    assert (plan.changes is None) == (expected.changes is None)
    if plan.changes is not None and expected.changes is not None:
        add = one._cas.add_directory
        assert plan.changes.store(add) == expected.changes.store(add)
    assert one._digest() == other._digest()


def test_a_longer_staging_takes_over_a_shorter_one(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = distinct(tree, 12)
    for count in range(1, 13):
        directory, overwritten = import_together(cas, digests[:count])
        assert overwritten == [[]] * count
        check_same(directory, import_alone(cas, digests[:count]))
        if count >= 4:
            known = cas.staged_trees.longest([*digests[:count], digests[0]])
            assert known is not None
            assert known.imported == tuple(digests[:count])


def test_a_shorter_staging_does_not_take_over_a_longer_one(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = distinct(tree, 8)
    import_together(cas, digests)
    assert cas.staged_trees.longest(digests[:7]) is None
    check_same(import_together(cas, digests[:7])[0], import_alone(cas, digests[:7]))


def test_another_order_is_another_staging(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = distinct(tree, 6)
    import_together(cas, digests)
    turned = [*digests[1:], digests[0]]
    check_same(import_together(cas, turned)[0], import_alone(cas, turned))


def test_what_is_taken_over_is_changed_alone(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = distinct(tree, 6)
    import_together(cas, digests)
    first, _ = import_together(cas, digests)
    second, _ = import_together(cas, digests)
    for directory in (first, second):
        directory.open_directory("usr/share").remove("3", recursive=True)
        directory.open_directory("usr/new", create=True)
    third, _ = import_together(cas, digests)
    check_same(third, import_alone(cas, digests))
    expected = import_alone(cas, digests)
    expected.open_directory("usr/share").remove("3", recursive=True)
    expected.open_directory("usr/new", create=True)
    check_same(first, expected)
    check_same(second, expected)


def test_overlaps_are_told_each_time(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = [*distinct(tree, 5), tree({"usr/share/2/f": "other"}), tree({"late": "x"})]
    for _ in range(2):
        directory, overwritten = import_together(cas, digests)
        assert overwritten == [[], [], [], [], [], ["usr/share/2/f"], []]
        check_same(directory, import_alone(cas, digests))


def test_a_directory_that_is_not_empty_takes_nothing_over(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = distinct(tree, 5)
    import_together(cas, digests)
    directory = CasDirectory(cas, tree({"usr/share/1/f": "first"}))
    results = [result.overwritten for result in directory._import_trees(digests)]
    assert results == [[], ["usr/share/1/f"], [], [], []]


def test_a_conflict_is_raised_for_the_tree_that_has_it(cas: Cas, tree: Callable[..., Digest]) -> None:
    digests = [*distinct(tree, 5), tree({"usr/share/2/f/g": "in place of a file"}), *distinct(tree, 1)]
    for _ in range(2):
        results = CasDirectory(cas)._import_trees(digests)
        for _ in range(5):
            assert next(results).overwritten == []
        with pytest.raises(DirectoryError):
            next(results)


def test_random_stagings(cas: Cas, tree: Callable[..., Digest]) -> None:
    chance = random.Random(77)
    names = [f"{folder}/{name}" for folder in ("a", "a/b", "c") for name in "xyz"]
    trees = [
        tree({f"{chance.choice(names)}{number // 2}": str(number), f"own/{number}/f": "1"})
        for number in range(24)
    ]
    base = chance.sample(trees, 16)
    for _ in range(60):
        digests = [*base[: chance.randint(0, 16)], *chance.sample(trees, chance.randint(0, 4))]
        directory, overwritten = import_together(cas, digests)
        alone = CasDirectory(cas)
        assert overwritten == [alone._import_tree(digest).overwritten for digest in digests]
        check_same(directory, alone)
