"""Roots whose files are stubs of objects: what commands see of them, also when something is gone."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from buildstream._exceptions import SandboxError
from buildstream._model.digest import digest_from_bytes
from buildstream._model.platform import host_arch
from buildstream._sandbox.client import LaunchSpec, SandboxLauncher
from buildstream._sandbox.environment import SandboxConfiguration
from buildstream._sandbox.local import LocalSandbox
from buildstream._sandbox.overlay import make_overlay_directories
from buildstream._sandbox.probe import RootMethod
from buildstream._store.cas import Cas
from buildstream._store.layout import TreeForm
from buildstream._store.stubs import make_stub
from tests.testutils.rootmethods import require

from .conftest import SandboxRig

TEXT = digest_from_bytes(b"text")


@pytest.fixture
def stub_rig(tmp_path: Path, sandbox_base: Path) -> Iterator[SandboxRig]:
    require(RootMethod.STUBS)
    with ExitStack() as stack:
        yield SandboxRig(tmp_path, sandbox_base, RootMethod.STUBS, stack)


def with_file(rig: SandboxRig, tmp_path: Path, name: str, text: str = "text") -> LocalSandbox:
    """A sandbox with one more layer, in which there is one file."""
    directory = tmp_path / f"layer-{name.replace('/', '-')}"
    (directory / name).parent.mkdir(parents=True)
    (directory / name).write_text(text, encoding="utf-8")
    sandbox = rig.sandbox()
    digest = rig.cas.import_directory(str(directory))
    sandbox.get_virtual_directory()._import_tree(digest)  # type: ignore[attr-defined]
    return sandbox


def object_path(rig: SandboxRig) -> Path:
    return rig.cache_directory / "cas/objects" / TEXT.hash[:2] / TEXT.hash[2:]


def test_files_can_be_used_in_every_way(stub_rig: SandboxRig, tmp_path: Path) -> None:
    sandbox = with_file(stub_rig, tmp_path, "usr/share/x/file")
    script = """
