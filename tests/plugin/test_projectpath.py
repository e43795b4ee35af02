"""Which paths a project may name."""

import os
from pathlib import Path

import pytest

from buildstream._exceptions import LoadError
from buildstream._load.projectpath import check_project_path
from buildstream.exceptions import LoadErrorReason
from buildstream.node import MappingNode


def _check(project: Path, path: str, *, is_file: bool = False, is_dir: bool = False) -> str:
    node = MappingNode.from_dict({"path": path}).get_scalar("path")
    return check_project_path(os.path.realpath(project), node, check_is_file=is_file, check_is_dir=is_dir)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a file, a directory, links and a FIFO; its parent has a file too."""
    project = tmp_path / "project"
    (project / "dir").mkdir(parents=True)
    (project / "file").touch()
    (project / "dir" / "file").touch()
    (tmp_path / "outside").touch()
    (project / "link").symlink_to("file")
    (project / "linkdir").symlink_to("dir")
    (project / "out").symlink_to("..")
    os.mkfifo(project / "fifo")
    return project


@pytest.mark.parametrize("path", ["file", "dir", ".", "", "linkdir/file", "dir/../file"])
def test_valid_paths_are_given_back(project: Path, path: str) -> None:
    assert _check(project, path) == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("link", LoadErrorReason.PROJ_PATH_INVALID_KIND),
        ("../outside", LoadErrorReason.PROJ_PATH_INVALID),
        ("dir/../../outside", LoadErrorReason.PROJ_PATH_INVALID),
        ("out/outside", LoadErrorReason.PROJ_PATH_INVALID),
        ("missing", LoadErrorReason.MISSING_FILE),
        ("/etc", LoadErrorReason.PROJ_PATH_INVALID),
        ("fifo", LoadErrorReason.PROJ_PATH_INVALID_KIND),
    ],
)
def test_invalid_paths(project: Path, path: str, reason: LoadErrorReason) -> None:
    with pytest.raises(LoadError) as caught:
        _check(project, path)
    assert caught.value.reason is reason


def test_absolute_paths_inside_the_project_are_refused(project: Path) -> None:
    with pytest.raises(LoadError) as caught:
        _check(project, str(project / "file"))
    assert caught.value.reason is LoadErrorReason.PROJ_PATH_INVALID


def test_the_kind_of_file_can_be_demanded(project: Path) -> None:
    assert _check(project, "dir", is_dir=True)
    assert _check(project, "file", is_file=True)
    for path, is_file in (("dir", True), ("file", False)):
        with pytest.raises(LoadError) as caught:
            _check(project, path, is_file=is_file, is_dir=not is_file)
        assert caught.value.reason is LoadErrorReason.PROJ_PATH_INVALID_KIND
