"""The script of a batch: remote action caches know it by its digest, so every byte counts."""

from collections.abc import Mapping

import pytest

from buildstream._model.digest import EMPTY_DIGEST, digest_from_bytes
from buildstream._sandbox.action import ActionCommand, make_action, platform_properties
from buildstream.sandbox._batch import Batch, BatchCommand, CleanDirectory, CreateFile
from tests.testutils.environments import DEFAULT_ENVIRONMENT


def build_command(text: str, cwd: str, env: Mapping[str, str]) -> BatchCommand:
    """A command as build elements and script elements run it."""
    return BatchCommand(("sh", "-c", "-e", text + "\n"), cwd, {**env, "PWD": cwd}, text)


def script_element_batch() -> tuple[Batch, list[str]]:
    commands = [build_command("cp -a /input/data /out/", "/", DEFAULT_ENVIRONMENT)]
    return Batch(True, "/out", [*commands, CleanDirectory("/buildstream/keytest/scr.bst")]), ["/out"]


def manual_element_batch() -> tuple[Batch, list[str]]:
    build_root = "/buildstream/keytest/man.bst"
    env = {**DEFAULT_ENVIRONMENT, "FOO": "bar", "NOC": "zzz"}
    texts = [
        'echo "bonjour é" > out.txt',
        "mkdir -p /buildstream-install/usr/bin",
        "cp out.txt /buildstream-install/usr/bin/out.txt",
        "",
    ]
    items = [build_command(text, build_root, env) for text in texts]
    return Batch(True, None, [*items, CleanDirectory(build_root)]), [build_root, "/buildstream-install"]


def integration_batch() -> tuple[Batch, list[str]]:
    env = {**DEFAULT_ENVIRONMENT, "FOO": "bar", "NOC": "zzz", "PWD": "/"}
    command = BatchCommand(("sh", "-e", "-c", "echo integrate"), "/", env, "echo integrate")
    return Batch(False, None, [command]), ["/"]


@pytest.mark.parametrize(
    ("made", "digest", "size"),
    [
        (script_element_batch(), "e59c989a33ce922d9e189849d77ee50be942dcaba1f1b3f12bfef4733a44bd17", 469),
        (manual_element_batch(), "215935a09880dee47f14ccce2b0a8a02413b58c44cb67335a0f18a8b00fa3795", 1076),
        (integration_batch(), "b74b673d663fde75a455ac1be996fa319e1fefc5e7b9168ed6d118f82aa0ecca", 405),
    ],
    ids=["script element", "manual element", "integration"],
)
def test_command_digests_equal_those_of_buildstream(
    made: tuple[Batch, list[str]], digest: str, size: int
) -> None:
    batch, outputs = made
    first = batch.commands()[0]
    command = ActionCommand(
        argv=("sh", "-c", "-e", batch.script()),
        environment=first.env,
        work_directory=first.cwd,
        outputs=outputs,
        keeps_mtimes=False,
        platform=platform_properties("linux", "x86-64", None, None, None),
    )
    message = make_action(command, EMPTY_DIGEST).command
    assert digest_from_bytes(message) == (digest, size)


def test_changes_of_directory_and_environment_stand_before_a_command() -> None:
    first = BatchCommand(("one",), "/", {"A": "1", "B": "2", "PWD": "/"}, None)
    second = BatchCommand(("two", "x y"), "/d", {"B": "3 4", "C": "", "PWD": "/d"}, "2")
    assert Batch(False, None, [first, second]).script() == (
        "(set -ex; one) || (echo Command ''\"'\"'one'\"'\"'' failed with exitcode $? >&2 ; exit 1)\n"
        "mkdir -p /d\n"
        "cd /d\n"
        "unset A\n"
        "export B='3 4'\n"
        "export C=''\n"
        "export PWD=/d\n"
        "(set -ex; two 'x y') || (echo Command ''\"'\"'2'\"'\"'' failed with exitcode $? >&2 ; exit 1)\n"
    )


def test_files_and_directories_are_quoted() -> None:
    command = BatchCommand(("true",), "/w d", {}, "label")
    script = Batch(False, None, [CreateFile("a b"), command, CleanDirectory("/c d")]).script()
    lines = script.splitlines()
    assert lines[0] == "touch -- 'a b'"
    assert lines[2:] == ["rm -rf -- '/c d' || true", "mkdir -p '/w d' || true"]


def test_labels_are_those_of_commands_that_have_one() -> None:
    batch = Batch(
        False, None, [BatchCommand((name,), "/", {}, label) for name, label in (("a", "A"), ("b", None))]
    )
    assert batch.labels() == ["A"]
