"""Files and directories that can't be read or written: one clear error that names them."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fault.background import Background, Ended
from tests.testutils.space import TestSpace

Damage = Callable[[Path], None]


def make_unreadable(path: Path) -> None:
    path.chmod(0)


def make_a_loop(path: Path) -> None:
    """A symbolic link to itself."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def make_a_directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def make_garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe: [")


@pytest.fixture
def project(space: TestSpace) -> Iterator[TestSpace]:
    """one.bst imports the directory files/one."""
    space.project()
    space.write("files/one/file", "content")
    space.element("one.bst", "kind: import\nsources:\n- kind: local\n  path: files/one\n")
    yield space
    for path in space.directory.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)


def run_as_nobody(space: TestSpace, *arguments: str) -> Ended:
    """Runs bst without the power of root over permissions."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        # without any capability, root is an ordinary user
        prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    return Background(space, *arguments, prefix=prefix).end()


def check(ended: Ended, *words: str) -> None:
    """That bst ended with one error that has these words."""
    assert ended.code == 255, ended.output
    assert ended.leftovers == ()
    assert "Traceback" not in ended.output
    assert "BUG" not in ended.output
    for word in words:
        assert word in ended.output


@pytest.mark.parametrize("damage", [make_unreadable, make_a_directory, make_garbage, make_a_loop])
def test_project_configuration(project: TestSpace, damage: Damage) -> None:
    path = project.project_directory / "project.conf"
    damage(path)
    check(run_as_nobody(project, "show", "one.bst"), "project.conf")


@pytest.mark.parametrize("damage", [make_unreadable, make_a_directory, make_garbage, make_a_loop])
def test_element_file(project: TestSpace, damage: Damage) -> None:
    damage(project.project_directory / "elements" / "one.bst")
    check(run_as_nobody(project, "show", "one.bst"), "one.bst")


@pytest.mark.parametrize("damage", [make_unreadable, make_a_directory, make_garbage, make_a_loop])
def test_user_configuration(project: TestSpace, damage: Damage) -> None:
    project.configure("")
    damage(project.directory / "config" / "buildstream.conf")
    check(run_as_nobody(project, "show", "one.bst"), "user configuration", "buildstream.conf")


def test_own_files_are_captured_whatever_their_modes(project: TestSpace) -> None:
    """The owner could make them readable, so there is no reason to bother anybody."""
    file = project.project_directory / "files" / "one" / "file"
    make_unreadable(file)
    ended = run_as_nobody(project, "build", "one.bst")
    assert (ended.code, ended.leftovers) == (0, ())
    assert stat.S_IMODE(file.stat().st_mode) == 0


def test_loop_inside_a_local_source_is_kept(project: TestSpace) -> None:
    make_a_loop(project.project_directory / "files" / "one" / "loop")
    project.bst("build", "one.bst")
    project.bst("artifact", "checkout", "one.bst", "--directory", "out")
    assert project.tree("out") == ["file", "loop -> loop"]


def test_local_source_that_is_a_loop(project: TestSpace) -> None:
    directory = project.project_directory / "files" / "one"
    (directory / "file").unlink()
    directory.rmdir()
    make_a_loop(directory)
    check(run_as_nobody(project, "build", "one.bst"), "files/one")


def test_cache_directory_that_is_a_file(project: TestSpace) -> None:
    project.cache_directory.parent.mkdir()
    project.cache_directory.write_text("a file")
    check(run_as_nobody(project, "build", "one.bst"), str(project.cache_directory))


def test_read_only_cache_directory(project: TestSpace) -> None:
    project.cache_directory.mkdir(parents=True)
    project.cache_directory.chmod(0o555)
    check(run_as_nobody(project, "build", "one.bst"), str(project.cache_directory), "Permission denied")


@pytest.mark.parametrize("part", ["cas/objects", "artifacts/refs", "logs"])
def test_part_of_the_cache_that_is_read_only(project: TestSpace, part: str) -> None:
    project.bst("build", "one.bst")
    project.write("files/one/file", "other content")
    directory = project.cache_directory / part
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)
    check(run_as_nobody(project, "build", "one.bst"), str(directory), "Permission denied")
    assert project.states("one.bst")["one.bst"] != "failed"


def test_log_directory_that_is_a_file(project: TestSpace) -> None:
    log_directory = project.directory / "logs"
    log_directory.write_text("a file")
    project.configure(f"logdir: {log_directory}\n")
    check(run_as_nobody(project, "build", "one.bst"), str(log_directory))


def test_home_is_not_set(project: TestSpace) -> None:
    """Then the home directory is that of the user data base, as for other programs."""
    prefix = ["env", "-u", "HOME"]
    ended = Background(project, "show", "one.bst", prefix=prefix).end()
    assert (ended.code, ended.leftovers) == (0, ())


def test_home_that_does_not_exist(project: TestSpace) -> None:
    home = project.directory / "absent"
    prefix = ["env", "-u", "XDG_CACHE_HOME", "-u", "XDG_CONFIG_HOME", "-u", "XDG_DATA_HOME", f"HOME={home}"]
    ended = Background(project, "build", "one.bst", prefix=prefix).end()
    assert (ended.code, ended.leftovers) == (0, ())
    assert (home / ".cache" / "buildstream").is_dir()


def test_current_directory_that_is_gone(project: TestSpace) -> None:
    gone = project.directory / "gone"
    gone.mkdir()
    prefix = ["sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(gone)]
    check(Background(project, "show", "one.bst", prefix=prefix).end(), "current directory")
