"""Actions have the bytes, and so the digests, that action caches know from BuildStream 2.8."""

import pytest

from buildstream._model.digest import EMPTY_DIGEST, Digest, digest_from_bytes
from buildstream._model.tree import DirectoryEntry, FileEntry, TreeDirectory, encode_directory
from buildstream._model.wire import text_field, varint
from buildstream._sandbox.action import (
    ActionCommand,
    directories_of_tree,
    make_action,
    output_path,
    platform_properties,
)
from tests.testutils.environments import DEFAULT_ENVIRONMENT

_PLATFORM = platform_properties("linux", "x86-64", None, None, None)
_SCRIPT = r"""(set -ex; sh -c -e 'cp -a /input/data /out/
') || (echo Command ''"'"'cp -a /input/data /out/'"'"'' failed with exitcode $? >&2 ; exit 1)
rm -rf -- /buildstream/keytest/scr.bst || true
mkdir -p / || true
"""


def digest(text: str) -> Digest:
    """A digest as the vectors write it."""
    name, _, size = text.partition("/")
    return Digest(name, int(size))


def test_digests_of_an_action() -> None:
    """As BuildStream 2.8.1 computes them for a script element."""
    root = digest("2249987356383f844d62abce8aa421221d8c556e7d9e6667169fc0cd537acfff/493")
    command = ActionCommand(
        argv=("sh", "-c", "-e", _SCRIPT),
        environment={**DEFAULT_ENVIRONMENT, "PWD": "/"},
        work_directory="/",
        outputs=["/out"],
        keeps_mtimes=False,
        platform=_PLATFORM,
    )
    action = make_action(command, root)
    expected = "e59c989a33ce922d9e189849d77ee50be942dcaba1f1b3f12bfef4733a44bd17/469"
    assert digest_from_bytes(action.command) == digest(expected)
    assert action.digest == digest("28fe64f921b816bf2d4596d3cacf192764f10297dc45537eb6e7246719774343/178")
    assert digest_from_bytes(action.message) == action.digest


def test_outputs_are_relative_to_the_work_directory() -> None:
    from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Command

    command = ActionCommand(
        argv=("true",),
        environment={},
        work_directory="/buildstream/p/e.bst",
        outputs=["/buildstream/p/e.bst", "/buildstream-install", "/"],
        keeps_mtimes=True,
        platform=_PLATFORM,
    )
    message = Command.FromString(make_action(command, EMPTY_DIGEST).command)
    assert list(message.output_paths) == [".", "../../../buildstream-install", "../../.."]
    assert list(message.output_node_properties) == ["mtime"]
    assert message.working_directory == "buildstream/p/e.bst"
    paths = [output_path(path, command.work_directory) for path in message.output_paths]
    assert paths == ["buildstream/p/e.bst", "buildstream-install", ""]


def test_properties_of_the_platform_are_sorted() -> None:
    from buildstream._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import Action

    platform = platform_properties("linux", "aarch64", 1000, 100, "/run/reapi.sock")
    command = ActionCommand(("true",), {}, "/", ["/"], keeps_mtimes=False, platform=platform)
    found = Action.FromString(make_action(command, EMPTY_DIGEST).message).platform.properties
    assert [(each.name, each.value) for each in found] == [
        ("ISA", "aarch64"),
        ("OSFamily", "linux"),
        ("remoteApisSocketPath", "run/reapi.sock"),
        ("unixGID", "100"),
        ("unixUID", "1000"),
    ]


def _part(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def test_directories_of_a_tree_keep_their_bytes() -> None:
    below = encode_directory(TreeDirectory(files=(FileEntry("f", digest_from_bytes(b"x")),)))
    root = encode_directory(
        TreeDirectory(directories=(DirectoryEntry("d", digest_from_bytes(below)),))
    ) + text_field(99, "of a newer version")
    message = _part(1, root) + _part(2, below) + _part(2, below)
    assert directories_of_tree(message) == (root, [below, root])


@pytest.mark.parametrize("message", [b"", b"\x12\x00", b"\x0a\x05", b"\x0a\x00\x0a\x00"])
def test_a_tree_without_root_or_end(message: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        directories_of_tree(message)
