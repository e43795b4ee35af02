"""Builds on a cluster that misbehaves, and builds that are ended."""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from tests.testutils.cluster import Cluster, read_until_running, start_build
from tests.testutils.clusterfaults import (
    OBJECT,
    Change,
    add_output_file,
    both,
    break_tree,
    cut,
    forget_digests,
    forget_inputs,
    give_bad_digests,
    give_trees,
    lose_directories,
    lose_file,
    move_outputs,
    operation_with,
    refused,
    result_with,
    with_status,
)
from tests.testutils.executionserver import running_executions
from tests.testutils.space import TestSpace
from tests.testutils.waiting import wait_until

from .conftest import write_project

_PATIENCE_S = 120
_CONTACT = "Failed contacting remote execution server at http://{address}."
_UPLOAD = "Failed to upload to the storage service http://{address}: "
_LOST = "The storage service http://{address} does not have "
_REFUSALS = (
    StatusCode.INVALID_ARGUMENT,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.UNIMPLEMENTED,
    StatusCode.PERMISSION_DENIED,
)
_FAULTS: dict[str, tuple[Change, str]] = {
    **{
        f"execute-{status.name}": (refused("Execute", status), f"{_CONTACT}{status.name}: for a test")
        for status in _REFUSALS
    },
    "breaks-internally": (cut(1, StatusCode.INTERNAL), f"{_CONTACT}INTERNAL: broken off"),
    "says-nothing": (cut(0, None, 1000), "No response returned from server"),
    "can-not-be-asked-again": (
        both(cut(1, StatusCode.UNAVAILABLE), refused("WaitExecution", StatusCode.UNIMPLEMENTED)),
        "Failed trying to recover from connection loss: server does not support operation status",
    ),
    "status": (operation_with(with_status(StatusCode.ABORTED, "the worker burns")), "the worker burns"),
    "status-without-message": (
        operation_with(with_status(StatusCode.INTERNAL, "")),
        "Remote server failed at executing the build request.",
    ),
    "no-result": (
        operation_with(lambda operation: operation.ClearField("response")),
        "The remote execution server gave no result",
    ),
    "result-of-another-kind": (
        operation_with(lambda operation: operation.response.Pack(reapi.Directory())),
        "The remote execution server gave no result",
    ),
    "operation-fails": (
        operation_with(lambda operation: operation.error.MergeFromString(b"\x08\x0d\x12\x04oops")),
        "INTERNAL: oops",
    ),
    "no-digest": (result_with(forget_digests), "Output directory structure had no digest attached."),
    "no-outputs": (
        result_with(lambda server, result: result.ClearField("output_directories")),
        "The remote execution server gave no output directory '/buildstream/test/hello.bst'",
    ),
    "other-outputs": (
        result_with(move_outputs),
        "The remote execution server gave no output directory '/buildstream/test/hello.bst'",
    ),
    "bad-digests": (result_with(give_bad_digests), "The server gave a digest that is no SHA-256"),
    "malformed-tree": (result_with(break_tree), "Output directory '.' is no tree"),
    "output-files": (
        result_with(add_output_file),
        "Output files were returned when we didn't request any.",
    ),
    "file-lost": (result_with(lose_file), f"{_LOST}{OBJECT.hash}"),
    "inputs-lost": (forget_inputs, "missing input: "),
    "storage-full": (
        refused("BatchUpdateBlobs", StatusCode.RESOURCE_EXHAUSTED),
        f"{_UPLOAD}RESOURCE_EXHAUSTED: for a test",
    ),
    "storage-fails": (
        refused("FindMissingBlobs", StatusCode.INTERNAL),
        f"{_UPLOAD}INTERNAL: for a test",
    ),
    "downloads-fail": (
        refused("BatchReadBlobs", StatusCode.PERMISSION_DENIED),
        "Failed to download from the storage service http://{address}: PERMISSION_DENIED: for a test",
    ),
    "storage-refuses": (
        refused("GetCapabilities", StatusCode.UNAUTHENTICATED),
        "Failed to initialize the remote storage service http://{address}: UNAUTHENTICATED: for a test",
    ),
}


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory: pytest.TempPathFactory, shell_base: Callable[[], Path]) -> TestSpace:
    """A space in which only what hello.bst needs is built, for many builds of hello.bst that fail."""
    space = TestSpace(tmp_path_factory.mktemp("unbuilt"), shell_base)
    write_project(space)
    space.bst("build", "base.bst", "data.bst")
    return space


