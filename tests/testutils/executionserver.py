"""An execution server in this process that really runs its actions, and that can be told to misbehave."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2

from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildstream._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as reapi_grpc
from buildstream._protos.google.longrunning import operations_pb2, operations_pb2_grpc

from .actionrunner import ActionRunner, Cancelled, MissingInput
from .cacheserver import CacheServer, running

_Stage = reapi.ExecutionStage


@dataclass
class Cut:
    """Streams of operations that end early."""

    after: int  # so many operations were sent
    status: grpc.StatusCode | None = grpc.StatusCode.UNAVAILABLE  # None: as if all had been sent
    times: int = 1  # so many streams


class _Execution:
    """An action that was asked for: what is told about it, in order, and how to stop it."""

    def __init__(self, name: str, action_digest: Any) -> None:
        self.name = name
        self.changed = threading.Condition()
        self.runner: ActionRunner | None = None
        self.is_cancelled = False
        self._action_digest = action_digest
        self._operations: list[Any] = []

    @property
    def last_operation(self) -> Any:
        return self._operations[-1]

    def tell(self, stage: Any, operation: Any = None) -> None:
        """Tells the clients that it is at STAGE, with what OPERATION has besides."""
        operation = operation or operations_pb2.Operation()
        operation.name = self.name
        metadata = reapi.ExecuteOperationMetadata(stage=stage, action_digest=self._action_digest)
        operation.metadata.Pack(metadata)
        with self.changed:
            self._operations.append(operation)
            self.changed.notify_all()

    def follow(self, context: Any, *, from_start: bool) -> Iterator[Any]:
        """All operations, or those from the last one on, while the client listens."""
        if not context.add_callback(self._wake):
            return
        index = 0 if from_start else max(0, len(self._operations) - 1)
        while True:
            with self.changed:
                while len(self._operations) <= index and context.is_active():
                    self.changed.wait()
                if not context.is_active():
                    return
                operation = self._operations[index]
            yield operation
            if operation.done:
                return
            index += 1

    def _wake(self) -> None:
        with self.changed:
            self.changed.notify_all()


class ExecutionServer(
    CacheServer,
    reapi_grpc.ActionCacheServicer,
    reapi_grpc.ExecutionServicer,
    operations_pb2_grpc.OperationsServicer,
):
    """A cluster of one: storage, action cache and workers.

    Args:
        scratch: An empty directory for the trees of actions.
        storage: Has the blobs, if they are at another server.
        tools: See `ActionRunner`.

    Attributes:
        results: The action cache, by hash of the action.
        executed: Digests of the actions that were run, in order.
        cancelled: Names of the operations that clients stopped.
        inlines_output: See `ActionRunner`.
        quorum: Executions wait until so many were asked for, or they are cancelled.
        cut: Ends streams early.
        change_result: Changes results before they are told.
        change_operation: Changes the last operation of an execution before it is sent.
    """

    def __init__(
        self, scratch: Path, *, storage: CacheServer | None = None, tools: Mapping[str, Path] | None = None
    ) -> None:
        super().__init__()
        if storage is not None:
            self.blobs = storage.blobs
        self.results: dict[str, Any] = {}
        self.executed: list[Any] = []
        self.cancelled: list[str] = []
        self.inlines_output = False
        self.quorum = 0
        self.cut: Cut | None = None
        self.change_result: Callable[[Any], None] = lambda result: None
        self.change_operation: Callable[[Any], None] = lambda operation: None
        self._scratch = scratch
        self._tools = tools
        self._executions: dict[str, _Execution] = {}
        self._arrived = threading.Condition()  # an execution, or a request to cancel one
        self._threads: list[threading.Thread] = []

    def action(self, digest: Any) -> Any:
        """The Action with DIGEST."""
        return reapi.Action.FromString(self.blobs[digest.hash])

    def command(self, action: Any) -> Any:
        """The Command of ACTION."""
        return reapi.Command.FromString(self.blobs[action.command_digest.hash])

    def close(self) -> None:
        """Stops what still runs."""
        for execution in list(self._executions.values()):
            self._cancel(execution)
        for thread in self._threads:
            thread.join()

    # capabilities

    def GetCapabilities(self, request: Any, context: Any) -> Any:
        capabilities = super().GetCapabilities(request, context)
        execution = capabilities.execution_capabilities
        execution.digest_function = reapi.DigestFunction.SHA256
        execution.exec_enabled = True
        capabilities.cache_capabilities.action_cache_update_capabilities.update_enabled = True
        return capabilities

    # action cache

    def GetActionResult(self, request: Any, context: Any) -> Any:
        self._note("GetActionResult", request, context)
        result = self.results.get(request.action_digest.hash)
        if result is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such result")
        return result

    def UpdateActionResult(self, request: Any, context: Any) -> Any:
        self._note("UpdateActionResult", request, context)
        self.results[request.action_digest.hash] = request.action_result
        return request.action_result

    # execution

    def Execute(self, request: Any, context: Any) -> Iterator[Any]:
        self._note("Execute", request, context)
        with self._arrived:
            execution = _Execution(f"operations/{len(self._executions) + 1}", request.action_digest)
            self._executions[execution.name] = execution
            thread = threading.Thread(target=self._run, args=(execution, request), daemon=True)
            self._threads.append(thread)
            thread.start()
            self._arrived.notify_all()
        yield from self._stream(execution, context, from_start=True)

    def WaitExecution(self, request: Any, context: Any) -> Iterator[Any]:
        self._note("WaitExecution", request, context)
        execution = self._executions.get(request.name)
        if execution is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
            return
        yield from self._stream(execution, context, from_start=False)

    def GetOperation(self, request: Any, context: Any) -> Any:
        self._note("GetOperation", request, context)
        execution = self._executions.get(request.name)
        if execution is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
            return None
        return execution.last_operation

    def ListOperations(self, request: Any, context: Any) -> Any:
        self._note("ListOperations", request, context)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    def DeleteOperation(self, request: Any, context: Any) -> Any:
        self._note("DeleteOperation", request, context)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    def CancelOperation(self, request: Any, context: Any) -> Any:
        self._note("CancelOperation", request, context)
        execution = self._executions.get(request.name)
        if execution is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
        else:
            with self.lock:
                self.cancelled.append(request.name)
            self._cancel(execution)
        return empty_pb2.Empty()

    def _cancel(self, execution: _Execution) -> None:
        with self._arrived:
            execution.is_cancelled = True
            self._arrived.notify_all()
        if execution.runner is not None:
            execution.runner.cancel()

    def _stream(self, execution: _Execution, context: Any, *, from_start: bool) -> Iterator[Any]:
        for number, operation in enumerate(execution.follow(context, from_start=from_start)):
            cut = self.cut
            if cut is not None and cut.times > 0 and number == cut.after:
                cut.times -= 1
                if cut.status is not None:
                    context.abort(cut.status, "broken off")
                return
            yield operation

    def _run(self, execution: _Execution, request: Any) -> None:
        execution.tell(_Stage.QUEUED)
        response = reapi.ExecuteResponse()
        try:
            self._answer(execution, request, response)
        except Cancelled:
            _fail(response, grpc.StatusCode.CANCELLED, "cancelled")
        except MissingInput as error:
            _fail(response, grpc.StatusCode.FAILED_PRECONDITION, f"missing input: {error}")
        except Exception as error:  # noqa: BLE001 - otherwise the client would wait for ever
            _fail(response, grpc.StatusCode.INTERNAL, f"the test server fails: {error!r}")
        operation = operations_pb2.Operation(done=True)
        operation.response.Pack(response)
        self.change_operation(operation)
        execution.tell(_Stage.COMPLETED, operation)

    def _answer(self, execution: _Execution, request: Any, response: Any) -> None:
        """Fills in RESPONSE, from the action cache or by a run."""
        digest = request.action_digest
        cached = None if request.skip_cache_lookup else self.results.get(digest.hash)
        if cached is not None:
            response.result.CopyFrom(cached)
            response.cached_result = True
            return
        if digest.hash not in self.blobs:
            raise MissingInput(f"{digest.hash}/{digest.size_bytes}")
        number = execution.name.rpartition("/")[2]
        execution.runner = runner = ActionRunner(
            self.blobs, self._scratch / number, tools=self._tools, inlines_output=self.inlines_output
        )
        execution.tell(_Stage.EXECUTING)
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._executions) >= self.quorum or execution.is_cancelled)
        if execution.is_cancelled:
            raise Cancelled
        action = self.action(digest)
        result = runner.run(action)
        with self.lock:
            self.executed.append(digest)
        self.change_result(result)
        response.result.CopyFrom(result)
        if not result.exit_code and not action.do_not_cache:
            self.results[digest.hash] = result

    def add_services(self, grpc_server: grpc.Server) -> None:
        """Adds what a cache server has not, and the capabilities if there is no storage here."""
        reapi_grpc.add_CapabilitiesServicer_to_server(self, grpc_server)
        reapi_grpc.add_ActionCacheServicer_to_server(self, grpc_server)
        reapi_grpc.add_ExecutionServicer_to_server(self, grpc_server)
        operations_pb2_grpc.add_OperationsServicer_to_server(self, grpc_server)


def _fail(response: Any, code: grpc.StatusCode, message: str) -> None:
    response.Clear()
    response.status.code = code.value[0]
    response.status.message = message


@contextmanager
def running_executions(server: ExecutionServer, *, has_storage: bool = True) -> Iterator[str]:
    """Runs SERVER, with its storage or without; gives host and port."""
    try:
        with running(
            server, has_assets=False, has_storage=has_storage, add_services=server.add_services
        ) as address:
            yield address
    finally:
        server.close()
