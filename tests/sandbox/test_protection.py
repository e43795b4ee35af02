"""How a root is divided into what may be written and what may not."""

import pytest

from buildstream._sandbox.protection import EntryKind, outermost_paths, protect_all_but
from buildstream._store.cas_directory import CasDirectory
from tests.sandbox.conftest import SandboxRig


@pytest.mark.parametrize(
    ("paths", "outermost"),
    [
        ([], []),
        (["b", "a"], ["a", "b"]),
        (["a/b", "a", "a"], ["a"]),
        (["a-b", "a", "a/b/c"], ["a", "a-b"]),
        (["a", ""], [""]),
    ],
)
def test_outermost_paths(paths: list[str], outermost: list[str]) -> None:
    assert outermost_paths(paths) == outermost


def test_everything_beside_the_way_to_writable_directories_is_protected(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    root = sandbox.get_virtual_directory()
    assert isinstance(root, CasDirectory)
    for name in list(root):
        root.remove(name, recursive=True)
    for path in ("a/b/c", "a/other", "dev/x", "usr/bin"):
        root.open_directory(path, create=True)
    with root.open_file("a/file", mode="w"):
        pass
    protection = protect_all_but(root, ["a/b/c", "a/b/c/d"])
    assert protection.writable == ("a/b/c",)
    assert protection.parents == ("", "a", "a/b")
    assert {(entry.path, entry.kind) for entry in protection.siblings} == {
        ("a/other", EntryKind.DIRECTORY),
        ("a/file", EntryKind.FILE),
        ("dev", EntryKind.DIRECTORY),
        ("usr", EntryKind.DIRECTORY),
    }
    assert set(protection.mountable_siblings()) == {"a/other", "a/file", "usr"}


def test_nothing_is_protected_in_a_writable_root(rig: SandboxRig) -> None:
    root = rig.sandbox().get_virtual_directory()
    assert isinstance(root, CasDirectory)
    protection = protect_all_but(root, [""])
    assert (protection.writable, protection.parents, protection.siblings) == (("",), (), ())
