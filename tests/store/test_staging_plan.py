"""Layers that give a directory when laid over each other, checked by laying them over each other."""

import random
from collections.abc import Callable
from typing import Union

import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest
from buildstream._model.tree import DirectoryEntry, FileEntry, SymlinkEntry, TreeDirectory
from buildstream._store.cas import Cas
from buildstream._store.cas_directory import CasDirectory
from buildstream._store.staging_plan import REMOVED_AT_MOST
from buildstream.storage import DirectoryError

Make = Callable[..., str]
Plain = dict[str, Union["Plain", FileEntry, SymlinkEntry]]


def plain(cas: Cas, digest: Digest) -> Plain:
    """A tree as nested dictionaries."""
    directory = cas.read_directory(digest)
    content: Plain = {name: plain(cas, child) for name, child in directory.directories}
    content.update({entry.name: entry for entry in directory.files})
    content.update({entry.name: entry for entry in directory.symlinks})
    return content


def overlay(layers: list[Plain]) -> Plain:
    """What an overlay shows of LAYERS, the topmost first."""
    result: Plain = {}
    for name in {name for layer in layers for name in layer}:
        merged: list[Plain] = []
        for layer in layers:
            entry = layer.get(name)
            if isinstance(entry, dict):
                merged.append(entry)
            elif entry is not None:
                if not merged:
                    result[name] = entry
                break  # nothing shows from under a file
        if merged:
            result[name] = overlay(merged)
    return result


def hide(tree: Plain, path: str) -> None:
    """Takes PATH out of TREE."""
    *parents, name = path.split("/")
    for parent in parents:
        inner = tree[parent]
        assert isinstance(inner, dict)
        tree = inner
    del tree[name]


def check(cas: Cas, directory: CasDirectory) -> tuple[Digest, ...]:
    """Checks the plan of a directory, and gives its layers."""
    plan = directory._staging_plan()
    changes = None if plan.changes is None else plan.changes.store(cas.add_directory)
    layers = plan.layers if changes is None else (*plan.layers, changes)
    shown = overlay([plain(cas, layer) for layer in reversed(plan.layers)])
    if changes is not None:
        assert plain(cas, directory._under("").store(cas.add_directory)) == shown
        for path in plan.removed:
            hide(shown, path)
        shown = overlay([plain(cas, changes), shown])
    assert len(set(plan.layers)) == len(plan.layers)
    assert EMPTY_DIGEST not in plan.layers
    assert shown == plain(cas, directory._digest())
    again = directory._staging_plan()
    assert (again.layers, again.private, again.removed) == (plan.layers, plan.private, plan.removed)
    assert changes == (None if again.changes is None else again.changes.store(cas.add_directory))
    return layers


def write(directory: CasDirectory, path: str, text: str) -> None:
    parent, _, name = path.rpartition("/")
    with directory.open_directory(parent, create=True).open_file(name, mode="w") as file:
        file.write(text)


@pytest.fixture
def tree(cas: Cas, make_tree: Make) -> Callable[..., Digest]:
    return lambda content: cas.import_directory(make_tree(content))


def test_an_empty_directory_has_no_layers(cas: Cas, tree: Callable[..., Digest]) -> None:
    directory = CasDirectory(cas)
    assert check(cas, directory) == ()
    directory._import_tree(EMPTY_DIGEST)
    assert check(cas, directory) == ()
    write(directory, "f", "x")
    directory.remove("f")
    assert check(cas, directory) == ()


def test_imports_at_the_root_are_layers(cas: Cas, tree: Callable[..., Digest]) -> None:
    a, b = tree({"usr/bin/a": "a", "f": "a"}), tree({"usr/bin/b": "b", "f": "b"})
    directory = CasDirectory(cas)
    directory._import_tree(a)
    assert check(cas, directory) == (a,)
    directory._import_tree(b)
    assert check(cas, directory) == (a, b)
    directory.import_files(CasDirectory(cas, tree({"c": "c"})))
    assert check(cas, directory) == (a, b, tree({"c": "c"}))
    assert check(cas, CasDirectory(cas, a)) == (a,)


def test_a_tree_imported_again_moves_to_the_top(cas: Cas, tree: Callable[..., Digest]) -> None:
    a, b = tree({"f": "a"}), tree({"f": "b"})
    directory = CasDirectory(cas)
    for digest in (a, b, a):
        directory._import_tree(digest)
    assert check(cas, directory) == (b, a)


def test_other_changes_are_one_more_layer(cas: Cas, tree: Callable[..., Digest]) -> None:
    a = tree({"usr/bin/a": "a", "usr/lib/l": "l"})
    directory = CasDirectory(cas, a)
    write(directory, "usr/bin/new", "x")
    write(directory, "usr/bin/a", "changed")
    directory.open_directory("buildstream/p/e", create=True)
    directory._import_tree(tree({"s": "s"}), path="src")
    directory._import_tree(tree({"k": "k", "n": "n"}), filter_callback=lambda path: path == "k")
    layers = check(cas, directory)
    assert layers[0] == a
    assert plain(cas, layers[1]).keys() == {"usr", "buildstream", "src", "k"}
    assert "lib" not in plain(cas, layers[1])["usr"]
    assert len(layers) == 2


