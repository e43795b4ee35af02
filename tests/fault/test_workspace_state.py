"""The record of open workspaces: nothing is lost when many change it, and a kill never breaks it."""

import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from buildstream._load.workspaces import Workspace, changing_workspaces, load_workspaces
from tests.testutils.space import TestSpace

# opens and closes workspaces for ever
_CHANGER = """
import sys
from buildstream._load.workspaces import Workspace, changing_workspaces
project, name = sys.argv[1:]
print("started", flush=True)
while True:
    with changing_workspaces(project) as workspaces:
        workspaces[name] = Workspace("x" * 5000)
    with changing_workspaces(project) as workspaces:
        del workspaces[name]
"""


def test_many_changes_at_the_same_time(space: TestSpace) -> None:
    project = str(space.project_directory)

    def change(number: int) -> None:
        name = f"{number}.bst"
        for _ in range(20):
            with changing_workspaces(project) as workspaces:
                workspaces[name] = Workspace(name)
            with changing_workspaces(project) as workspaces:
                del workspaces[name]
        with changing_workspaces(project) as workspaces:
            workspaces[name] = Workspace(name, "0" * 64)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(change, range(16)))
    assert load_workspaces(project) == {f"{n}.bst": Workspace(f"{n}.bst", "0" * 64) for n in range(16)}


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment(space: TestSpace, seed: int) -> None:
    project = str(space.project_directory)
    chance = random.Random(seed)
    with changing_workspaces(project) as workspaces:
        workspaces["kept.bst"] = Workspace("kept")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _CHANGER, project, f"{number}.bst"], stdout=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
        for process in processes:
            # others go on meanwhile: any of these reads may meet a change half-way
            for _ in range(chance.randrange(1, 40)):
                assert load_workspaces(project)["kept.bst"] == Workspace("kept")
            process.kill()
            process.wait()
            assert load_workspaces(project)["kept.bst"] == Workspace("kept")
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    with changing_workspaces(project) as workspaces:
        workspaces.clear()
    assert load_workspaces(project) == {}


def test_concurrent_commands(space: TestSpace) -> None:
    space.project()
    space.write("files/x", "x\n")
    names = [f"e{number}.bst" for number in range(4)]
    for name in names:
        space.element(name, "kind: import\nsources:\n- kind: local\n  path: files\n")
    for arguments, expected in ((["open"], names), (["close", "--remove-dir"], [])):
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "buildstream", "workspace", *arguments, name],
                cwd=space.project_directory,
                env=space.environment(),
                stderr=subprocess.PIPE,
            )
            for name in names
        ]
        for process in processes:
            _, errors = process.communicate()
            assert process.returncode == 0, errors.decode()
        listed = yaml.safe_load(space.bst("workspace", "list").stdout)["workspaces"]
        assert sorted(entry["element"] for entry in listed) == expected
    assert not any((space.project_directory / name[:-4]).exists() for name in names)


def test_killed_reset_leaves_a_workspace(space: TestSpace) -> None:
    space.project()
    for number in range(30):
        space.write(f"files/{number}", "original\n")
    space.element("a.bst", "kind: import\nsources:\n- kind: local\n  path: files\n")
    space.bst("workspace", "open", "a.bst")
    process = subprocess.Popen(
        [sys.executable, "-m", "buildstream", "workspace", "reset", "a.bst"],
        cwd=space.project_directory,
        env=space.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Staging sources" in line:
            break
    process.kill()
    process.communicate()
    assert "a.bst" in load_workspaces(str(space.project_directory))
    space.bst("workspace", "reset", "a.bst")
    assert space.read("a/7") == "original\n"
    shutil.rmtree(space.project_directory / "a")
