"""What a command sees of its surroundings."""

import os
import stat

import pytest

from buildstream._sandbox.environment import SandboxConfiguration
from buildstream.sandbox import _SandboxFlags
from tests.sandbox.conftest import BUILD_ROOT, ENVIRONMENT, INSTALL_ROOT, PROGRAMS, SandboxRig


def test_user_is_root_without_capabilities(rig: SandboxRig) -> None:
    assert rig.output("echo $(id -u) $(id -g)") == "0 0"
    status = rig.output("cat /proc/self/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_user_is_the_configured_one(rig: SandboxRig) -> None:
    kept = rig.environment.configuration
    configuration = SandboxConfiguration(kept.build_os, kept.build_arch, 1234, 567)
    script = f"echo $(id -u) $(id -g); stat -c '%u %g' {PROGRAMS}/sh ."
    assert rig.output(script, sandbox=rig.sandbox(configuration)).splitlines() == ["1234 567"] + 2 * [
        "1234 567"
    ]


def test_environment_is_exactly_the_given_one(rig: SandboxRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "yes")
    env = {**ENVIRONMENT, "QUOTED": "a b\n'c", "EMPTY": ""}
    sandbox = rig.sandbox()
    before = len(rig.log())
    assert sandbox.run(["env", "-0"], env=env) == 0
    variables = rig.log()[before:].rstrip("\0").split("\0")
    assert sorted(variables) == sorted(
        f"{name}={value}" for name, value in {**env, "PWD": BUILD_ROOT}.items()
    )


def test_long_environment_reaches_the_command(rig: SandboxRig) -> None:
    env = {**ENVIRONMENT, **{f"VARIABLE_{number}": "x" * 100 for number in range(2000)}}
    assert rig.output('echo "$VARIABLE_1999"', env=env) == "x" * 100


def test_host_name_and_network_are_isolated(rig: SandboxRig) -> None:
    assert rig.output("uname -n") == "buildbox"
    interfaces = rig.output("cat /proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def test_shell_that_is_not_isolated_has_the_host_name_and_the_caller(rig: SandboxRig) -> None:
    before = len(rig.log())
    status = rig.sandbox()._run_with_flags(
        ("sh", "-c", "uname -n; id -u"),
        flags=_SandboxFlags.NETWORK_ENABLED | _SandboxFlags.INHERIT_UID | _SandboxFlags.ROOT_READ_ONLY,
        cwd="/",
        env=ENVIRONMENT,
    )
    assert status == 0
    assert rig.log()[before:].splitlines() == [os.uname().nodename, str(os.geteuid())]


def test_devices_are_the_few_usual_ones(rig: SandboxRig) -> None:
    assert set(rig.output("ls /dev").split()) == {
        *("core", "fd", "full", "null", "ptmx", "pts", "random", "shm"),
        *("stderr", "stdin", "stdout", "tty", "urandom", "zero"),
    }
    rig.output("touch /dev/new /dev/shm/new")


def test_tmp_is_an_empty_file_system_with_mode_755(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    sandbox.get_virtual_directory().open_directory("tmp/staged", create=True)
    assert rig.output("stat -c %a /tmp; ls /tmp; touch /tmp/new", sandbox=sandbox) == "755"
    assert list(sandbox.get_virtual_directory().open_directory("tmp")) == ["staged"]


def test_processes_of_the_host_are_invisible(rig: SandboxRig) -> None:
    commands = rig.output("cat /proc/[0-9]*/comm").splitlines()
    assert set(commands) <= {"bwrap", "sh", "cat"}


def test_standard_input_is_empty_and_there_is_no_terminal(rig: SandboxRig) -> None:
    assert (
        rig.output("cat; test -t 0 || echo none; echo x > /dev/tty || echo no tty").splitlines()[0] == "none"
    )
    assert rig.log().splitlines()[-1] == "no tty"


def test_work_directory_is_created_and_in_pwd(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    sandbox.set_work_directory(BUILD_ROOT + "/sub/dir")
    assert rig.output('pwd; echo "$PWD"', sandbox=sandbox).splitlines() == 2 * [BUILD_ROOT + "/sub/dir"]


def test_staged_files_have_fixed_modes_and_times(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    with sandbox.get_virtual_directory().open_file("data", mode="w") as file:
        file.write("x")
    script = f"stat -L -c '%a %Y' /data {PROGRAMS}/sh {PROGRAMS} /usr; stat -c %Y /"
    assert rig.output(script, sandbox=sandbox).splitlines() == [
        "644 1321009871",
        *3 * ["755 1321009871"],
        "1321009871",
    ]


def test_umask_is_inherited(rig: SandboxRig) -> None:
    old = os.umask(0o077)
    try:
        # the launcher is started by the first sandbox, and has the umask of that moment
        assert rig.output("umask; mkdir d; stat -c %a d") == "0077\n700"
    finally:
        os.umask(old)


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("no-such-command", 127)])
def test_exit_status_is_that_of_the_command(rig: SandboxRig, script: str, status: int) -> None:
    assert rig.sandbox().run(["sh", "-c", script]) == status


def test_program_without_interpreter_is_a_failing_command(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    with sandbox.get_virtual_directory().open_file("bad", mode="w") as file:
        file.write("#!/no/such/interpreter\n")
        os.fchmod(file.fileno(), stat.S_IRWXU)
    assert sandbox.run(["/bad"]) != 0


def test_host_files_are_mounted(rig: SandboxRig) -> None:
    (rig.directory / "file").write_text("from the host", encoding="utf-8")
    (rig.directory / "directory").mkdir()
    sandbox = rig.sandbox()
    sandbox._add_host_mount(str(rig.directory / "file"), "/file")
    sandbox._add_host_mount(str(rig.directory / "directory"), "/some/where")
    assert rig.output("cat /file; echo; echo x > /some/where/made", sandbox=sandbox) == "from the host"
    assert (rig.directory / "directory" / "made").read_text(encoding="utf-8") == "x\n"


def test_install_root_exists(rig: SandboxRig) -> None:
    assert rig.output(f"ls -A {INSTALL_ROOT}") == ""