def test_layers_go_on_after_other_changes(cas: Cas, tree: Callable[..., Digest]) -> None:
    a, b = tree({"d/a": "a"}), tree({"d/b": "b", "f": "b"})
    directory = CasDirectory(cas, a)
    write(directory, "f", "between")
    directory._import_tree(b)
    layers = check(cas, directory)
    assert len(layers) == 3
    assert (layers[0], layers[2]) == (a, b)


def test_changes_that_come_to_nothing_are_no_layer(cas: Cas, tree: Callable[..., Digest]) -> None:
    a = tree({"d/a": "a"})
    directory = CasDirectory(cas, a)
    write(directory, "d/a", "other")
    write(directory, "d/a", "a")
    directory.open_directory("d")._set_subtree_read_only(True)
    assert directory._staging_plan().layers == (a,)


def test_removals_are_changes_until_more_is_imported(cas: Cas, tree: Callable[..., Digest]) -> None:
    a, b = tree({"d/a": "a", "d/x": "x", "e/f/g": "g"}), tree({"b": "b"})
    directory = CasDirectory(cas, a)
    directory._import_tree(b)
    directory.remove("d/x")
    assert check(cas, directory) == (a, b, EMPTY_DIGEST)
    directory.remove("e", recursive=True)
    write(directory, "d/new", "n")
    assert check(cas, directory) == (a, b, tree({"d/new": "n"}))
    assert directory._staging_plan().removed == ("e", "d/x")
    c = tree({"c": "c"})
    directory._import_tree(c)
    layers = check(cas, directory)
    assert len(layers) == 2, "layers can't hide what is under them"
    assert layers[1] == c


def test_a_tree_of_little_that_is_left_is_one_layer(cas: Cas, tree: Callable[..., Digest]) -> None:
    directory = CasDirectory(cas, tree({f"d/{number}": "x" for number in range(REMOVED_AT_MOST + 2)}))
    for number in range(REMOVED_AT_MOST + 1):
        directory.remove(f"d/{number}")
    assert check(cas, directory) == (directory._digest(),)


def test_ignored_files_make_one_layer_of_all(cas: Cas, tree: Callable[..., Digest]) -> None:
    directory = CasDirectory(cas, tree({"d/a": "a"}))
    assert directory._import_tree(tree({"d": "file", "e": "e"})).ignored == ["d"]
    assert check(cas, directory) == (directory._digest(),)


def test_failed_imports_make_one_layer_of_all(cas: Cas, tree: Callable[..., Digest]) -> None:
    directory = CasDirectory(cas, tree({"z": "file"}))
    with pytest.raises(DirectoryError):
        directory._import_tree(tree({"a/b": "x", "z/b": "x"}))
    check(cas, directory)


def test_the_result_of_a_command_is_the_difference(cas: Cas, tree: Callable[..., Digest]) -> None:
    a = tree({"usr/bin/a": "a", "usr/lib/l": "l", "build": None})
    directory = CasDirectory(cas, a)
    after = tree({"usr/bin/a": "a", "usr/lib/l": "l", "usr/lib/cache": "new", "build/out": "o"})
    directory._attach_pending("", lambda: after)
    layers = check(cas, directory)
    assert layers[0] == a
    assert layers[1] == tree({"usr/lib/cache": "new", "build/out": "o"})
    directory._attach_pending("build", lambda: tree({"more": "x"}))
    assert check(cas, directory)[0] == a  # what the command made in between was never a layer
    directory._attach_pending("usr", lambda: tree({"bin/a": "a"}))
    assert check(cas, directory)[0] == a
    assert directory._staging_plan().removed == ("usr/lib",)


def test_files_replaced_by_directories_can_be_layers(cas: Cas, tree: Callable[..., Digest]) -> None:
    directory = CasDirectory(cas, tree({"d/f": "below"}))
    directory.remove("d", recursive=True)
    write(directory, "d", "file")
    assert len(check(cas, directory)) == 2  # a file hides a whole directory
    directory._import_tree(tree({"g": "g"}))
    directory.remove("d")
    directory.open_directory("d", create=True)
    write(directory, "d/new", "n")
    assert len(check(cas, directory)) == 4  # nothing shows from under the file


def test_many_layers(cas: Cas) -> None:
    directory = CasDirectory(cas)
    for number in range(900):
        file = FileEntry(f"f{number}", cas.add_bytes(b"%d" % number))
        directory._import_tree(cas.add_directory(TreeDirectory(files=(file,))))
        if number % 300 == 0:
            assert len(check(cas, directory)) == number + 1
    write(directory, "more", "x")
    assert len(check(cas, directory)) == 901
    assert len(directory) == 901


