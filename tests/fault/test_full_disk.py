"""A full disk ends the build with one clear error; with space, the same store works again."""

import hashlib
import shutil
from pathlib import Path

import pytest

from buildstream._store.cas import Cas
from buildstream._store.usage import StoreLimits, measure_objects
from buildstream._store.workers import WORTHWHILE
from tests.fault.background import Background, Ended
from tests.fault.storecheck import find_faults
from tests.testutils.space import TestSpace

# runs the rest of the arguments with a small file system on the directory $1, of $2 bytes, as
# root of a namespace: needs no rights.  What is written there is copied to $3 at the end.
ON_SMALL_DISK = """
mount -t tmpfs -o size=$2 small "$1" && cp -a "$3/." "$1" || exit 77
store=$1 saved=$3; shift 3
"$@"; status=$?
rm -rf "$saved"; mkdir "$saved"; cp -a "$store/." "$saved"
exit $status
"""
NO_NAMESPACE = 77
_COUNTED = StoreLimits(quota_bytes=1 << 40)

BIG = """\
kind: manual
build-depends: [base.bst]
config:
  install-commands:
  - for i in 1 2 3 4 5 6 7 8; do find /usr /lib* -type f -exec cat {{}} + > %{{install-root}}/{name}$i; done
"""


@pytest.fixture
def project(space: TestSpace) -> TestSpace:
    space.project()
    space.shell_base()
    space.element("big.bst", BIG.format(name="big"))
    space.element("small.bst", "kind: import\nsources:\n- kind: local\n  path: project.conf\n")
    return space


def build_on_small_disk(
    space: TestSpace, size_bytes: int, *arguments: str, mounted: Path | None = None
) -> Ended:
    """Runs bst with the cache directory, or MOUNTED, on a file system of SIZE_BYTES."""
    mounted = mounted or space.cache_directory
    saved = space.directory / "saved"
    shutil.rmtree(saved, ignore_errors=True)
    saved.mkdir()
    if mounted.exists():
        shutil.copytree(mounted, saved, dirs_exist_ok=True, symlinks=True)
    mounted.mkdir(parents=True, exist_ok=True)
    script = ["sh", "-c", ON_SMALL_DISK, "sh", str(mounted), str(size_bytes), str(saved)]
    prefix = ["unshare", "--user", "--map-root-user", "--mount", *script]
    ended = Background(space, *arguments, prefix=prefix).end()
    if ended.code == NO_NAMESPACE:
        pytest.skip("there are no mount namespaces for ordinary users here")
    shutil.rmtree(mounted)
    saved.rename(mounted)
    return ended


def base_size(space: TestSpace) -> int:
    files = (space.project_directory / "files" / "base").rglob("*")
    return sum(path.lstat().st_size for path in files)


@pytest.mark.parametrize("percent", [50, 150, 300])
def test_full_disk_is_one_clear_error(project: TestSpace, percent: int) -> None:
    ended = build_on_small_disk(project, base_size(project) * percent // 100, "build", "big.bst")
    assert (ended.code, ended.leftovers) == (255, ())
    assert "Traceback" not in ended.output
    assert "BUG" not in ended.output
    assert "No space left on device" in ended.output
    assert str(project.cache_directory) in ended.output
    assert find_faults(project.cache_directory, project.directory / "scratch") == []
    # now there is space
    assert "failed" not in project.states("big.bst").values()
    project.bst("build", "big.bst")
    assert set(project.states("big.bst").values()) == {"cached"}


@pytest.mark.parametrize("share", [1, 2, 4, 8])
def test_import_of_many_files_on_a_full_disk_is_one_clear_error(space: TestSpace, share: int) -> None:
    space.project()
    for number in range(2 * WORTHWHILE):
        space.write(f"files/many/{number}", f"{number}\n" * 1000)
    space.element("many.bst", "kind: import\nsources:\n- kind: local\n  path: files/many\n")
    space.configure("cache: {quota: 1T, reserved-disk-space: 0}\n")
    ended = build_on_small_disk(space, share * WORTHWHILE * 1000, "build", "many.bst")
    assert (ended.code, ended.leftovers) == (255, ())
    assert "Traceback" not in ended.output
    assert "BUG" not in ended.output
    assert "No space left on device" in ended.output
    assert find_faults(space.cache_directory, space.directory / "scratch") == []
    assert list((space.cache_directory / "cas" / "tmp").iterdir()) == []
    assert Cas(str(space.cache_directory / "cas"), limits=_COUNTED).usage.used_bytes == measure_objects(
        str(space.cache_directory / "cas" / "objects")
    )
    space.bst("build", "many.bst")
    assert set(space.states("many.bst").values()) == {"cached"}


@pytest.mark.parametrize("count", [20, 2 * WORTHWHILE])
@pytest.mark.parametrize("option", ["--hardlinks", "--force"])
def test_check_out_to_a_full_disk(space: TestSpace, count: int, option: str) -> None:
    space.project()
    for number in range(count):
        space.write(f"files/many/{number % 7}/{number}", f"{number}\n" * 2000)
    space.element("many.bst", "kind: import\nsources:\n- kind: local\n  path: files/many\n")
    space.bst("build", "many.bst")
    disk = space.directory / "disk"
    command = ("artifact", "checkout", "many.bst", option, "--directory", str(disk / "out"))
    ended = build_on_small_disk(space, count * 4000, *command, mounted=disk)
    assert (ended.code, ended.leftovers) == (255, ())
    assert "No space left on device" in ended.output
    assert "Cache too full" not in ended.output, "it is not the cache that is full"
    assert list(disk.iterdir()) == [], "half of it is of no use"
    space.bst(*command)


def test_command_that_failed_on_a_full_disk_is_tried_again(project: TestSpace) -> None:
    # it cleans up after itself, so that there would be space to remember the failure
    project.element(
        "tidy.bst",
        "kind: manual\nbuild-depends: [base.bst]\nconfig:\n  install-commands:\n  - |\n"
        "    cat /usr/bin/* > %{install-root}/spare || true\n"
        "    while cat /usr/bin/* >> %{install-root}/big; do :; done\n"
        "    rm %{install-root}/spare; exit 1\n",
    )
    ended = build_on_small_disk(project, base_size(project) * 3, "build", "tidy.bst")
    assert (ended.code, ended.leftovers) == (255, ())
    error = project.recorded_errors()[1]
    assert error is not None
    assert error.reason == "disk-full"
    assert project.states("tidy.bst")["tidy.bst"] == "buildable"


def test_download_that_does_not_fit(project: TestSpace) -> None:
    content = project.write("content", "x" * (4 << 20))
    digest = hashlib.sha256(content.read_bytes()).hexdigest()
    project.element(
        "download.bst", f"kind: import\nsources:\n- kind: remote\n  url: file://{content}\n  ref: {digest}\n"
    )
    ended = build_on_small_disk(project, 1 << 20, "source", "fetch", "download.bst")
    assert (ended.code, ended.leftovers) == (255, ())
    assert "No space left on device" in ended.output
    assert str(project.cache_directory) in ended.output
    assert "retrying" not in ended.output
    project.bst("source", "fetch", "download.bst")


def test_disk_that_is_full_from_the_start(project: TestSpace) -> None:
    ended = build_on_small_disk(project, 4096, "build", "small.bst")
    assert (ended.code, ended.leftovers) == (255, ())
    assert "Traceback" not in ended.output
    assert "No space left on device" in ended.output
    assert str(project.cache_directory) in ended.output
    project.bst("build", "small.bst")
