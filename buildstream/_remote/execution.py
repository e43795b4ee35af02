"""Services that run actions, and that remember what came of them (Remote Execution API).

An action may run for hours, in which nothing is heard of it: its stream of operations has no deadline.  When
it breaks off, it is taken up again by the name of the operation; and when it is silent for long, the server
is asked whether it is still there, as a connection may die without anybody noticing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .._model.digest import Digest
from .channel import Channel
from .errors import (
    OK,
    Failure,
    RemoteError,
    damaged_answer,
    error_from_call,
    error_from_status,
    status_name,
)
from .retry import Cancellation, nobody_listens

if TYPE_CHECKING:
    from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
        ActionResult,
        ExecuteRequest,
        ExecuteResponse,
    )
    from .._protos.google.longrunning.operations_pb2 import Operation

_RESPONSE = "build.bazel.remote.execution.v2.ExecuteResponse"
_METADATA = "build.bazel.remote.execution.v2.ExecuteOperationMetadata"
# after which an operation is not asked for again
_FINAL = (
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
    "INTERNAL",
    "DEADLINE_EXCEEDED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
)
_UNHEARD = ("UNAVAILABLE", "DEADLINE_EXCEEDED")  # of a question whether somebody is there
_SILENCE_S = 60.0  # after which somebody is asked
_CANCEL_S = 5.0  # how long the end of an operation may be announced

OnStage = Callable[[str], None]  # told of each new stage: "QUEUED", "EXECUTING" and so on


class ActionCacheClient:
    """The calls of an action cache; safe to use from several threads.

    Args:
        channel: The connection.
    """

    def __init__(self, channel: Channel) -> None:
        from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2_grpc import ActionCacheStub

        self._channel = channel
        self._stub = ActionCacheStub(channel.stub_channel)

    def get(self, action: Digest, cancellation: Cancellation) -> "ActionResult | None":
        """What came of an action; None if nobody knows.

        Raises:
            RemoteError: The server fails.
        """
        from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi

        request = reapi.GetActionResultRequest(
            instance_name=self._channel.instance_name,
            action_digest=reapi.Digest(hash=action.hash, size_bytes=action.size),
            inline_stdout=True,
            inline_stderr=True,
        )
        try:
            result: ActionResult = self._channel.call(self._stub.GetActionResult, request, cancellation)
        except RemoteError as error:
            if error.failure is Failure.MISSING:
                return None
            raise
        return result


class ExecutionClient:
    """The calls of a service that runs actions; safe to use from several threads.

    Args:
        channel: The connection.
        url: As messages name the service.
        silence_s: After how many seconds without news the server is asked whether it is there.
    """

    def __init__(self, channel: Channel, url: str, silence_s: float = _SILENCE_S) -> None:
        from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2_grpc import ExecutionStub
        from .._protos.google.longrunning.operations_pb2_grpc import OperationsStub

        self._channel = channel
        self._url = url
        self._silence_s = silence_s
        self._was_heard = False  # whether the server has ever answered
        self._execution = ExecutionStub(channel.stub_channel)
        self._operations = OperationsStub(channel.stub_channel)

    def execute(
        self, action: Digest, cancellation: Cancellation, on_stage: OnStage, *, skips_cache: bool = False
    ) -> "ExecuteResponse":
        """Has an action run, and gives what came of it.

        Args:
            action: Uploaded before, with all that it needs.
            cancellation: Ends the operation on the server too.
            on_stage: Told how far it is.
            skips_cache: Whether it is run although its result is known.

        Raises:
            RemoteError: The service can't run it. With status FAILED_PRECONDITION something may be
                missing that the action needs.
        """
        from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi

        request = reapi.ExecuteRequest(
            instance_name=self._channel.instance_name,
            action_digest=reapi.Digest(hash=action.hash, size_bytes=action.size),
            skip_cache_lookup=skips_cache,
        )
        run = _Run(self._channel, on_stage)
        while True:
            cancellation.check()
            try:
                operation = self._last_operation(run, request, cancellation)
            except RemoteError as error:
                if cancellation.event.is_set():
                    self._cancel(run.name)
                    raise
                self._go_on(run, error, cancellation)
            else:
                return _response_of(operation)

    def _last_operation(
        self, run: "_Run", request: "ExecuteRequest", cancellation: Cancellation
    ) -> "Operation":
        """The operation that is done, waited for in one stream.

        Raises:
            RemoteError: The stream broke off.
        """
        from .._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import WaitExecutionRequest

        if run.name:
            waiting = WaitExecutionRequest(name=run.name)
            call = self._execution.WaitExecution(waiting, metadata=self._channel.metadata())
        else:
            call = self._execution.Execute(request, metadata=self._channel.metadata())
        for operation in self._heard(call, run, cancellation):
            self._was_heard = True
            run.note(operation)
            if operation.done:
                return operation
        if not run.name:
            raise RemoteError("No response returned from server", Failure.TRANSIENT)
        text = "UNAVAILABLE: The stream of operations ended"
        raise RemoteError(text, Failure.TRANSIENT, status="UNAVAILABLE")

    def _go_on(self, run: "_Run", error: RemoteError, cancellation: Cancellation) -> None:
        """Waits for another attempt after ERROR.

        Raises:
            RemoteError: There is none.
        """
        if error.status == "UNIMPLEMENTED" and run.name:
            raise RemoteError(
                "Failed trying to recover from connection loss: server does not support operation status "
                "polling recovery.",
                Failure.REFUSED,
            ) from error
        if error.status == "NOT_FOUND" and run.name:
            run.name = ""  # the server has been started anew: it is run once more
        elif error.status in _FINAL or not (
            error.failure in (Failure.TRANSIENT, Failure.TIMEOUT) or run.name
        ):
            raise self._failed(error) from error
        policy, effects = self._channel.policy, self._channel.effects
        if run.has_news:  # to take it up again is no retry yet
            run.retries, run.has_news = -1, False
        is_nobody = not self._was_heard and nobody_listens(error)
        if run.retries >= (policy.first_limit if is_nobody else policy.limit):
            raise self._failed(error) from error
        effects.pause(cancellation.event, policy.delay_before(max(run.retries, 0), effects.random()))
        run.retries += 1

    def _failed(self, error: RemoteError) -> RemoteError:
        if not error.status:
            return error
        return RemoteError(
            f"Failed contacting remote execution server at {self._url}.{error}",
            error.failure,
            status=error.status,
        )

    def _heard(self, call: Any, run: "_Run", cancellation: Cancellation) -> "Iterator[Operation]":
        """The operations of a stream.

        Raises:
            RemoteError: It broke off, or nobody is there any more.
        """
        import grpc

        news: SimpleQueue[Any] = SimpleQueue()

        def listen() -> None:
            try:
                for operation in call:
                    news.put(operation)
            except BaseException as error:  # noqa: BLE001 - raised in the other thread
                news.put(error)
            else:
                news.put(None)

        cancellation.add(call)
        threading.Thread(target=listen, name="operations", daemon=True).start()
        try:
            while True:
                try:
                    found = news.get(timeout=self._silence_s)
                except Empty:
                    self._check_presence(run.name)
                    continue
                if found is None:
                    return
                if isinstance(found, grpc.RpcError):
                    cancellation.check()
                    raise error_from_call(found) from found
                if isinstance(found, BaseException):
                    raise damaged_answer(Exception(str(found))) from found
                yield found
        finally:
            cancellation.remove(call)
            call.cancel()

    def _check_presence(self, name: str) -> None:
        """Asks whether the server is there; what it says does not matter.

        Raises:
            RemoteError: It says nothing.
        """
        from .._protos.google.longrunning.operations_pb2 import GetOperationRequest

        try:
            asked = self._channel.start(self._operations.GetOperation, GetOperationRequest(name=name))
            self._channel.result_of(asked)
        except RemoteError as error:
            if error.status in _UNHEARD:
                raise RemoteError(
                    "UNAVAILABLE: Nothing was heard of the server for long",
                    Failure.TRANSIENT,
                    status="UNAVAILABLE",
                ) from error

    def _cancel(self, name: str) -> None:
        """Ends an operation on the server, if that is possible."""
        from .._protos.google.longrunning.operations_pb2 import CancelOperationRequest

        if name:
            with suppress(RemoteError, ValueError):
                request = CancelOperationRequest(name=name)
                self._channel.result_of(
                    self._operations.CancelOperation.future(
                        request, timeout=_CANCEL_S, metadata=self._channel.metadata()
                    )
                )


class _Run:
    """How far the run of an action is.

    Args:
        channel: The connection.
        on_stage: Told of each new stage.
    """

    def __init__(self, channel: Channel, on_stage: OnStage) -> None:
        self._on_stage = on_stage
        self._stage = ""
        self.name = ""  # of the operation
        self.retries = 0  # since there was news
        self.has_news = False

    def note(self, operation: "Operation") -> None:
        """OPERATION came."""
        from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi

        self.has_news = True
        self.name = operation.name or self.name
        if operation.metadata.type_url.rpartition("/")[2] != _METADATA:
            return
        with suppress(Exception):  # of what is only told
            metadata = reapi.ExecuteOperationMetadata.FromString(operation.metadata.value)
            stage = reapi.ExecutionStage.Value.Name(metadata.stage)
            if stage != self._stage:
                self._stage = stage
                self._on_stage(stage)


def _response_of(operation: "Operation") -> "ExecuteResponse":
    """What came of an operation that is done.

    Raises:
        RemoteError: The action could not be run.
    """
    from google.protobuf.message import DecodeError

    from .._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi

    if operation.WhichOneof("result") == "error":
        raise error_from_status(status_name(operation.error.code), operation.error.message)
    if operation.response.type_url.rpartition("/")[2] != _RESPONSE:
        raise RemoteError("The remote execution server gave no result", Failure.REFUSED)
    try:
        response = reapi.ExecuteResponse.FromString(operation.response.value)
    except DecodeError as error:
        raise damaged_answer(error) from error
    if response.status.code != OK:
        text = response.status.message or "Remote server failed at executing the build request."
        status = status_name(response.status.code)
        raise RemoteError(text, error_from_status(status, "").failure, status=status)
    return response