# --- Random changes, checked against a simple model


class Model:
    """The rules of directories on nested dictionaries."""

    def __init__(self) -> None:
        self.root: Plain = {}

    def directory(self, path: str) -> Plain:
        current = self.root
        for name in path.split("/") if path else []:
            found = current.setdefault(name, {})
            if not isinstance(found, dict):
                raise DirectoryError("not a directory")
            current = found
        return current

    def merge(self, target: Plain, source: Plain, wanted: Callable[[str], bool] | None, prefix: str) -> None:
        for name, entry in sorted(source.items(), key=lambda item: not isinstance(item[1], dict)):
            present = target.get(name)
            if isinstance(entry, dict):
                if present is not None and not isinstance(present, dict):
                    raise DirectoryError("not a directory")
                inner = target.setdefault(name, {})
                assert isinstance(inner, dict)
                self.merge(inner, entry, wanted, f"{prefix}{name}/")
                if wanted is not None and not wanted(prefix + name) and present is None and not inner:
                    del target[name]
            elif (wanted is None or wanted(prefix + name)) and not (isinstance(present, dict) and present):
                target[name] = entry


def copy(tree: Plain) -> Plain:
    return {name: copy(entry) if isinstance(entry, dict) else entry for name, entry in tree.items()}


def store(cas: Cas, tree: Plain) -> Digest:
    return cas.add_directory(
        TreeDirectory(
            tuple(entry for entry in tree.values() if isinstance(entry, FileEntry)),
            tuple(DirectoryEntry(name, store(cas, e)) for name, e in tree.items() if isinstance(e, dict)),
            tuple(entry for entry in tree.values() if isinstance(entry, SymlinkEntry)),
        )
    )


class Walk:
    """A random sequence of changes, to a directory and to the model of it."""

    def __init__(self, cas: Cas, seed: int) -> None:
        self.cas = cas
        self.random = random.Random(seed)
        self.directory = CasDirectory(cas)
        self.model = Model()

    def name(self) -> str:
        return self.random.choice("abcd")

    def path(self) -> str:
        return "/".join(self.name() for _ in range(self.random.randrange(3)))

    def tree(self, depth: int = 3) -> Plain:
        result: Plain = {}
        for _ in range(self.random.randrange(4)):
            name, kind = self.name(), self.random.random()
            if kind < 0.6 and depth:
                result[name] = self.tree(depth - 1)
            elif kind < 0.9:
                content = self.cas.add_bytes(self.random.choice((b"1", b"2")))
                result[name] = FileEntry(name, content, self.random.random() < 0.5)
            else:
                result[name] = SymlinkEntry(name, "target")
        return result

    def import_at(self, path: str, *, filtered: bool = False) -> None:
        tree, salt = self.tree(), self.random.random()
        wanted = (lambda name: hash((name, salt)) % 2 == 0) if filtered else None
        self.directory._import_tree(store(self.cas, tree), path=path, filter_callback=wanted)
        self.model.merge(self.model.directory(path), tree, wanted, "")

    def attach(self, path: str) -> None:
        tree = self.tree()
        self.directory._attach_pending(path, lambda: store(self.cas, tree))
        self.model.directory(path)
        if not path:
            self.model.root = copy(tree)
            return
        parent, _, name = path.rpartition("/")
        self.model.directory(parent)[name] = copy(tree)

    def edit(self, path: str) -> None:
        target = self.model.directory(path)
        handle = self.directory.open_directory(path, create=True)
        name = self.name()
        if name in target and self.random.random() < 0.3:
            handle.remove(name, recursive=True)
            del target[name]
        elif name in target:
            new_name = self.name()
            if new_name != name:
                handle.rename(name, new_name)
                entry = target.pop(name)
                target[new_name] = entry if isinstance(entry, dict) else entry._replace(name=new_name)
        else:
            handle._create_empty_file(name)
            target[name] = FileEntry(name, EMPTY_DIGEST)

    def step(self) -> None:
        kind = self.random.randrange(10)
        try:
            if kind < 5:
                self.import_at("")
            elif kind == 5:
                self.import_at(self.path())
            elif kind == 6:
                self.import_at("", filtered=True)
            elif kind == 7:
                self.attach(self.path())
            else:
                self.edit(self.path())
        except DirectoryError:
            self.model.root = plain(self.cas, self.directory._digest())


@pytest.mark.parametrize("seed", range(60))
def test_random_changes_keep_plan_and_content_right(cas: Cas, seed: int) -> None:
    walk = Walk(cas, seed)
    for _ in range(25):
        walk.step()
        if walk.random.random() < 0.4:
            check(cas, walk.directory)
        if walk.random.random() < 0.4:
            assert plain(cas, walk.directory._digest()) == walk.model.root
    check(cas, walk.directory)
    assert plain(cas, walk.directory._digest()) == walk.model.root
