"""A service that runs actions: streams that break or fall silent, servers that forget, no results."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from buildstream._model.digest import digest_from_bytes
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as reapi_grpc
from buildstream._protos.google.longrunning import operations_pb2, operations_pb2_grpc
from buildstream._remote.channel import Channel
from buildstream._remote.errors import RemoteError
from buildstream._remote.execution import ExecutionClient
from buildstream._remote.retry import Cancellation
from buildstream._remotespec import ConnectionConfig, RemoteSpec
from tests.remote.conftest import Waits
from tests.testutils.waiting import PATIENCE_S, wait_until

ACTION = digest_from_bytes(b"an action")
Stream = Callable[[Any], Iterator[Any]]


def operation(*, done: bool = False, exit_code: int = 0) -> Any:
    """What is told of an operation, and what came of it if it is DONE."""
    told = operations_pb2.Operation(name="op", done=done)
    stage = reapi.ExecutionStage.COMPLETED if done else reapi.ExecutionStage.EXECUTING
    told.metadata.Pack(reapi.ExecuteOperationMetadata(stage=stage))
    if done:
        told.response.Pack(reapi.ExecuteResponse(result=reapi.ActionResult(exit_code=exit_code)))
    return told


class Service(reapi_grpc.ExecutionServicer, operations_pb2_grpc.OperationsServicer):
    """Answers each call with the next of the streams given for it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.streams: list[Stream] = []
        self.presence: Callable[[Any], Any] = lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "")

    def Execute(self, request: Any, context: Any) -> Iterator[Any]:
        self.calls.append("Execute")
        yield from self.streams.pop(0)(context)

    def WaitExecution(self, request: Any, context: Any) -> Iterator[Any]:
        self.calls.append(f"WaitExecution {request.name}")
        yield from self.streams.pop(0)(context)

    def GetOperation(self, request: Any, context: Any) -> Any:
        self.calls.append(f"GetOperation {request.name}")
        return self.presence(context)

    def ListOperations(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    def DeleteOperation(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    def CancelOperation(self, request: Any, context: Any) -> Any:
        self.calls.append(f"CancelOperation {request.name}")
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8))
    reapi_grpc.add_ExecutionServicer_to_server(service, server)
    operations_pb2_grpc.add_OperationsServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def client(url: str, waits: Waits) -> Iterator[ExecutionClient]:
    channel = Channel(RemoteSpec(url), waits.effects)
    yield ExecutionClient(channel, url)
    channel.close()


@pytest.fixture
def impatient(url: str, waits: Waits) -> Iterator[ExecutionClient]:
    """One that asks soon whether the server is there."""
    channel = Channel(RemoteSpec(url), waits.effects)
    yield ExecutionClient(channel, url, silence_s=0.05)
    channel.close()


def execute(client: ExecutionClient) -> Any:
    return client.execute(ACTION, Cancellation(), lambda _: None)


def says(*operations: Any) -> Stream:
    return lambda context: iter(operations)


def breaks(status: grpc.StatusCode, *operations: Any) -> Stream:
    def stream(context: Any) -> Iterator[Any]:
        yield from operations
        context.abort(status, "of the test")

    return stream


def falls_silent(context: Any) -> Iterator[Any]:
    """Tells that the action is running, and no more until the client has gone."""
    yield operation()
    ended = threading.Event()
    context.add_callback(ended.set)
    assert ended.wait(PATIENCE_S)


def test_stages_are_told_once(service: Service, client: ExecutionClient) -> None:
    service.streams = [says(operation(), operation(), operation(done=True, exit_code=3))]
    stages: list[str] = []
    response = client.execute(ACTION, Cancellation(), stages.append)
    assert response.result.exit_code == 3
    assert stages == ["EXECUTING", "COMPLETED"]


def test_silence_is_no_failure(service: Service, impatient: ExecutionClient) -> None:
    asked_twice = threading.Event()

    def stream(context: Any) -> Iterator[Any]:
        yield operation()
        assert asked_twice.wait(PATIENCE_S)
        yield operation(done=True)

    def presence(context: Any) -> Any:
        if service.calls.count("GetOperation op") == 2:
            asked_twice.set()
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    service.streams, service.presence = [stream], presence
    execute(impatient)
    assert service.calls[0] == "Execute"
    assert set(service.calls[1:]) == {"GetOperation op"}


def test_without_an_answer_it_is_waited_for_anew(service: Service, impatient: ExecutionClient) -> None:
    service.streams = [falls_silent, says(operation(done=True))]
    statuses = [grpc.StatusCode.UNAVAILABLE]

    def presence(context: Any) -> Any:
        context.abort(statuses.pop() if statuses else grpc.StatusCode.NOT_FOUND, "")

    service.presence = presence
    execute(impatient)
    calls = [call for call in service.calls if call != "GetOperation op"]
    assert calls == ["Execute", "WaitExecution op"]
    assert not statuses


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_a_broken_stream_is_taken_up_again(
    service: Service, client: ExecutionClient, status: grpc.StatusCode
) -> None:
    service.streams = [
        breaks(status, operation()),
        breaks(status, operation()),
        says(operation()),  # ends without a result
        says(operation(done=True)),
    ]
    execute(client)
    assert service.calls == ["Execute", *3 * ["WaitExecution op"]]


