"""Actions of the Remote Execution API: what a command is and needs, as bytes that a cluster knows it by.

The digests of these messages are those that BuildStream 2.8 computes, so that action caches serve both.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from .._dataclass import dataclass
from .._model.digest import Digest, digest_from_bytes


@dataclass(frozen=True, slots=True)
class ActionCommand:
    """A command as a worker of a cluster runs it.

    Attributes:
        argv: The program and its arguments.
        environment: All variables, in their order.
        work_directory: An absolute sandbox path.
        outputs: Absolute paths of the directories whose content is wanted afterwards.
        keeps_mtimes: Whether modification times are wanted too.
        platform: Properties that the worker must have.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    work_directory: str
    outputs: Sequence[str]
    keeps_mtimes: bool
    platform: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Action:
    """A command on an input root.

    Attributes:
        digest: Of `message`.
        message: Encoded `Action`.
        command: Encoded `Command`.
        input_root: The tree that becomes `/`.
        work_directory: Absolute sandbox path that paths of a result are relative to.
        outputs: Sandbox paths, relative to the root, of the directories that a result has to give.
    """

    digest: Digest
    message: bytes
    command: bytes
    input_root: Digest
    work_directory: str
    outputs: tuple[str, ...]


def make_action(command: ActionCommand, input_root: Digest) -> Action:
    """The messages for COMMAND on the tree INPUT_ROOT."""
    from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi

    properties = [
        reapi.Platform.Property(name=name, value=value) for name, value in sorted(command.platform.items())
    ]
    platform = reapi.Platform(properties=properties)
    encoded = reapi.Command(
        arguments=command.argv,
        environment_variables=[
            reapi.Command.EnvironmentVariable(name=name, value=value)
            for name, value in command.environment.items()
        ],
        platform=platform,
        working_directory=command.work_directory.lstrip("/"),
        output_paths=[posixpath.relpath(path, command.work_directory) for path in command.outputs],
        output_node_properties=["mtime"] if command.keeps_mtimes else [],
        output_directory_format=reapi.Command.DIRECTORY_ONLY,
    ).SerializeToString(deterministic=True)
    command_digest = digest_from_bytes(encoded)
    message = reapi.Action(
        command_digest=reapi.Digest(hash=command_digest.hash, size_bytes=command_digest.size),
        input_root_digest=reapi.Digest(hash=input_root.hash, size_bytes=input_root.size),
        platform=platform,
    ).SerializeToString(deterministic=True)
    return Action(
        digest_from_bytes(message),
        message,
        encoded,
        input_root,
        command.work_directory,
        tuple(output_path(path, command.work_directory) for path in command.outputs),
    )


def platform_properties(
    build_os: str, build_arch: str, build_uid: int | None, build_gid: int | None, socket_path: str | None
) -> dict[str, str]:
    """What a worker must have and do for an element with these settings; see `SandboxSettings`."""
    properties = {"OSFamily": build_os, "ISA": build_arch}
    if build_uid is not None:
        properties["unixUID"] = str(build_uid)
    if build_gid is not None:
        properties["unixGID"] = str(build_gid)
    if socket_path is not None:
        properties["remoteApisSocketPath"] = socket_path.lstrip("/")
    return properties


def output_path(path: str, work_directory: str) -> str:
    """The sandbox path, relative to the root, of what a result calls PATH; "" is the root."""
    return posixpath.normpath(posixpath.join("/", work_directory, path)).lstrip("/")


def directories_of_tree(message: bytes) -> tuple[bytes, list[bytes]]:
    """The encoded root of a `Tree`, and all encoded directories in it, as they stand there.

    Raises:
        ValueError: MESSAGE is malformed.
    """
    from .._model.wire import fields

    roots: list[bytes] = []
    directories: list[bytes] = []
    for number, value in fields(message):
        if number in (1, 2) and isinstance(value, bytes):
            (roots if number == 1 else directories).append(value)
    if len(roots) != 1:
        raise ValueError("a tree has one root")
    return roots[0], [*_unique(directories), roots[0]]


def _unique(parts: Iterable[bytes]) -> list[bytes]:
    return list(dict.fromkeys(parts))