cd /usr/share/x
stat -c '%s %h %a %Y' file
cp -a file copy; mv file moved; ln moved linked; stat -c %h moved linked; cat copy moved; echo
echo more >> linked; cat moved; chmod 600 moved; : > copy; stat -c '%s %a' copy moved
cp -p /usr/bin/true program; ./program; mv program /usr/bin/true; /usr/bin/true; rm linked moved; ls
"""
    assert stub_rig.output(script, sandbox=sandbox, root_read_only=False).splitlines() == [
        *("4 1 644 1321009871", "2", "2", "texttext", "textmore", "0 644", "9 600", "copy")
    ]
    assert object_path(stub_rig).read_bytes() == b"text"
    assert object_path(stub_rig).stat().st_nlink == 1


def test_nothing_of_the_store_is_visible_by_name(stub_rig: SandboxRig, tmp_path: Path) -> None:
    sandbox = with_file(stub_rig, tmp_path, "only")
    names = stub_rig.output("ls /", sandbox=sandbox).split()
    assert "only" in names
    assert not [name for name in names if len(name) in (2, 64)]
    assert stub_rig.output(f"test -e /{TEXT.hash[:2]} || echo no", sandbox=stub_rig.sandbox()) == "no"


def test_tree_that_was_replaced_is_shown_as_it_is_now(stub_rig: SandboxRig, tmp_path: Path) -> None:
    """The launcher keeps the overlay over all trees, and that what it has seen."""
    first = with_file(stub_rig, tmp_path, "file")
    assert stub_rig.output("cat /file", sandbox=first) == "text"
    for path in (stub_rig.cache_directory / "stubs").iterdir():
        stub_rig.cas.discard(str(path))
    stub_rig.cas.empty_trash()
    again = with_file(stub_rig, tmp_path, "other/file")
    assert stub_rig.output("cat /other/file", sandbox=again) == "text"
    assert stub_rig.output("cat /file", sandbox=first) == "text"


def test_failure_is_not_the_commands_own_when_contents_are_gone(stub_rig: SandboxRig, tmp_path: Path) -> None:
    sandbox = with_file(stub_rig, tmp_path, "file")
    assert sandbox.run(["sh", "-c", "exit 3"], root_read_only=True) == 3
    object_path(stub_rig).unlink()  # as when somebody else finds it damaged
    with pytest.raises(SandboxError) as caught:
        sandbox.run(["sh", "-c", "cat /file"], root_read_only=True)
    assert caught.value.reason == "staged-files-lost"
    stub_rig.cas.insert(TEXT, b"text")
    assert stub_rig.output("cat /file", sandbox=sandbox) == "text"


def test_content_that_was_healed_is_shown(stub_rig: SandboxRig, tmp_path: Path) -> None:
    sandbox = with_file(stub_rig, tmp_path, "file")
    assert stub_rig.output("cat /file", sandbox=sandbox) == "text"
    object_path(stub_rig).write_bytes(b"junk")
    assert not stub_rig.cas.recheck(TEXT)  # and it is in quarantine now
    stub_rig.cas.insert(TEXT, b"text")
    assert stub_rig.output("cat /file", sandbox=sandbox) == "text"


def test_small_architectures_get_small_inode_numbers(stub_rig: SandboxRig, tmp_path: Path) -> None:
    if host_arch(os.uname()) != "x86-64":
        pytest.skip("runs no programs of 32 bits")
    sandbox = stub_rig.sandbox(SandboxConfiguration("linux", "x86-32"))
    assert int(stub_rig.output("stat -c %i /usr/bin", sandbox=sandbox)) < 1 << 32
    assert not any((stub_rig.cache_directory / "stubs").iterdir())


# --- Below bubblewrap


@pytest.fixture
def launcher() -> Iterator[SandboxLauncher]:
    started = SandboxLauncher()
    yield started
    started.close()


class Overlay:
    """An overlay of a directory `stubs/tree`, in which programs of the host run."""

    def __init__(self, launcher: SandboxLauncher, directory: Path) -> None:
        self._launcher = launcher
        self.directory = directory
        self.cas = Cas(str(directory / "cas"), durable=False)
        self.digest = self.cas.add_bytes(b"text")
        self.tree = directory / "stubs/tree"
        self.tree.mkdir()
        self.scratch = directory
        self._count = 0

    def run(self, script: str) -> int:
        """Runs a script of Python in a new root; gives its status."""
        self._count += 1
        self.scratch = self.directory / f"scratch-{self._count}"
        self.scratch.mkdir()
        make_overlay_directories(str(self.scratch))
        spec = LaunchSpec(
            (sys.executable, "-I", "-S", "-c", f"import os; os.chdir('root'); {script}"),
            str(self.scratch),
            layers=(str(self.tree),),
            stubs=self.cas.stub_layers,
        )
        with open(os.devnull, "rb") as nothing:
            return self._launcher.start(spec, stdin=nothing.fileno(), stdout=2, stderr=2).wait()


@pytest.fixture
def overlay(launcher: SandboxLauncher, tmp_path: Path) -> Overlay:
    require(RootMethod.STUBS)
    return Overlay(launcher, tmp_path)


@pytest.mark.parametrize(
    "target", ["../secret", "../../secret", "../cas/../../secret", "no/where", "", "../tmp/secret"]
)
def test_stub_of_something_else_can_not_be_read(overlay: Overlay, target: str) -> None:
    for path in (overlay.directory / "secret", overlay.directory / "cas/secret"):
        path.write_text("secr", encoding="ascii")
    make_stub(str(overlay.tree / "evil"), target, 4, mode=0o644, mtime_ns=0)
    name = f"{overlay.digest.hash[:2]}/{overlay.digest.hash[2:]}"
    make_stub(str(overlay.tree / "good"), name, 4, mode=0o644, mtime_ns=0)
    assert overlay.run("assert open('good').read() == 'text'") == 0
    assert overlay.run("print(open('evil').read())") == 1


def test_marks_that_a_command_sets_are_its_own(overlay: Overlay) -> None:
    """What looks like a stub and is not from the store stays a file, in there and once it is captured."""
    target = f"/{overlay.digest.hash[:2]}/{overlay.digest.hash[2:]}".encode()
    script = (
        "open('new', 'w').write('mine'); os.setxattr('new', 'user.overlay.metacopy', b'');"
        f" os.setxattr('new', 'user.overlay.redirect', {target!r});"
        " assert open('new').read() == 'mine'"
    )
    assert overlay.run(script) == 0
    digest = overlay.cas.capture_overlay(None, str(overlay.scratch / "upper"), consume=True)
    assert [entry.digest for entry in overlay.cas.read_directory(digest).files] == [
        digest_from_bytes(b"mine")
    ]
    path = overlay.cas.object_path(digest_from_bytes(b"mine"))
    assert os.listxattr(path) == []
    assert Path(path).read_bytes() == b"mine"
    for form in TreeForm:
        assert os.stat(f"{overlay.cas.extracted_tree(digest, form)}/new").st_size == 4