def test_streams_that_say_something_may_break_often(service: Service, client: ExecutionClient) -> None:
    broken = [breaks(grpc.StatusCode.UNAVAILABLE, operation()) for _ in range(30)]
    service.streams = [*broken, says(operation(done=True))]
    execute(client)
    assert len(service.calls) == 31


def test_streams_that_say_nothing_are_given_up(service: Service, client: ExecutionClient, url: str) -> None:
    service.streams = [
        says(operation()),
        *(breaks(grpc.StatusCode.UNAVAILABLE) for _ in range(20)),
    ]
    with pytest.raises(RemoteError) as caught:
        execute(client)
    assert str(caught.value).startswith(f"Failed contacting remote execution server at {url}.UNAVAILABLE: ")
    assert 2 < len(service.calls) < 10


def test_to_wait_for_it_is_no_retry(service: Service, url: str, waits: Waits) -> None:
    service.streams = [
        breaks(grpc.StatusCode.UNAVAILABLE, operation()),
        breaks(grpc.StatusCode.UNAVAILABLE),
        says(operation(done=True)),
    ]
    channel = Channel(RemoteSpec(url, connection=ConnectionConfig(retry_limit=1)), waits.effects)
    execute(ExecutionClient(channel, url))
    assert service.calls == ["Execute", "WaitExecution op", "WaitExecution op"]
    channel.close()


def test_what_a_new_server_does_not_know_is_run_again(service: Service, client: ExecutionClient) -> None:
    service.streams = [
        breaks(grpc.StatusCode.UNAVAILABLE, operation()),
        breaks(grpc.StatusCode.NOT_FOUND),
        says(operation(done=True)),
    ]
    execute(client)
    assert service.calls == ["Execute", "WaitExecution op", "Execute"]


def test_a_server_that_can_not_wait(service: Service, client: ExecutionClient) -> None:
    service.streams = [
        breaks(grpc.StatusCode.UNAVAILABLE, operation()),
        breaks(grpc.StatusCode.UNIMPLEMENTED),
    ]
    with pytest.raises(RemoteError, match="does not support operation status polling recovery"):
        execute(client)


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    ],
)
def test_a_refusal_is_final(
    service: Service, client: ExecutionClient, url: str, status: grpc.StatusCode
) -> None:
    service.streams = [breaks(status)]
    with pytest.raises(RemoteError) as caught:
        execute(client)
    text = f"Failed contacting remote execution server at {url}.{status.name}: of the test"
    assert str(caught.value) == text
    assert caught.value.status == status.name
    assert service.calls == ["Execute"]


def test_the_end_of_the_job_ends_the_operation(service: Service, client: ExecutionClient) -> None:
    service.streams = [falls_silent]
    cancellation = Cancellation()
    stages: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(client.execute, ACTION, cancellation, stages.append)
        wait_until(lambda: bool(stages))
        cancellation.kill()
        with pytest.raises(RemoteError):
            running.result(PATIENCE_S)
    assert service.calls[-1] == "CancelOperation op"


def _with_error() -> Any:
    told = operations_pb2.Operation(name="op", done=True)
    told.error.code, told.error.message = grpc.StatusCode.ABORTED.value[0], "of the worker"
    return told


def _with_status(message: str) -> Any:
    told = operations_pb2.Operation(name="op", done=True)
    response = reapi.ExecuteResponse()
    response.status.code, response.status.message = grpc.StatusCode.UNAVAILABLE.value[0], message
    told.response.Pack(response)
    return told


def _with_response(type_url: str, value: bytes) -> Any:
    told = operations_pb2.Operation(name="op", done=True)
    told.response.type_url, told.response.value = type_url, value
    return told


_TYPE = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse"


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (_with_error(), "ABORTED: of the worker"),
        (_with_status("of the worker"), "of the worker"),
        (_with_status(""), "Remote server failed at executing the build request."),
        (operations_pb2.Operation(name="op", done=True), "The remote execution server gave no result"),
        (_with_response("type.googleapis.com/x.Y", b""), "The remote execution server gave no result"),
        (_with_response(_TYPE, b"\xff"), "INTERNAL: What came is damaged"),
    ],
)
def test_what_is_no_result_is_told_once(
    service: Service, client: ExecutionClient, told: Any, text: str
) -> None:
    service.streams = [says(told)]
    with pytest.raises(RemoteError) as caught:
        execute(client)
    assert str(caught.value).startswith(text)
    assert service.calls == ["Execute"]


def test_a_server_that_is_not_there(waits: Waits) -> None:
    url = "http://127.0.0.1:1"
    channel = Channel(RemoteSpec(url), waits.effects)
    with pytest.raises(RemoteError, match="Failed contacting remote execution server"):
        execute(ExecutionClient(channel, url))
    assert len(waits.pauses_s) == 1
    channel.close()
