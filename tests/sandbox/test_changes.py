"""What commands may change, and what comes back of it."""

import hashlib
from pathlib import Path

import pytest

from buildstream._sandbox.local import LocalSandbox
from buildstream._sandbox.probe import RootMethod
from buildstream.sandbox import SandboxCommandError
from tests.sandbox.conftest import BUILD_ROOT, INSTALL_ROOT, PROGRAMS, SandboxRig


def fingerprints(directory: Path) -> dict[str, tuple[str, int, int]]:
    """Content, mode and time of every file below DIRECTORY."""
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_read_only_root_can_be_written_in_marked_directories_alone(rig: SandboxRig) -> None:
    rig.output(
        f"""
        touch here {INSTALL_ROOT}/there
        for place in / {PROGRAMS} /usr /buildstream /buildstream/project; do
            if touch $place/new || rm -rf $place || mkdir $place/newdir; then exit 1; fi
        done
        if echo >> {PROGRAMS}/sh || chmod 700 {PROGRAMS}/cat || rm -f {PROGRAMS}/cat; then exit 1; fi
        """
    )


def test_links_and_renames_work_between_marked_directories(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    rig.output(
        f"echo text > a; ln a {INSTALL_ROOT}/linked; mv a {INSTALL_ROOT}/moved; mkdir d;"
        f" mv d {INSTALL_ROOT}/d; ln -s moved {INSTALL_ROOT}/s",
        sandbox=sandbox,
    )
    installed = sandbox.get_virtual_directory().open_directory(INSTALL_ROOT[1:])
    assert sorted(installed) == ["d", "linked", "moved", "s"]
    assert installed.file_digest("linked") == installed.file_digest("moved")
    assert installed.readlink("s") == "moved"
    assert list(sandbox.get_virtual_directory().open_directory(BUILD_ROOT[1:])) == []


def test_stored_files_survive_what_a_build_does_to_them(rig: SandboxRig) -> None:
    # as root in the first place: only the way the root is made protects the store there
    before = fingerprints(rig.cache_directory / "cas" / "objects")
    rig.output(
        # the shell can't be written to while it is executed
        f"for file in {PROGRAMS}/*; do chmod 700 $file; (echo >> $file) || true; touch $file; done",
        root_read_only=False,
    )
    after = fingerprints(rig.cache_directory / "cas" / "objects")
    assert {path: after.get(path) for path in before} == before


def test_writable_root_comes_back_whole(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    root = sandbox.get_virtual_directory()
    root.open_directory("etc/old", create=True)
    rig.output(
        "rmdir /etc/old; echo x > /etc/new; mkdir /top; rm -r /buildstream",
        sandbox=sandbox,
        root_read_only=False,
    )
    assert list(root.open_directory("etc")) == ["new"]
    assert root.isdir("top")
    assert not root.exists("buildstream")
    assert root.exists(f"{PROGRAMS}/sh"[1:])


def test_mounted_directories_come_back_empty(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    rig.output("touch /dev/x /tmp/x", sandbox=sandbox, root_read_only=False)
    root = sandbox.get_virtual_directory()
    assert [list(root.open_directory(name)) for name in ("dev", "proc", "tmp")] == [[], [], []]


def test_replaced_directory_loses_its_old_content(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    with (
        sandbox.get_virtual_directory()
        .open_directory(BUILD_ROOT[1:] + "/d", create=True)
        .open_file("old", mode="w")
    ):
        pass
    rig.output("rm -r d; mkdir d; touch d/new", sandbox=sandbox)
    assert list(sandbox.get_virtual_directory().open_directory(BUILD_ROOT[1:] + "/d")) == ["new"]


SOURCES = {"top": "t\n", "a/one": "1\n", "a/deep/two": "2\n", "b/same": "s\n", "c/same": "s\n"}


@pytest.fixture
def with_sources(rig: SandboxRig) -> LocalSandbox:
    """A sandbox with files in the build root."""
    sandbox = rig.sandbox()
    root = sandbox.get_virtual_directory()
    for path, text in SOURCES.items():
        place = root.open_directory(f"{BUILD_ROOT[1:]}/{path.rpartition('/')[0]}", create=True)
        with place.open_file(path.rpartition("/")[2], mode="w") as file:
            file.write(text)
    return sandbox


def contents(sandbox: LocalSandbox, path: str = BUILD_ROOT) -> dict[str, str | None]:
    """The text of each file, None for each directory."""
    directory = sandbox.get_virtual_directory().open_directory(path[1:])
    found: dict[str, str | None] = {}
    for name in directory.list_relative_paths():
        found[name] = None
        if directory.isfile(name):
            with directory.open_file(name) as file:
                found[name] = file.read()
    return found


def test_directories_of_sources_can_be_renamed(rig: SandboxRig, with_sources: LocalSandbox) -> None:
    """By rename(2), which which must not answer that they are on another file system."""
    rig.output(
        f"""
        move() {{ before=$(stat -c %i $1); mv $1 $2; test $(stat -c %i $2) = $before; }}
        move a moved
        move b {INSTALL_ROOT}/b
        """,
        sandbox=with_sources,
    )
    assert contents(with_sources) == {
        "top": "t\n",
        "c": None,
        "c/same": "s\n",
        "moved": None,
        "moved/one": "1\n",
        "moved/deep": None,
        "moved/deep/two": "2\n",
    }
    assert contents(with_sources, INSTALL_ROOT) == {"b": None, "b/same": "s\n"}


def test_what_commands_do_to_sources_comes_back(rig: SandboxRig, with_sources: LocalSandbox) -> None:
    rig.output(
        "rm a/one; echo 3 > a/three; mv b x; mv c b; mv x c; echo more >> c/same; rm -r a/deep;"
        " mkdir a/deep; chmod +x top; ln top linked",
        sandbox=with_sources,
    )
    assert contents(with_sources) == {
        "top": "t\n",
        "linked": "t\n",
        "a": None,
        "a/three": "3\n",
        "a/deep": None,
        "b": None,
        "b/same": "s\n",
        "c": None,
        "c/same": "s\nmore\n",
    }
    build_root = with_sources.get_virtual_directory().open_directory(BUILD_ROOT[1:])
    assert build_root.stat("top").executable
    # a second command starts from there
    assert rig.output("cat a/* b/* c/* 2>/dev/null || true", sandbox=with_sources) == "3\ns\ns\nmore"


def test_what_the_engine_removes_is_gone_for_commands(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    root = sandbox.get_virtual_directory()
    layer = rig.directory / "layer"
    for name in ("d/kept", "d/gone", "d/later", "e/f/gone", "whole/x"):
        (layer / name).parent.mkdir(parents=True, exist_ok=True)
        (layer / name).write_text(name)
    root._import_tree(rig.cas.import_directory(str(layer)))  # type: ignore[attr-defined]
    root.remove("d/gone")
    root.remove("e/f/gone")
    root.remove("whole", recursive=True)
    assert rig.output("find /d /e /whole 2>/dev/null | sort || true", sandbox=sandbox).split() == [
        *("/d", "/d/kept", "/d/later", "/e", "/e/f")
    ]
    # and so it is for the next ones, whoever removes or makes something
    rig.output("rm /d/later; echo new > /e/f/gone", sandbox=sandbox, root_read_only=False)
    assert rig.output("find /d /e /whole 2>/dev/null | sort || true", sandbox=sandbox).split() == [
        *("/d", "/d/kept", "/e", "/e/f", "/e/f/gone")
    ]


def test_content_changed_behind_old_times_comes_back(rig: SandboxRig, with_sources: LocalSandbox) -> None:
    rig.output("touch -r top time; echo x > top; touch -r time top time; rm time", sandbox=with_sources)
    assert contents(with_sources)["top"] == "x\n"


def test_sources_that_nobody_touched_keep_their_digest(rig: SandboxRig) -> None:
    """Also where times are recorded, which what was staged does not have."""
    if rig.environment.probe.capabilities().method is RootMethod.COPY:
        pytest.skip("copied roots record the times of the copies")
    sandbox = rig.sandbox(keeps_mtimes=True)
    root = sandbox.get_virtual_directory()
    source = rig.directory / "source"
    (source / "d").mkdir(parents=True)
    (source / "d" / "f").write_text("text")
    root.open_directory(BUILD_ROOT[1:], create=True).import_files(str(source))
    before = root.open_directory(BUILD_ROOT[1:])._digest()  # type: ignore[attr-defined]
    rig.output("cat d/f", sandbox=sandbox)
    assert root.open_directory(BUILD_ROOT[1:])._digest() == before  # type: ignore[attr-defined]


def test_unreadable_and_special_files_do_not_hinder(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    rig.output("mkdir d; echo x > d/f; chmod 0 d/f d; mkfifo p", sandbox=sandbox)
    build_root = sandbox.get_virtual_directory().open_directory(BUILD_ROOT[1:])
    assert sorted(build_root) == ["d"]
    assert build_root.isfile("d/f")


def test_later_commands_see_the_work_of_earlier_ones_and_of_the_engine(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    rig.output("echo one > a; mkdir d; touch d/kept", sandbox=sandbox)
    with sandbox.get_virtual_directory().open_file(BUILD_ROOT[1:] + "/b", mode="w") as file:
        file.write("two")
    assert rig.output("cat a b; rm a; ls d", sandbox=sandbox) == "one\ntwokept"
    assert rig.output("ls", sandbox=sandbox, root_read_only=False).split() == ["b", "d"]


def test_failing_command_keeps_its_changes(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    assert sandbox.run(["sh", "-c", "touch made; exit 1"], root_read_only=True) == 1
    assert sandbox.get_virtual_directory().exists(BUILD_ROOT[1:] + "/made")


def test_times_of_new_files_come_back_if_asked_for(rig: SandboxRig) -> None:
    for keeps_mtimes, mtime in ((True, 1000000000), (False, 1321009871)):
        sandbox = rig.sandbox(keeps_mtimes=keeps_mtimes)
        rig.output("touch -d @1000000000 f", sandbox=sandbox)
        assert sandbox.get_virtual_directory().stat(BUILD_ROOT[1:] + "/f").mtime == mtime


def test_background_processes_end_with_the_command(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    rig.output("(while true; do echo x >> f; done) & while ! test -s f; do true; done", sandbox=sandbox)
    assert rig.running[-1].wait() == 0
    size = sandbox.get_virtual_directory().stat(BUILD_ROOT[1:] + "/f").size
    assert size > 0


def test_nothing_is_left_after_close(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    rig.output("mkdir d; touch d/f; chmod 0 d", sandbox=sandbox)
    sandbox.close()
    assert not any((rig.cache_directory / "build").iterdir())
    rig.cas.empty_trash()
    assert not any((rig.cache_directory / "trash").iterdir())
    assert str(rig.cache_directory) not in Path("/proc/mounts").read_text(encoding="utf-8")


def test_install_root_becomes_an_extracted_tree(rig: SandboxRig) -> None:
    method = rig.environment.probe.capabilities().method
    if method is RootMethod.COPY:
        pytest.skip("copied roots are slow in any case")
    sandbox = rig.sandbox()
    rig.output(f"mkdir {INSTALL_ROOT}/bin; echo x > {INSTALL_ROOT}/bin/x", sandbox=sandbox)
    digest = sandbox.get_virtual_directory().open_directory(INSTALL_ROOT[1:])._digest()  # type: ignore[attr-defined]
    trees = rig.cache_directory / ("stubs" if method is RootMethod.STUBS else "trees")
    assert (trees / digest.hash / "bin" / "x").is_file()


def test_many_layers(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    for number in range(150):
        layer = rig.directory / f"layer-{number}" / "many"
        layer.mkdir(parents=True)
        (layer / f"file-{number}").touch()
        digest = rig.cas.import_directory(str(layer.parent))
        sandbox.get_virtual_directory()._import_tree(digest)  # type: ignore[attr-defined]
    assert rig.output("ls /many | wc -l", sandbox=sandbox) == "150"


@pytest.mark.parametrize("read_only", [True, False])
def test_batch_runs_as_one_script(rig: SandboxRig, read_only: bool) -> None:
    sandbox = rig.sandbox()
    with sandbox.batch(root_read_only=read_only):
        sandbox.run(["touch", "made"], root_read_only=read_only, label="make")
        with sandbox.batch(root_read_only=read_only, label="group"):
            sandbox.run(
                ["sh", "-c", "echo $A > a"],
                root_read_only=read_only,
                cwd="/buildstream-install/d",
                env={"PATH": "/bin:/usr/bin", "A": "b c"},
            )
        sandbox._create_file("empty")
        sandbox._clean_directory(BUILD_ROOT)
    root = sandbox.get_virtual_directory()
    assert list(root.open_directory(BUILD_ROOT[1:])) == []
    assert sorted(root.open_directory("buildstream-install/d")) == ["a", "empty"]
    assert rig.recorder.activities == [("Running commands", "make")]


def test_failing_batch_stops_at_the_command(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()

    def run_batch() -> None:
        with sandbox.batch(root_read_only=True, collect="/out"):
            sandbox.run(["touch", "before"], root_read_only=True)
            sandbox.run(["false"], root_read_only=True, label="fail it")
            sandbox.run(["touch", "after"], root_read_only=True)

    with pytest.raises(SandboxCommandError) as caught:
        run_batch()
    assert (str(caught.value), caught.value.collect, caught.value.reason) == (
        "Command failed",
        "/out",
        "command-failed",
    )
    assert list(sandbox.get_virtual_directory().open_directory(BUILD_ROOT[1:])) == ["before"]
    assert "Command 'fail it' failed with exitcode 1" in rig.log()
