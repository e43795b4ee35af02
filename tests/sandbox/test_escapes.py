"""Attempts of commands to get at what is outside of their sandbox: none succeeds, with either kind of root.

Each is a script that tells "escaped" if it got anywhere; a file of the host, whose path it knows, must
neither be read nor changed, and the store must hold what it held before.
"""

import os
from pathlib import Path

import pytest

from buildstream._model.digest import Digest
from buildstream._store.checkout import export_directory
from tests.sandbox.conftest import INSTALL_ROOT, PROGRAMS, SandboxRig

SECRET = "a secret of the host"

READING = {
    "absolute path": "cat $SECRET",
    "parents of the root": "cat ../../../../../../../..$SECRET",
    "root of process 1": "cat /proc/1/root$SECRET",
    "work directory of process 1": "cat /proc/1/cwd$SECRET",
    "root of the parent": "cat /proc/$PPID/root$SECRET",
    "link in the root": f"ln -s / {INSTALL_ROOT}/top && cat {INSTALL_ROOT}/top$SECRET",
    "link over the root": f"ln -s ../../../../.. {INSTALL_ROOT}/up && cat {INSTALL_ROOT}/up$SECRET",
    "inherited descriptors": 'for fd in /proc/self/fd/*; do cat "$fd/.$SECRET" "$fd/../../..$SECRET"; done',
    "descriptors of process 1": 'for fd in /proc/1/fd/*; do cat "$fd/.$SECRET"; done',
    "old root of the mounts": "cat /oldroot$SECRET /newroot$SECRET",
    "environment of process 1": "grep -l HOST_VARIABLE /proc/1/environ && echo escaped",
}

CHANGING = {
    "a program of the base": f"echo x > {PROGRAMS}/cat",
    "a link to a program of the base": f"ln -s {PROGRAMS}/cat c; echo x > c",
    "a hard link of a program of the base": f"ln {PROGRAMS}/cat c && echo x > c; false",
    "mode of a program of the base": f"chmod 777 {PROGRAMS}/cat",
    "removing a program of the base": f"rm -f {PROGRAMS}/cat && test ! -e {PROGRAMS}/cat",
    "renaming a program of the base": f"mv {PROGRAMS}/cat {PROGRAMS}/dog",
    "replacing the directory of programs": f"mv {PROGRAMS} /gone || ln -sfn /tmp {PROGRAMS}/../bin2",
    "a new file at the top": "echo x > /new",
    "a new file by a link": "ln -s /usr u; echo x > u/new",
    # opened only: root of the host would really change it
    "kernel settings": ": >> /proc/sys/kernel/core_pattern",
    "keys of the kernel": ": >> /proc/sysrq-trigger",
    "the table of mounts": "mount -o remount,rw / || mount -t tmpfs none /usr",
    "devices of the host": "mknod disk b 8 0 && cat disk",
    "mode of a device": "chmod 644 /dev/full",
    "mode of the standard input": "chmod 644 /proc/self/fd/0",
    "a namespace of its own": (
        f"unshare -rm sh -c 'mount -o remount,rw,bind {PROGRAMS}; echo x > {PROGRAMS}/cat'"
    ),
    "times of a program of the base": f"touch {PROGRAMS}/cat",
}


@pytest.fixture
def secret(rig: SandboxRig) -> Path:
    path = rig.directory / "secret"
    path.write_text(SECRET, encoding="utf-8")
    return path


@pytest.mark.parametrize("attempt", READING.values(), ids=READING)
def test_nothing_of_the_host_can_be_read(rig: SandboxRig, secret: Path, attempt: str) -> None:
    written = rig.output(f"SECRET={secret}\n( {attempt} ) || true")
    assert SECRET not in written
    assert "escaped" not in written


def test_no_attempt_changes_what_is_protected(rig: SandboxRig, secret: Path) -> None:
    attempts = [f"if ( {script} ); then echo 'escaped: {name}'; fi" for name, script in CHANGING.items()]
    written = rig.output("\n".join(attempts))
    assert "escaped" not in written
    assert all(rig.cas.verify(digest) for digest in base_files(rig))
    assert secret.read_text(encoding="utf-8") == SECRET


def test_only_its_own_processes_can_be_killed(rig: SandboxRig) -> None:
    assert rig.sandbox().run(["sh", "-c", "kill -9 -1; sleep 0; exit 3"]) in (3, 137)
    assert rig.output("echo alive") == "alive"


def test_links_to_the_host_are_captured_as_links(rig: SandboxRig, secret: Path, tmp_path: Path) -> None:
    sandbox = rig.sandbox()
    rig.output(
        f"cd {INSTALL_ROOT}; ln -s {secret} file; ln -s {secret.parent} folder; ln -s . loop; mkfifo pipe",
        sandbox=sandbox,
    )
    tree = sandbox.get_virtual_directory().open_directory(INSTALL_ROOT[1:])
    assert sorted(tree) == ["file", "folder", "loop"]
    assert tree.readlink("file") == str(secret)
    digest = tree._digest()  # type: ignore[attr-defined]
    export_directory(rig.cas, digest, str(tmp_path / "out"))
    assert os.readlink(tmp_path / "out" / "folder") == str(secret.parent)


def test_install_root_that_became_a_link_is_not_followed(rig: SandboxRig, secret: Path) -> None:
    sandbox = rig.sandbox()
    rig.output(f"rmdir {INSTALL_ROOT} && ln -s {secret.parent} {INSTALL_ROOT} || true", sandbox=sandbox)
    root = sandbox.get_virtual_directory()
    name = INSTALL_ROOT[1:]
    # either it could not be replaced, or it is a link, whose target is looked for in the sandbox alone
    if root.islink(name):
        assert not root.exists(str(secret)[1:])
    else:
        assert list(root.open_directory(name)) == []


def test_integration_can_change_the_root_but_not_the_store(rig: SandboxRig) -> None:
    sandbox = rig.sandbox()
    script = f"echo x > {PROGRAMS}/cat; chmod 777 {PROGRAMS}/ls; rm {PROGRAMS}/mv"
    rig.output(script, sandbox=sandbox, root_read_only=False)
    assert all(rig.cas.verify(digest) for digest in base_files(rig))
    assert rig.output("cat /proc/self/comm") == "cat", "the next sandbox has what was there before"


def base_files(rig: SandboxRig) -> list[Digest]:
    """The digests of all files of the base."""
    found, waiting = [], [rig.base]
    while waiting:
        directory = rig.cas.read_directory(waiting.pop())
        found += [file.digest for file in directory.files]
        waiting += [child.digest for child in directory.directories]
    return found
