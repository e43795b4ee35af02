"""Extracted trees of stubs, and that no file of any extracted tree is a hard link of another one."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from buildstream._exceptions import CASError
from buildstream._model.digest import Digest, digest_from_bytes
from buildstream._store.adopt import STUBBED_AT_MOST
from buildstream._store.cas import Cas
from buildstream._store.layout import TreeForm
from buildstream._store.statrecords import clock_ns
from buildstream._store.workers import WORTHWHILE

Make = Callable[..., str]

MTIME_NS = 1321009871 * 10**9
METACOPY, REDIRECT = "user.overlay.metacopy", "user.overlay.redirect"
TREE = {
    "bin/tool": ("x", "tool"),
    "bin/alias": ("->", "tool"),
    "etc/a/conf": "conf",
    "etc/b": "conf",
    "no": "",
}
CONF = digest_from_bytes(b"conf")


def object_of(cas: Cas, digest: Digest, suffix: str = "") -> Path:
    return Path(cas.directory, "objects", digest.hash[:2], digest.hash[2:] + suffix)


def set_marks(path: Path) -> None:
    """What only an overlay, or somebody hostile, sets."""
    os.setxattr(path, METACOPY, b"")
    os.setxattr(path, REDIRECT, b"/../../secret")
    os.setxattr(path, "user.other", b"x")


def wait_for_clock(path: str) -> None:
    """Lets the clock of the file system go on, so that changes from now on can be told from those before."""
    while os.stat(path).st_ctime_ns >= clock_ns(f"{os.path.dirname(path)}-clock"):
        pass


def stub_target(path: str) -> str:
    assert os.getxattr(path, METACOPY) == b""
    return os.getxattr(path, REDIRECT).decode()


def test_files_are_empty_and_name_their_objects(cas: Cas, make_tree: Make) -> None:
    tree = make_tree(TREE)
    os.utime(f"{tree}/etc/b", ns=(0, 1425445567_123456_000))
    root = cas.extracted_tree(cas.import_directory(tree), TreeForm.STUBS)
    assert os.path.basename(os.path.dirname(root)) == "stubs"
    inodes = set()
    for name, digest, suffix in (
        ("bin/tool", digest_from_bytes(b"tool"), ".x"),
        ("etc/a/conf", CONF, ""),
        ("etc/b", CONF, ""),
    ):
        path = f"{root}/{name}"
        status = os.lstat(path)
        assert status.st_size == digest.size
        assert not any(Path(path).read_bytes())
        assert stub_target(path) == f"/{digest.hash[:2]}/{digest.hash[2:]}{suffix}"
        assert status.st_mode == stat.S_IFREG | (0o755 if suffix else 0o644)
        assert (status.st_nlink, status.st_mtime_ns) == (1, MTIME_NS)
        assert object_of(cas, digest, suffix).stat().st_nlink == 1
        inodes.add(status.st_ino)
    assert len(inodes) == 3
    assert os.readlink(f"{root}/bin/alias") == "tool"
    assert os.listxattr(f"{root}/no") == []
    assert os.lstat(f"{root}/no").st_mtime_ns == MTIME_NS


def test_recorded_times_are_those_of_stubs(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({"f": "content"})
    os.utime(f"{tree}/f", ns=(0, 1425445567_123456_000))
    root = cas.extracted_tree(cas.import_directory(tree, mtimes=True), TreeForm.STUBS)
    assert os.stat(f"{root}/f").st_mtime_ns == 1425445567_123456_000
    assert stub_target(f"{root}/f").startswith("/")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_many_are_made_by_workers_alike(cas: Cas, make_tree: Make, umask: int) -> None:
    names = {
        f"d{number % 3}/f{number}": ("x" if number % 2 else "-", str(number)) for number in range(WORTHWHILE)
    }
    digest = cas.import_directory(
        make_tree({name: what if what[0] == "x" else what[1] for name, what in names.items()})
    )
    object_of(cas, digest_from_bytes(b"1"), ".x").unlink()  # only one form of it is there, and made again
    object_of(cas, digest_from_bytes(b"1")).write_bytes(b"1")
    previous = os.umask(umask)
    try:
        root = cas.extracted_tree(digest, TreeForm.STUBS)
    finally:
        os.umask(previous)
    for name, (kind, content) in names.items():
        status = os.lstat(f"{root}/{name}")
        blob = digest_from_bytes(content.encode())
        suffix = ".x" if kind == "x" else ""
        assert stub_target(f"{root}/{name}") == f"/{blob.hash[:2]}/{blob.hash[2:]}{suffix}"
        assert stat.S_IMODE(status.st_mode) == (0o755 if suffix else 0o644)
        assert (status.st_size, status.st_mtime_ns) == (blob.size, MTIME_NS)
        assert object_of(cas, blob, suffix).read_text() == content


def _other_object(path: str) -> None:
    os.setxattr(path, REDIRECT, b"/ab/cdef")


def _no_redirect(path: str) -> None:
    os.removexattr(path, REDIRECT)


def _no_metacopy(path: str) -> None:
    os.removexattr(path, METACOPY)


def _mode(path: str) -> None:
    os.chmod(path, 0o600)


def _size(path: str) -> None:
    os.truncate(path, 3)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))


def _time(path: str) -> None:
    os.utime(path)


def _plain_file(path: str) -> None:
    os.unlink(path)
    Path(path).write_text("conf")
    os.chmod(path, 0o644)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))


DAMAGES = [_other_object, _no_redirect, _no_metacopy, _mode, _size, _time, _plain_file, os.unlink]
MANY = WORTHWHILE  # files, of which workers look at some


@pytest.mark.parametrize(
    ("damage", "extra"),
    [*((damage, 0) for damage in DAMAGES), (_other_object, MANY), (_mode, MANY), (os.unlink, MANY)],
)
def test_damaged_tree_is_made_again(
    cas: Cas, make_tree: Make, damage: Callable[[str], None], extra: int
) -> None:
    digest = cas.import_directory(
        make_tree({**TREE, **{f"more/{number % 5}/{number}": str(number) for number in range(extra)}})
    )
    root = cas.extracted_tree(digest, TreeForm.STUBS)
    inode = os.stat(root).st_ino
    again = Cas(cas.directory)
    again.extracted_tree(digest, TreeForm.STUBS)
    assert os.stat(root).st_ino == inode
    wait_for_clock(root)
    damage(f"{root}/etc/a/conf")
    again = Cas(cas.directory)
    if extra:
        with again._objects.workers.borrowed() as group:
            assert group is not None
    assert again.unsound_trees([digest], TreeForm.STUBS) == [digest]
    again.extracted_tree(digest, TreeForm.STUBS)
    assert os.stat(root).st_ino != inode
    assert again.unsound_trees([digest], TreeForm.STUBS) == []
    assert stub_target(f"{root}/etc/a/conf").endswith(CONF.hash[2:])


def test_harmless_change_is_looked_at_once(cas: Cas, make_tree: Make) -> None:
    digest = cas.import_directory(make_tree(TREE))
    root = cas.extracted_tree(digest, TreeForm.STUBS)
    inode = os.stat(root).st_ino
    wait_for_clock(root)
    os.chmod(f"{root}/etc/b", 0o644)  # changes nothing but its change time
    Cas(cas.directory).extracted_tree(digest, TreeForm.STUBS)
    assert os.stat(root).st_ino == inode
    assert os.stat(root).st_ctime_ns >= os.stat(f"{root}/etc/b").st_ctime_ns


def _corrupt(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"fonc")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(Path.unlink, "missing-blob"), (_corrupt, "corrupt-blob")],
    ids=["missing", "corrupt"],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_tree_is_not_given_out_without_right_objects(
    cas: Cas, make_tree: Make, damage: Callable[[Path], None], reason: str, *, is_there: bool
) -> None:
    digest = cas.import_directory(make_tree(TREE))
    if is_there:
        wait_for_clock(cas.extracted_tree(digest, TreeForm.STUBS))
    damage(object_of(cas, CONF))
    again = Cas(cas.directory)
    with pytest.raises(CASError) as caught:
        again.extracted_tree(digest, TreeForm.STUBS)
    assert caught.value.reason == reason
    assert os.listdir(f"{os.path.dirname(cas.directory)}/stubs") == []
    assert not object_of(cas, CONF).exists()


def test_missing_object_is_got_from_elsewhere(cas: Cas, make_tree: Make) -> None:
    digest = cas.import_directory(make_tree(TREE))
    cas.extracted_tree(digest, TreeForm.STUBS)
    object_of(cas, CONF).unlink()
    again = Cas(cas.directory)

    def heal(wanted: Digest) -> bool:
        again.insert(wanted, b"conf")
        return True

    again.heal = heal
    again.extracted_tree(digest, TreeForm.STUBS)
    assert object_of(cas, CONF).read_bytes() == b"conf"


def test_check_finds_trees_whose_objects_are_gone(cas: Cas, make_tree: Make) -> None:
    digest = cas.import_directory(make_tree(TREE))
    cas.extracted_tree(digest, TreeForm.STUBS)
    check = cas.check(repairs=True)
    check.trees(lambda _: None)
    assert (check.report.trees, check.report.damaged_trees) == (1, [])
    object_of(cas, CONF).unlink()
    check = cas.check(repairs=True)
    check.trees(lambda _: None)
    assert check.report.damaged_trees == [digest.hash]
    assert os.listdir(f"{os.path.dirname(cas.directory)}/stubs") == []


# --- Adoption


def test_stubs_take_the_places_of_captured_files(cas: Cas, make_tree: Make) -> None:
    tree = make_tree(TREE)
    digest = cas.import_directory(tree, consume=True)
    assert cas.adopt_tree(digest, tree, TreeForm.STUBS)
    assert not os.path.exists(tree)
    root = f"{os.path.dirname(cas.directory)}/stubs/{digest.hash}"
    inode = os.stat(root).st_ino
    assert cas.unsound_trees([digest], TreeForm.STUBS) == []
    assert cas.extracted_tree(digest, TreeForm.STUBS) == root
    assert os.stat(root).st_ino == inode
    assert stub_target(f"{root}/etc/b").endswith(CONF.hash[2:])
    assert object_of(cas, CONF).read_bytes() == b"conf"
    assert object_of(cas, CONF).stat().st_nlink == 1


def test_many_captured_files_are_left_to_workers(cas: Cas, make_tree: Make) -> None:
    tree = make_tree({f"f{number}": str(number) for number in range(STUBBED_AT_MOST + 1)})
    digest = cas.import_directory(tree, consume=True)
    assert not cas.adopt_tree(digest, tree, TreeForm.STUBS)
    assert Path(tree, "f7").read_text() == "7"


# --- One inode for each file


@pytest.mark.parametrize("form", TreeForm)
@pytest.mark.parametrize("count", [3, WORTHWHILE])
def test_no_file_is_in_two_trees(cas: Cas, make_tree: Make, form: TreeForm, count: int) -> None:
    contents = {f"d/f{number}": str(number) for number in range(count)}
    contents["d/again"] = "1"
    digests = [
        cas.import_directory(make_tree(contents)),
        cas.import_directory(make_tree({**contents, "x": "different"})),
        cas.import_directory(make_tree(contents, None) + "/d"),
    ]
    roots = cas.extracted_trees(digests, form)
    files = [path for root in roots for path in Path(root).rglob("*") if path.is_file()]
    assert len(files) == 3 * (count + 1) + 1
    assert len({path.stat().st_ino for path in files}) == len(files)
    assert {path.stat().st_mtime_ns for path in files} == {MTIME_NS}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}
    if form is TreeForm.LINKS:
        for root, digest in zip(roots, digests, strict=True):
            assert cas.import_directory(root) == digest
    Cas(cas.directory).extracted_trees(digests, form)
    assert [Path(root).stat().st_ino for root in roots] == [
        os.stat(root).st_ino for root in Cas(cas.directory).extracted_trees(digests, form)
    ]


@pytest.mark.parametrize("form", TreeForm)
def test_captured_tree_shares_no_file_with_others(cas: Cas, make_tree: Make, form: TreeForm) -> None:
    first = cas.extracted_tree(cas.import_directory(make_tree({"a": "same"})), form)
    tree = make_tree({"b": "same", "c": "new"})
    digest = cas.import_directory(tree, consume=True)
    assert cas.adopt_tree(digest, tree, form)
    second = cas.extracted_tree(digest, form)
    third = cas.extracted_tree(cas.import_directory(make_tree({"d": "new"})), form)
    inodes = {os.stat(path).st_ino for path in (f"{first}/a", f"{second}/b", f"{second}/c", f"{third}/d")}
    assert len(inodes) == 4


# --- Attributes


def test_attributes_do_not_travel(cas: Cas, make_tree: Make) -> None:
    """A build in a copied root may set what an overlay takes for its marks."""
    tree = make_tree({"a": "content", "d/b": "other"})
    for name in ("a", "d/b", "d"):
        set_marks(Path(tree, name))
    digest = cas.import_directory(tree, consume=True)
    assert os.listxattr(object_of(cas, digest_from_bytes(b"content"))) == []
    cas.adopt_tree(digest, tree)
    for form in TreeForm:
        root = cas.extracted_tree(digest, form)
        assert os.listxattr(f"{root}/d") == []
        attributes = os.listxattr(f"{root}/a")
        assert sorted(attributes) == ([METACOPY, REDIRECT] if form is TreeForm.STUBS else [])
    assert stub_target(f"{root}/a").endswith(digest_from_bytes(b"content").hash[2:])


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "..", "a" * 63, "A" * 64, "/" * 64])
def test_stub_names_nothing_but_objects(cas: Cas, name: str) -> None:
    """What a directory from elsewhere calls a hash becomes part of a path."""
    from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2

    message = remote_execution_pb2.Directory()
    node = message.files.add()
    node.name, node.digest.hash, node.digest.size_bytes = "evil", name, 5
    digest = cas.add_bytes(message.SerializeToString())
    with pytest.raises(CASError):
        cas.extracted_tree(digest, TreeForm.STUBS)
    assert os.listdir(f"{os.path.dirname(cas.directory)}/stubs") == []


# --- Clean-up


def used_tree(tmp_path: Path, make_tree: Make) -> tuple[Cas, Digest]:
    """A store with a tree that was last used long ago, and that no record refers to."""
    cas = Cas(str(tmp_path / "store" / "cas"), durable=False)
    digest = cas.import_directory(make_tree({"d/f": "content"}))
    cas.extracted_tree(digest, TreeForm.STUBS)
    for path in Path(cas.directory, "objects").glob("*/*"):
        os.utime(path, ns=(0, MTIME_NS))
    cas.close()
    return Cas(cas.directory, durable=False), digest


def test_objects_of_trees_in_use_are_spared_though_no_record_refers_to_them(
    tmp_path: Path, make_tree: Make
) -> None:
    """As when another process deletes the artifact while it is staged here."""
    using, digest = used_tree(tmp_path, make_tree)
    using.begin_session()
    using.extracted_tree(digest, TreeForm.STUBS)
    cleaning = Cas(using.directory, durable=False)
    report = cleaning.cleaner([]).run(0)
    assert (report.deleted_objects, report.deleted_trees) == (0, 0)
    assert using.unsound_trees([digest], TreeForm.STUBS) == []
    using.close()
    assert cleaning.cleaner([]).run(0).deleted_objects == 3


def test_objects_of_a_tree_that_is_used_while_others_are_deleted_are_spared(
    tmp_path: Path, make_tree: Make
) -> None:
    using, digest = used_tree(tmp_path, make_tree)
    using.begin_session()
    cleaning = Cas(using.directory, durable=False)
    questions = 0

    def should_stop() -> bool:
        nonlocal questions
        questions += 1
        if questions == 2:  # once before the tree, once before each folder of objects
            using.extracted_tree(digest, TreeForm.STUBS)
        return False

    report = cleaning.cleaner([], should_stop).run(0)
    assert questions > 2
    assert report.deleted_objects == 0
    assert using.unsound_trees([digest], TreeForm.STUBS) == []
