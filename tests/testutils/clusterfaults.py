"""What can be wrong with a cluster: functions that make an execution server misbehave."""

from collections.abc import Callable
from typing import Any

import grpc
from grpc import StatusCode

from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi

from .actionrunner import digest_of
from .executionserver import Cut, ExecutionServer

#: The file that the commands of hello.bst make, the only one that it does not have as a source.
OBJECT = digest_of(b"object\n")

#: Makes a server misbehave.
Change = Callable[[ExecutionServer], None]


def refused(method: str, status: StatusCode, times: int = 1000) -> Change:
    """The first TIMES calls of METHOD are refused."""
    remaining = [times]

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == method and remaining[0]:
            remaining[0] -= 1
            context.abort(status, "for a test")

    def change(server: ExecutionServer) -> None:
        server.fault = fault

    return change


def cut(after: int, status: StatusCode | None, times: int = 1) -> Change:
    def change(server: ExecutionServer) -> None:
        server.cut = Cut(after, status, times)

    return change


def both(*changes: Change) -> Change:
    def change(server: ExecutionServer) -> None:
        for each in changes:
            each(server)

    return change


def result_with(
    change_result: Callable[[ExecutionServer, Any], None],
) -> Change:
    def change(server: ExecutionServer) -> None:
        server.change_result = lambda result: change_result(server, result)

    return change


def operation_with(change_operation: Callable[[Any], None]) -> Change:
    def change(server: ExecutionServer) -> None:
        server.change_operation = change_operation

    return change


def with_status(code: StatusCode, message: str) -> Callable[[Any], None]:
    def change(operation: Any) -> None:
        response = reapi.ExecuteResponse()
        response.status.code = code.value[0]
        response.status.message = message
        operation.response.Pack(response)

    return change


def forget_digests(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        output.ClearField("root_directory_digest")


def give_trees(server: ExecutionServer, result: Any) -> None:
    """Directories are known by Tree messages alone, and are not in the storage."""
    for output in result.output_directories:
        directories: list[Any] = []
        collect(server, output.root_directory_digest, directories)
        content = reapi.Tree(root=directories[-1], children=directories[:-1]).SerializeToString()
        output.tree_digest.CopyFrom(digest_of(content))
        server.blobs[output.tree_digest.hash] = content
        output.ClearField("root_directory_digest")


def collect(server: ExecutionServer, digest: Any, directories: list[Any]) -> None:
    directory = reapi.Directory.FromString(server.blobs.pop(digest.hash, b""))
    for child in directory.directories:
        collect(server, child.digest, directories)
    directories.append(directory)


def add_output_file(server: ExecutionServer, result: Any) -> None:
    result.output_files.add(path="stray", digest=digest_of(b""))


def lose_file(server: ExecutionServer, result: Any) -> None:
    del server.blobs[OBJECT.hash]


def lose_directories(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        server.blobs.pop(output.root_directory_digest.hash, None)


def move_outputs(server: ExecutionServer, result: Any) -> None:
    """The trees are given, but of directories that nobody has asked for."""
    for output in result.output_directories:
        output.path = f"elsewhere/{output.path}"


def give_bad_digests(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        output.root_directory_digest.size_bytes = -1


def forget_inputs(server: ExecutionServer) -> None:
    """Whatever is sent is gone when it is needed."""

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "Execute":
            server.blobs.clear()

    server.fault = fault


def break_tree(server: ExecutionServer, result: Any) -> None:
    for output in result.output_directories:
        output.ClearField("root_directory_digest")
        output.tree_digest.CopyFrom(digest_of(b"\xff"))
        server.blobs[output.tree_digest.hash] = b"\xff"