@pytest.fixture
def faulty_cluster(unbuilt: TestSpace) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(unbuilt, stack)


@pytest.mark.parametrize("fault", _FAULTS)
def test_fault_of_the_cluster_is_told(faulty_cluster: Cluster, fault: str) -> None:
    cluster = faulty_cluster
    change, message = _FAULTS[fault]
    change(cluster.server)
    result = cluster.build(expect=255)
    assert f"FAILURE {message.format(address=cluster.address)}" in result.stderr
    assert "Traceback" not in result.stderr
    assert "BUG" not in result.stderr
    assert result.task_error is not None
    # it says nothing about the element
    assert cluster.space.states("hello.bst")["hello.bst"] == "buildable"


def test_directories_that_are_lost_are_told(cluster: Cluster) -> None:
    """Apart, as the local cache must not have them."""
    result_with(lose_directories)(cluster.server)
    assert f"FAILURE {_LOST.format(address=cluster.address)}" in cluster.build(expect=255).stderr


@pytest.mark.parametrize("service", ["execution", "storage"])
def test_service_that_is_not_there_is_named(faulty_cluster: Cluster, service: str) -> None:
    cluster = faulty_cluster
    cluster.configure(addresses={service: "127.0.0.1:1"})
    result = cluster.build(expect=255)
    assert re.search(r"FAILURE Failed .*http://127\.0\.0\.1:1.*UNAVAILABLE", result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("status", [StatusCode.INTERNAL, StatusCode.UNIMPLEMENTED, StatusCode.UNAVAILABLE])
def test_action_cache_that_fails_is_not_needed(cluster: Cluster, status: StatusCode) -> None:
    refused("GetActionResult", status)(cluster.server)
    result = cluster.build()
    assert f"WARNING Failed to query action cache: {status.name}: for a test" in result.stderr
    assert len(cluster.server.executed) == 1


_OVERCOME: dict[str, tuple[Change, list[str]]] = {
    "refused-once": (refused("Execute", StatusCode.UNAVAILABLE, 1), ["Execute", "Execute"]),
    "breaks-unavailable": (cut(1, StatusCode.UNAVAILABLE), ["Execute", "WaitExecution"]),
    "breaks-unknown": (cut(1, StatusCode.UNKNOWN), ["Execute", "WaitExecution"]),
    "ends-early": (cut(1, None), ["Execute", "WaitExecution"]),
    "breaks-often": (cut(1, StatusCode.UNAVAILABLE, 5), ["Execute", *["WaitExecution"] * 5]),
    "forgotten": (
        both(cut(1, StatusCode.UNAVAILABLE), refused("WaitExecution", StatusCode.NOT_FOUND, 1)),
        ["Execute", "WaitExecution", "Execute"],
    ),
    "not-there-for-a-while": (
        both(cut(1, StatusCode.UNAVAILABLE), refused("WaitExecution", StatusCode.UNAVAILABLE, 2)),
        ["Execute", *["WaitExecution"] * 3],
    ),
    "inputs-forgotten": (
        refused("Execute", StatusCode.FAILED_PRECONDITION, 1),
        ["Execute", "Execute"],
    ),
    "trees": (result_with(give_trees), ["Execute"]),
    "inline-output": (lambda server: setattr(server, "inlines_output", True), ["Execute"]),
    "no-capabilities": (refused("GetCapabilities", StatusCode.UNIMPLEMENTED), ["Execute"]),
}


@pytest.mark.parametrize("fault", _OVERCOME)
def test_fault_is_overcome(cluster: Cluster, fault: str) -> None:
    change, calls = _OVERCOME[fault]
    cluster.configure(("execution", "storage"), retries=4)
    change(cluster.server)
    cluster.build()
    # a stream that is cut late may have told the end
    seen = cluster.calls()
    assert seen[:2] == calls[:2]
    assert seen == calls[: len(seen)]
    assert "usr/share/object.o" in cluster.space.bst("artifact", "list-contents", "hello.bst").stdout


def test_stream_that_breaks_is_no_call_that_fails(cluster: Cluster) -> None:
    """It is taken up again also where calls are not to be retried."""
    cluster.configure(("execution", "storage"), retries=0)
    cut(1, StatusCode.UNAVAILABLE)(cluster.server)
    cluster.build()
    assert cluster.calls() == ["Execute", "WaitExecution"]


def test_storage_may_forget_what_was_sent_for_an_earlier_build(cluster: Cluster) -> None:
    """The base, which is known to be there from the first element, is sent once more for the second one."""
    cluster.space.element("last.bst", "kind: manual\nbuild-depends: [base.bst, hello.bst]\n")
    server = cluster.server

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "Execute" and server.calls.count(name) == 2:
            server.blobs.clear()

    server.fault = fault
    cluster.configure(("execution", "storage"))
    cluster.build("last.bst")
    # hello.bst, integration, that again, last.bst
    assert cluster.calls() == ["Execute"] * 4
    assert cluster.space.states("last.bst")["last.bst"] == "cached"


def test_cluster_that_goes_away_is_given_up(faulty_cluster: Cluster) -> None:
    """Everything but the storage ends while an action is under way."""
    cluster = faulty_cluster
    cluster.server.quorum = 1000
    with ExitStack() as stack:
        address = stack.enter_context(running_executions(cluster.server, has_storage=False))
        cluster.configure(("execution", "storage"), retries=2, addresses={"execution": address})
        process = start_build(cluster)
        read_until_running(process)
        stack.close()
        _, errors = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 255
    assert f"Failed contacting remote execution server at http://{address}.UNAVAILABLE" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_the_operation(faulty_cluster: Cluster, number: signal.Signals) -> None:
    cluster = faulty_cluster
    cluster.server.quorum = 1000  # that is, for ever
    process = start_build(cluster)
    try:
        read_until_running(process)
        process.send_signal(number)
        process.communicate(timeout=_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 255
    wait_until(lambda: cluster.server.cancelled == ["operations/1"])
    assert cluster.space.states("hello.bst")["hello.bst"] == "buildable"


def test_build_that_takes_too_long_ends_on_the_cluster(faulty_cluster: Cluster) -> None:
    cluster = faulty_cluster
    cluster.server.quorum = 1000
    result = cluster.space.bst("--build-timeout", "3", "build", "hello.bst", expect=255)
    assert result.task_error is not None
    assert result.task_error.reason == "timeout"
    if "The remote build is running" in result.stderr:  # a machine that does much else may not come that far
        wait_until(lambda: cluster.server.cancelled == ["operations/1"])


def test_interruption_ends_an_upload(faulty_cluster: Cluster) -> None:
    cluster = faulty_cluster
    is_sending, is_over = threading.Event(), threading.Event()

    def fault(name: str, request: Any, context: grpc.ServicerContext) -> None:
        if name == "BatchUpdateBlobs":
            is_sending.set()
            is_over.wait(_PATIENCE_S)

    cluster.server.fault = fault
    process = start_build(cluster)
    try:
        assert is_sending.wait(_PATIENCE_S)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_PATIENCE_S / 2)  # before the server answers
    finally:
        is_over.set()
        process.kill()
        process.wait()
    assert process.returncode == 255
    assert "Execute" not in cluster.server.calls
