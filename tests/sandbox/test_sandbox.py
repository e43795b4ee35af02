"""The interface for plugins: which commands are accepted, and when nothing is run."""

import os
from dataclasses import replace

import pytest

from buildstream._exceptions import ImplError, SandboxError
from buildstream._sandbox.environment import SandboxConfiguration
from buildstream._sandbox.local import LocalSandbox
from buildstream.sandbox import SandboxCommandError
from tests.sandbox.conftest import ENVIRONMENT, PROGRAMS, SandboxRig


@pytest.mark.parametrize(
    "command",
    ["sh", f"{PROGRAMS}/sh", "link", "/etc/relative"],
    ids=["name", "path", "link", "relative link"],
)
def test_command_is_found_in_the_tree(rig: SandboxRig, command: str) -> None:
    sandbox = rig.sandbox()
    root = sandbox.get_virtual_directory().open_directory("etc", create=True)
    with root.open_file("relative", mode="w") as file:
        file.write(f"#!{PROGRAMS}/sh\n")
        os.fchmod(file.fileno(), 0o755)
    # an absolute link leads to the tree's root, not to that of the host
    root.import_files(make_link(rig, "link", "/etc/relative"))
    env = {**ENVIRONMENT, "PATH": f"/missing:/etc:{PROGRAMS}"}
    assert sandbox.run([command, "-c", "true"], env=env) == 0


def make_link(rig: SandboxRig, name: str, target: str) -> str:
    """A host directory with a symbolic link."""
    directory = rig.directory / f"with-{name}"
    directory.mkdir()
    (directory / name).symlink_to(target)
    return str(directory)


@pytest.mark.parametrize("command", ["missing", "/missing", "./sh", "usr/bin/sh", "loop"])
def test_missing_command_is_an_error_of_its_own(rig: SandboxRig, command: str) -> None:
    sandbox = rig.sandbox()
    sandbox.get_virtual_directory().import_files(make_link(rig, "loop", "/loop"))
    with pytest.raises(SandboxCommandError) as caught:
        sandbox.run([command], env={"PATH": f"/:{PROGRAMS}"})
    assert str(caught.value) == f"Staged artifacts do not provide command '{command}'"
    assert caught.value.reason == "missing-command"


def test_all_of_a_batch_has_the_same_flags(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    message = "Inconsistent sandbox flags in single command batch"
    with pytest.raises(AssertionError, match=message), sandbox.batch(root_read_only=True):
        sandbox.run(["true"])
    with pytest.raises(AssertionError), sandbox.batch(), sandbox.batch(root_read_only=True):
        pass


def test_batch_without_commands_runs_nothing(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    with sandbox.batch():
        sandbox._create_file("file")
        sandbox._clean_directory("/usr")
    assert not rig.running
    assert sandbox.get_virtual_directory().exists("usr")


def test_batch_that_raises_runs_nothing(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    with pytest.raises(KeyError), sandbox.batch():
        raise KeyError(sandbox.run(["true"]))
    assert not rig.running
    assert sandbox.run(["true"]) == 0


def test_files_are_made_and_directories_emptied_at_once_outside_a_batch(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    sandbox.get_virtual_directory().open_directory("work/old", create=True)
    sandbox.set_work_directory("/work")
    sandbox._clean_directory("/work")
    sandbox._create_file("new")
    assert list(sandbox.get_virtual_directory().open_directory("work")) == ["new"]


def test_element_that_declares_to_run_nothing_may_not(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    sandbox._disable_run()
    with pytest.raises(RuntimeError):
        sandbox.run(["true"])


def test_paths_must_be_absolute(rig: SandboxRig) -> None:
    for method in (LocalSandbox.mark_directory, LocalSandbox.set_work_directory):
        with pytest.raises(AssertionError):
            method(rig.sandbox(), "relative")


def test_sub_sandbox_is_empty_and_runs_nothing(rig: SandboxRig) -> None:
    sub_sandbox = rig.sandbox()._create_sub_sandbox()
    assert list(sub_sandbox.get_virtual_directory()) == []
    sub_sandbox.get_virtual_directory()._import_tree(rig.base)  # type: ignore[attr-defined]
    with pytest.raises(ImplError):
        sub_sandbox.run(["sh"], env=ENVIRONMENT)


@pytest.mark.parametrize(
    ("build_os", "build_arch", "host_arch", "complaint"),
    [
        ("plan9", "x86-64", "x86-64", "OS 'plan9'"),
        ("linux", "sparc-v9", "x86-64", "ISA 'sparc-v9'"),
        ("linux", "x86-64", "x86-32", "ISA 'x86-64'"),
        ("linux", "x86-32", "x86-64", None),
    ],
)
def test_foreign_platforms_are_refused(
    rig: SandboxRig, build_os: str, build_arch: str, host_arch: str, complaint: str | None
) -> None:
    rig.environment = replace(rig.environment, host_os="linux", host_arch=host_arch)
    sandbox = rig.sandbox(SandboxConfiguration(build_os, build_arch))
    if complaint is None:
        assert sandbox.run(["true"]) == 0
        return
    with pytest.raises(SandboxError) as caught:
        sandbox.run(["true"])
    assert str(caught.value) == (
        f"This platform does not support local builds: {complaint} is not supported by buildbox-run."
    )
    assert caught.value.reason == "unavailable-local-sandbox"
