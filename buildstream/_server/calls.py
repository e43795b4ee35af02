"""What surrounds every call: rights, statuses, counting, and ending those on which nothing moves."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from traceback import format_exception
from typing import Any

import grpc

from .._dataclass import dataclass
from .._exceptions import CASError
from .access import Tokens
from .errors import CallError, call_error_from
from .log import Log
from .metrics import Metrics
from .settings import Right


class Kind(Enum):
    """Which sides of a call send many messages."""

    UNARY = "unary"
    READING = "the server does"
    WRITING = "the client does"


class Call:
    """One call that is being served."""

    def __init__(self, context: Any, right: Right) -> None:
        self._context = context
        self.right = right  # of the client, on this port
        self.progress_s = time.monotonic()

    def progress(self) -> None:
        """To be called when a message of a stream came or went."""
        self.progress_s = time.monotonic()

    def is_active(self) -> bool:
        """Whether the client still waits."""
        return bool(self._context.is_active())

    def cancel(self) -> None:
        """Ends the call; its thread finds out when it next reads or writes."""
        self._context.cancel()


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service."""

    service: str  # with its package
    name: str
    right: Right  # that a client needs
    kind: Kind
    request: Any  # class of the message
    response: Any
    serve: Callable[[Any, Call], Any]  # from a request, or from an iterator of them


class CallGuard:
    """Serves the methods of one port: rights are checked, errors become statuses, and calls are counted.

    Args:
        port_right: What clients may do at the port at most.
        tokens: What their tokens allow.
        watch: Told of streams.
        metrics: Counts.
        log: Told of denied calls and of bugs.
    """

    def __init__(
        self, port_right: Right, tokens: Tokens, watch: "StallWatch", metrics: Metrics, log: Log
    ) -> None:
        self._port_right = port_right
        self._tokens = tokens
        self._watch = watch
        self._metrics = metrics
        self._log = log

    def handlers(self, methods: Iterable[Method]) -> list[Any]:
        """What makes a gRPC server serve METHODS, a handler a service."""
        services: dict[str, dict[str, Any]] = {}
        for method in methods:
            services.setdefault(method.service, {})[method.name] = self._handler(method)
        return [grpc.method_handlers_generic_handler(name, found) for name, found in services.items()]

    def _handler(self, method: Method) -> Any:
        def serve(request: Any, context: Any) -> Any:
            with self._surrounded(method, context) as call:
                return method.serve(request, call)

        def serve_reading(request: Any, context: Any) -> Iterator[Any]:
            with self._surrounded(method, context) as call, self._watch.watching(call):
                for response in method.serve(request, call):
                    yield response
                    call.progress()

        def serve_writing(requests: Iterator[Any], context: Any) -> Any:
            def watched(call: Call) -> Iterator[Any]:
                for request in requests:
                    call.progress()
                    yield request

            with self._surrounded(method, context) as call, self._watch.watching(call):
                return method.serve(watched(call), call)

        make, behaviour = {
            Kind.UNARY: (grpc.unary_unary_rpc_method_handler, serve),
            Kind.READING: (grpc.unary_stream_rpc_method_handler, serve_reading),
            Kind.WRITING: (grpc.stream_unary_rpc_method_handler, serve_writing),
        }[method.kind]
        return make(
            behaviour,
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )

    @contextmanager
    def _surrounded(self, method: Method, context: Any) -> Iterator[Call]:
        started_s = time.monotonic()
        code = grpc.StatusCode.OK
        try:
            yield Call(context, self._authorized(method, context))
        except CallError as error:
            code = error.code
            context.abort(code, str(error))
        except CASError as error:
            answer = call_error_from(error)
            code = answer.code
            if code is not grpc.StatusCode.NOT_FOUND:
                self._log(f"error: {method.name} for {context.peer()}: {error}")
            context.abort(code, str(answer))
        except grpc.RpcError:  # the client went away in the middle of its stream
            code = grpc.StatusCode.CANCELLED
            raise
        except GeneratorExit:  # or of ours
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours must not end the server
            code = grpc.StatusCode.INTERNAL
            self._log(f"bug: {method.name} for {context.peer()}:")
            for line in "".join(format_exception(error)).splitlines():
                self._log(f"    {line}")
            context.abort(code, "The server failed; its log says why")
        finally:
            labels = {"method": method.name}
            self._metrics.add("call_seconds_total", time.monotonic() - started_s, labels)
            self._metrics.add("calls_total", 1, {**labels, "status": code.name})

    def _authorized(self, method: Method, context: Any) -> Right:
        """The right of the client.

        Raises:
            CallError: It does not suffice.
        """
        allowed = self._tokens.right_of(context.invocation_metadata())
        if allowed is None:
            raise self._denied(
                context, method, grpc.StatusCode.UNAUTHENTICATED, "The access token is not valid"
            )
        right = min(allowed, self._port_right, key=lambda found: found.value)
        if right.includes(method.right):
            return right
        if not allowed.includes(method.right):
            if allowed is Right.NONE:
                text = "An access token is needed"
                raise self._denied(context, method, grpc.StatusCode.UNAUTHENTICATED, text)
            text = "The access token does not allow to push"
        else:
            text = "This port of the server is for reading only"
        raise self._denied(context, method, grpc.StatusCode.PERMISSION_DENIED, text)

    def _denied(self, context: Any, method: Method, code: grpc.StatusCode, text: str) -> CallError:
        self._metrics.add("denied_calls_total")
        self._log(f"Denied {method.name} to {context.peer()}: {text}")
        return CallError(code, text)


class StallWatch:
    """Ends streams on which nothing moves, so that they do not keep threads from others.

    Args:
        timeout_s: How long that may be.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._calls: set[Call] = set()

    @contextmanager
    def watching(self, call: Call) -> Iterator[None]:
        """Watches CALL during the body."""
        with self._lock:
            self._calls.add(call)
        try:
            yield
        finally:
            with self._lock:
                self._calls.discard(call)

    def look(self) -> None:
        """Ends what has stalled; to be called every now and then."""
        oldest_s = time.monotonic() - self._timeout_s
        with self._lock:
            stalled = [call for call in self._calls if call.progress_s < oldest_s]
        for call in stalled:
            call.cancel()
